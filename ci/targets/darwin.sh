#!/usr/bin/env bash
# Darwin, on both of its processors: linked, tests too; with `check`, compiled only.
# shellcheck source=ci/targets/zig.sh
. "$(dirname "$0")/zig.sh"

row without_a_run x86_64-apple-darwin x86_64-macos "${1:-link}"
row without_a_run aarch64-apple-darwin aarch64-macos "${1:-link}"
exit "$result"
