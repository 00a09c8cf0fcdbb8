#!/usr/bin/env bash
# All systems of the README's table: each is built, linked and run, as far as that can be here, and
# the last lines say how that went. With --quick, those that take minutes only, with the tests that
# say most, and the others are compiled; or the scripts that are named, with their arguments: all.sh
# musl "aarch64 emulated". What is not run is made beside the others, on another processor.
#
# A row that can't be made has failed.
set -uo pipefail
cd "$(dirname "$0")"
exec </dev/null

beside=()
case ${1:-} in
'')
    rows=(musl windows freebsd wasi aarch64 kernels)
    beside=(netbsd openbsd darwin)
    ;;
--quick)
    export CORIO_QUICK=yes
    rows=(musl "aarch64 emulated" "windows in_windows" "freebsd shim check" wasi)
    beside=("windows on_aarch64" "netbsd check" "openbsd check" "darwin check")
    ;;
*) rows=("$@") ;;
esac

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

make_rows() { # NAME ROW...: what there is to say at the end is left in files of this name
    local name=$1 row command start
    export CORIO_TABLE=$work/table.$name
    for row in "${@:2}"; do
        read -ra command <<<"$row"
        start=$SECONDS
        "./${command[0]}.sh" "${command[@]:1}" || echo "FAILED: $row" >>"$work/failed.$name"
        printf '%5d s  %s\n' $((SECONDS - start)) "$row" >>"$work/took.$name"
    done
}

if [ ${#beside[@]} -gt 0 ]; then
    # What both need is there before they begin, and each builds in a folder of its own.
    folder=$(. ./common.sh && use_toolchain && target_directory) || exit 1
    CARGO_TARGET_DIR=$folder/beside make_rows beside "${beside[@]}" >"$work/said" 2>&1 &
fi
make_rows first "${rows[@]}"
wait
cat "$work"/said "$work"/took.* 2>/dev/null

printf '\n%s\n' 'Left out, beside what the conformance suite names (row | program | test | why):'
grep -v '^#' unsupported
cat "$work"/failed.* 2>/dev/null && result=1 || result=0
printf '\n%s\n' 'target | built | linked | passed | failed | unsupported | runner'
cat "$work"/table.first "$work"/table.beside 2>/dev/null
exit "$result"
