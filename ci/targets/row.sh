# A row of the table: what was built, linked and run for one target. Sourced by the scripts that
# make rows; each row is made in a subshell, or is all that its script does.
# shellcheck shell=bash
# shellcheck source=ci/targets/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$here/../.."

# The longest that a program of tests may take, in seconds.
longest=${CORIO_LONGEST:-900}

# Makes a row in a subshell: one that fails does not keep the next from being made.
row() { # COMMAND...
    set +e
    (
        set -e
        "$@"
    )
    [ $? -eq 0 ] || result=1
    set -e
}
result=0

begin() { # TARGET RUNNER: however this ends, a line of the table is written
    target=$1 runner=$2
    built=no linked=no passed=0 failed=0 unsupported=0
    log=$kept/logs/$target-${runner//[^a-zA-Z0-9.]/-}
    rm -rf "$log"
    mkdir -p "$log"
    trap end EXIT
    printf '\n--- %s: %s\n' "$target" "$runner"
}

end() {
    local status=$? line
    line="$target | $built | $linked | $passed | $failed | $unsupported | $runner"
    printf '%s\n' "$line" | tee -a "${CORIO_TABLE:-/dev/null}"
    [ "$failed" -eq 0 ] || status=1
    exit "$status"
}

build() { # aio|coro: its library, tests and examples pass the compiler and its lints
    case $1 in
    aio) lint -p corio-aio --lib "${tests_of_aio[@]/#/--test=}" --examples ;;
    coro) lint -p corio --lib "${tests_of_coro[@]/#/--test=}" --examples ;;
    esac
    built=yes
}

lint() { # ARGUMENTS...
    cargo clippy --quiet --target "$target" "$@" -- "${lints[@]}"
}
lints=(-D warnings)

# Builds and links the tests of a package and keeps in `programs` where they are. Left out are those
# that look at the source and what the compiler says of it, which is the same for all targets. A row
# whose runner takes twenty times as long sets the lists to those that say most.
link() { # aio|coro
    local package=$1
    if [ -n "${CORIO_QUICK:-}" ]; then # what the compiler itself says is enough
        export RUSTFLAGS="-D warnings -A linker-messages"
    else
        build "$package"
    fi
    case $package in
    aio) executables test -p corio-aio --lib "${tests_of_aio[@]/#/--test=}" ;;
    coro)
        executables test -p corio --lib "${tests_of_coro[@]/#/--test=}"
        executables build -p corio --example coro
        ;;
    esac
    built=yes linked=yes
}
tests_of_aio=(conformance choice races soundness soundness_alone waits)
tests_of_coro=(allocations calls chaos chaos_runtime descriptors embedded futures handle in_flight
    naps pool regions runtime runtime_alone soundness sync sync_stress tasks)
if [ -n "${CORIO_QUICK:-}" ]; then # those that say most in little time
    tests_of_aio=(conformance soundness)
    tests_of_coro=(regions soundness sync tasks)
fi
programs=()

executables() { # test|build ARGUMENTS...: of the package that is linked
    local messages program command=("$1")
    messages=$(mktemp "$log/messages.XXXX")
    [ "$1" = build ] || command+=(--no-run)
    cargo "${command[@]}" --quiet --target "$target" \
        --message-format json-render-diagnostics "${@:2}" >"$messages"
    while read -r program; do
        programs+=("$program")
        names["$program"]=$package/$(without_hash "$program")
    done < <(sed -n 's/^{"reason":"compiler-artifact".*"executable":"\([^"]*\)".*/\1/p' "$messages")
    rm "$messages"
}
declare -A names

without_hash() { # PROGRAM: its name without what cargo adds, and the ending of the system
    local name=${1##*/}
    name=${name%.*}
    echo "${name%-*}"
}

# The tests of a program that can't hold on this row, which the table `unsupported` names.
left_out() { # PACKAGE/PROGRAM
    awk -F ' *\\| *' -v row="$target, $runner" -v program="$1" \
        '!/^#/ && row ~ $1 && $2 == program { print $3 }' "$here/unsupported"
}

arguments_of() { # PACKAGE/PROGRAM: one a line
    local test
    left_out "$1" | while read -r test; do
        printf '%s\n' --skip "$test"
    done
    [ -z "$(left_out "$1")" ] || echo --exact
}

# Runs the programs, each with the command before it, and counts.
run() { # COMMAND...
    local program arguments said=$log/said
    for program in "${programs[@]}"; do
        mapfile -t arguments < <(arguments_of "${names[$program]}")
        timeout --kill-after=10 "$longest" "$@" "$program" "${arguments[@]}" </dev/null \
            >"$said" 2>&1 && echo "=== ended with 0" >>"$said" || echo "=== ended with $?" >>"$said"
        count "${names[$program]}" "$said"
    done
}

count() { # NAME FILE: adds up what a program said
    local results p f u
    local said=$log/${1/\//-}
    mv "$2" "$said"
    if [ "$1" = coro/coro ]; then # the example
        results=$(diff <(sed '/^===/d' "$said") "$here/conversation" >/dev/null &&
            echo 1 0 0 || echo 0 1 0)
    else
        results=$(awk -v left_out="$(left_out "$1" | wc -l)" -f "$here/count.awk" "$said")
    fi
    read -r p f u <<<"$results"
    printf '%-24s %5d passed %5d failed %5d unsupported\n' "$1" "$p" "$f" "$u"
    [ "$f" -eq 0 ] || sed 's/^/    /' "$said"
    passed=$((passed + p)) failed=$((failed + f)) unsupported=$((unsupported + u))
}
