#!/usr/bin/env bash
# All systems of the README's table: each is built, linked and run, as far as that can be here, and
# the last lines say how that went. With --quick, those that take minutes only, with the tests that
# say most, and the others are compiled; or the scripts that are named, with their arguments:
# all.sh musl "aarch64 emulated".
#
# A row that can't be made has failed.
set -uo pipefail
cd "$(dirname "$0")"
exec </dev/null

whole=(musl aarch64 kernels windows freebsd netbsd openbsd darwin wasi)
quick=(musl "aarch64 emulated" windows "freebsd shim check" "netbsd check" "openbsd check"
    "darwin check" wasi)
case ${1:-} in
'') rows=("${whole[@]}") ;;
--quick) rows=("${quick[@]}") && export CORIO_QUICK=yes ;;
*) rows=("$@") ;;
esac

CORIO_TABLE=$(mktemp)
export CORIO_TABLE
trap 'rm "$CORIO_TABLE"' EXIT
failed=()
took=()
for row in "${rows[@]}"; do
    read -ra command <<<"$row"
    start=$SECONDS
    "./${command[0]}.sh" "${command[@]:1}" || failed+=("$row")
    took+=("$(printf '%5d s  %s' $((SECONDS - start)) "$row")")
done

printf '\n'
printf '%s\n' "${took[@]}"
printf '\n%s\n' 'Left out, beside what the conformance suite names (row | program | test | why):'
grep -v '^#' unsupported
[ ${#failed[@]} -eq 0 ] || printf '\nFAILED: %s\n' "${failed[@]}"
printf '\n%s\n' 'target | built | linked | passed | failed | unsupported | runner'
cat "$CORIO_TABLE"
[ ${#failed[@]} -eq 0 ]
