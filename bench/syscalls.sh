#!/usr/bin/env bash
# Counts the system calls of the conversation example, less those of an empty program.
#
# Both are linked statically, so that no loader is counted. Needs strace.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v strace >/dev/null || { apt-get update -qq && apt-get install -qqy strace; }

export RUSTFLAGS="-C target-feature=+crt-static"
target=x86_64-unknown-linux-gnu
cargo build --quiet --release --package corio --example coro --target "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Both lie in one folder: a start reads the list of mappings, which names the program's path, and
# a longer path takes one more read.
cp "target/$target/release/examples/coro" "$work/coro-talk"
echo 'fn main() {}' | rustc -O $RUSTFLAGS --crate-name empty -o "$work/empty-main" -

count() { # NAME COMMAND...: prints the table, and keeps it as lines of "calls name"
    local name=$1
    shift
    strace -c -f -o "$work/$name.table" "$@"
    echo "== $name"
    cat "$work/$name.table"
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $4, $NF }' "$work/$name.table" >"$work/$name"
}
count empty "$work/empty-main"
count coro "$work/coro-talk" --quiet

echo "== coro less empty"
awk 'NR == FNR { base[$2] = $1; next } { more = $1 - base[$2]; if (more) print more, $2; sum += more }
     { delete base[$2] } END { for (name in base) { print -base[name], name; sum -= base[name] }
     print sum, "in all" }' "$work/empty" "$work/coro" | tee "$work/difference"

# The limits: one turn of the scheduler is one call, and setting up costs little. Three calls watch
# for stacks that overflow, and two are for their arena: it is reserved whole and then committed.
check() { # NAME MOST
    local calls
    calls=$(awk -v name="$1" '{ key = $2; for (i = 3; i <= NF; i++) key = key " " $i }
        key == name { print $1 }' "$work/difference")
    [ "${calls:-0}" -le "$2" ] || { echo "too many calls: $1: $calls, at most $2"; exit 1; }
}
check io_uring_enter 5
check io_uring_setup 1
check "in all" 25
