#!/usr/bin/env bash
# Other kernels than this machine's, in virtual machines: 5.10, which is too old for io_uring, 6.1
# and 6.12; or those of the suites that are named.
# shellcheck source=ci/targets/machine.sh
. "$(dirname "$0")/machine.sh"

target=$host

on() { # SUITE
    local kernel system
    begin "$target" "virtual machine, Debian $1's kernel"
    need qemu-system-x86 cpio
    few_tests
    link aio
    link coro
    kernel=$(kernel_of "$1" amd64)
    system=$(system_of amd64 /lib64/ld-linux-x86-64.so.2 \
        /lib/x86_64-linux-gnu/{libc.so.6,libgcc_s.so.1,libm.so.6})
    run_in_machine "$system" "$kernel" strip qemu-system-x86_64 -M q35 -cpu max \
        -append "console=ttyS0 quiet loglevel=3 panic=-1"
}

for suite in ${*:-bullseye bookworm trixie}; do
    row on "$suite"
done
exit "$result"
