#!/usr/bin/env bash
# x86_64-unknown-linux-musl: static programs, which run here.
# shellcheck source=ci/targets/row.sh
. "$(dirname "$0")/row.sh"

# What the compiler's own distribution for this target has beside the standard library: musl's
# startup files and library, and an unwinder. That is LLVM's: gcc's asks glibc for its tables.
startup_files() {
    local folder=$toolchain/lib/rustlib/$target/lib/self-contained file unpacked
    [ ! -e "$folder/is-whole" ] || return 0
    mkdir -p "$folder"
    cp /usr/lib/x86_64-linux-musl/{crt1.o,Scrt1.o,rcrt1.o,crti.o,crtn.o,libc.a} "$folder/"
    for file in crtbegin.o crtbeginS.o crtend.o crtendS.o; do
        cp "$(gcc -print-file-name=$file)" "$folder/"
    done
    unpacked=$(mktemp -d "$kept/unwinder.XXXX")
    unpack bookworm amd64 libunwind-16-dev "$unpacked"
    cp "$unpacked"/usr/lib/llvm-16/lib/libunwind.a "$folder/"
    # It was compiled for glibc, and asks for one function that musl does not have.
    cat >"$unpacked/checked.c" <<'C'
#include <stdarg.h>
#include <stdio.h>
int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(file, format, arguments);
    va_end(arguments);
    (void)flag;
    return written;
}
C
    musl-gcc -O2 -fPIC -fno-stack-protector -c "$unpacked/checked.c" -o "$unpacked/checked.o"
    ar r "$folder/libunwind.a" "$unpacked/checked.o" 2>/dev/null
    rm -r "$unpacked"
    touch "$folder/is-whole"
}

begin x86_64-unknown-linux-musl "this machine"
need musl-tools gcc
std_for full "$target"
startup_files
link aio
link coro
run env
