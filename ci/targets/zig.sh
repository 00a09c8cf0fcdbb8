# Rows of systems whose programs are linked here, but can't run: zig knows the libraries of each.
# Sourced by the scripts that make them.
# shellcheck shell=bash
# shellcheck source=ci/targets/row.sh
. "$(dirname "${BASH_SOURCE[0]}")/row.sh"

# A command that links as zig does, from what the compiler says to other linkers.
zig_for() { # NAME OF THE TARGET FOR ZIG
    local packages command=$kept/zig-$1-cc
    packages=$(python_package ziglang)
    cat >"$command" <<COMMAND
#!/usr/bin/env bash
exec "$here/zig_linker" "$packages/ziglang/zig" $1 "\$@"
COMMAND
    chmod +x "$command"
    echo "$command"
}

without_a_run() { # TARGET NAME-FOR-ZIG check|link
    begin "$1" "nothing here runs it"
    if [ "$3" = check ]; then
        std_for check "$target"
        build aio
        build coro
        return
    fi
    std_for full "$target"
    linker "$target" "$(zig_for "$2")"
    # The compiler asks Apple's tools for their folder, unless it is told one.
    export SDKROOT=/nonexistent
    link aio
    link coro
}
