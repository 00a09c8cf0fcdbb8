#!/usr/bin/env bash
# x86_64-unknown-openbsd: linked; with `check`, compiled only.
# shellcheck source=ci/targets/zig.sh
. "$(dirname "$0")/zig.sh"

without_a_run x86_64-unknown-openbsd x86_64-openbsd "${1:-link}"
