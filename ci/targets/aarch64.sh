#!/usr/bin/env bash
# aarch64-unknown-linux-gnu: by user-mode emulation, which has no io_uring (`emulated`), and in a
# virtual machine with an arm64 kernel, which has it (`machine`); both, if neither is named.
# shellcheck source=ci/targets/machine.sh
. "$(dirname "$0")/machine.sh"

target=aarch64-unknown-linux-gnu
suite=trixie

prepare() {
    need gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    std_for full "$target"
    linker "$target" aarch64-linux-gnu-gcc
    link aio
    link coro
}

emulated() {
    begin "$target" "qemu's user mode"
    prepare
    run env CORIO_ROUNDS=1000 "$here/emulated" "$(emulator)"
}

# Prints where the emulator is. It is a newer one than that of older Debians, which keeps books of
# each page of the addresses that a scheduler reserves.
emulator() {
    local unpacked
    if [ ! -e "$kept/qemu-aarch64" ]; then
        unpacked=$(mktemp -d "$kept/qemu.XXXX")
        unpack "$suite" "$(dpkg --print-architecture)" qemu-user "$unpacked"
        mv "$unpacked/usr/bin/qemu-aarch64" "$kept/"
        rm -r "$unpacked"
    fi
    echo "$kept/qemu-aarch64"
}

machine() {
    local folder=/usr/aarch64-linux-gnu/lib kernel system
    begin "$target" "virtual machine, Debian $suite's kernel"
    need qemu-system-arm cpio
    few_tests
    prepare
    kernel=$(kernel_of "$suite" arm64)
    system=$(system_of arm64 "$folder"/{ld-linux-aarch64.so.1,libc.so.6,libgcc_s.so.1,libm.so.6})
    run_in_machine "$system" "$kernel" aarch64-linux-gnu-strip \
        qemu-system-aarch64 -M virt -cpu cortex-a72 \
        -append "console=ttyAMA0 quiet loglevel=3 panic=-1"
}

for what in ${*:-emulated machine}; do
    row "$what"
done
exit "$result"
