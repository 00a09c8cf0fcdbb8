#!/usr/bin/env bash
# x86_64-unknown-freebsd: linked as FreeBSD's programs are (`link`; `check` compiles only), and run
# over a shim (`shim`): compiled for FreeBSD, linked to glibc by way of `freebsd/`, on Linux. There
# kqueue is an emulation; what runs is this project's code for FreeBSD. By default both.
# shellcheck source=ci/targets/zig.sh
. "$(dirname "$0")/zig.sh"

# Older releases of the crate libc take the layouts of FreeBSD 11, unless they are told.
export RUST_LIBC_UNSTABLE_FREEBSD_VERSION=12

# Compiles the shim, and prints a command that links programs to it.
linker_to_shim() {
    local folder=$kept/freebsd source name objects=()
    mkdir -p "$folder"
    # The program's calls of these go to the shim, and the shim's own to glibc.
    grep -oh '__wrap_[a-z0-9_]*(' "$here"/freebsd/*.c | sed 's/__wrap_\(.*\)(/\1/' | sort -u \
        >"$folder/names"
    sed 's/.*/-Wl,--wrap=&/' "$folder/names" >"$folder/wrapped"
    sed 's/.*/& __real_&/' "$folder/names" >"$folder/renamed"
    for source in "$here"/freebsd/*.c; do
        name=$folder/$(basename "$source" .c).o
        gcc -O2 -g -fPIC -Wall -Wno-builtin-declaration-mismatch -c "$source" -o "$name"
        objcopy --redefine-syms="$folder/renamed" "$name"
        objects+=("$name")
    done
    cat >"$folder/cc" <<COMMAND
#!/usr/bin/env bash
# Links a program for FreeBSD to the shim: its own libraries are not there.
arguments=()
for argument; do
    case \$argument in
    -lexecinfo | -lkvm | -lmemstat | -lprocstat | -ldevstat) ;;
    *) arguments+=("\$argument") ;;
    esac
done
exec gcc "@$folder/wrapped" ${objects[@]} "\${arguments[@]}" -lpthread -lm -lc -lgcc_s
COMMAND
    chmod +x "$folder/cc"
    echo "$folder/cc"
}

shim() {
    begin x86_64-unknown-freebsd "shim over Linux, kqueue emulated"
    need gcc binutils
    std_for full "$target"
    linker "$target" "$(linker_to_shim)"
    link aio
    link coro
    run env
}

for what in ${*:-shim link}; do
    case $what in
    shim) row shim ;;
    link | check) row without_a_run x86_64-unknown-freebsd x86_64-freebsd "$what" ;;
    *) say "shim, link or check, and not $what" && exit 2 ;;
    esac
done
exit "$result"
