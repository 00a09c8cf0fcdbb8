#!/usr/bin/env bash
# x86_64-pc-windows-gnu, run by Wine; aarch64 is compiled only, as nothing here links or runs it.
# shellcheck source=ci/targets/row.sh
. "$(dirname "$0")/row.sh"

wine=/usr/lib/wine/wine64

# Sees to it that there is a Windows of our own, which `wine` finds by its environment.
windows() {
    local unpacked library
    export WINEPREFIX=$kept/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml=
    library=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
    [ ! -e "$library" ] || return 0
    "$wine" wineboot.exe -i >/dev/null 2>&1
    # Rust's standard library takes its random numbers from a library that Wine 8 lacks.
    unpacked=$(mktemp -d "$kept/random.XXXX")
    cat >"$unpacked/random.c" <<'C'
int __stdcall SystemFunction036(void *bytes, unsigned long length);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, unsigned long long length) {
    while (length > 0) {
        unsigned long part = length > 1u << 20 ? 1u << 20 : (unsigned long)length;
        if (!SystemFunction036(bytes, part)) return 0;
        bytes += part;
        length -= part;
    }
    return 1;
}
C
    x86_64-w64-mingw32-gcc -O2 -shared -o "$library" "$unpacked/random.c" -ladvapi32
    rm -r "$unpacked"
}

in_windows() {
    local program
    begin x86_64-pc-windows-gnu "wine"
    tests_of_aio+=(iocp)
    need gcc-mingw-w64-x86-64-win32 wine64
    std_for full "$target"
    linker "$target" x86_64-w64-mingw32-gcc
    link aio
    link coro
    windows
    # As many rounds of each race as take a minute.
    run env CORIO_ROUNDS=10000 "$wine"
    for program in "${programs[@]}"; do
        [ "${names[$program]}" != aio/iocp ] || at_terminal "$wine" "$program" console::
    done
}

at_terminal() { # COMMAND...: counts as one test
    local spawn='import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
    if timeout --kill-after=10 60 python3 -c "$spawn" "$@" </dev/null >"$log/terminal" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        cat "$log/terminal"
    fi
}

on_aarch64() {
    begin aarch64-pc-windows-msvc "none"
    std_for check "$target"
    # Stacks can't be switched there: that is what tasks lack.
    build aio
}

for what in ${*:-in_windows on_aarch64}; do
    row "$what"
done
exit "$result"
