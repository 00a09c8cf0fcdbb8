#!/usr/bin/env bash
# x86_64-unknown-netbsd: linked; with `check`, compiled only.
# shellcheck source=ci/targets/zig.sh
. "$(dirname "$0")/zig.sh"

without_a_run x86_64-unknown-netbsd x86_64-netbsd "${1:-link}"
