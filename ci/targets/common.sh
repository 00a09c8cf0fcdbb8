# What the scripts of this folder and `.ci/sanitizers` share; it is sourced.
#
# All that they fetch or build for other systems is kept in one folder, $kept, so that a second run
# takes seconds. It comes by ordinary clients (apt-get, pip, cargo); the machine's own lists of
# packages and toolchains are left alone, and no privilege is asked for but to install packages.
# shellcheck shell=bash

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
release=$(rustc -vV | sed -n 's/^release: //p')
host=$(rustc -vV | sed -n 's/^host: //p')
kept=${CORIO_TARGETS:-${XDG_CACHE_HOME:-$HOME/.cache}/corio-targets}
mkdir -p "$kept"

say() { # WORDS: beside what is printed as a result
    printf '%s\n' "$*" >&2
}

# --- Debian's packages

know_packages() { # the machine's own list, if it has none yet
    [ -n "$(apt-cache pkgnames 2>/dev/null | head -n 1)" ] &&
        find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' | grep -q . ||
        apt-get update -qq >&2
}

need() { # PACKAGE...: of the machine's own release
    local missing=() package
    for package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -qx 'install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    know_packages
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" \
        </dev/null >"$kept/install.log" 2>&1 || { cat "$kept/install.log" >&2 && return 1; }
}

debian() { # SUITE ARCHITECTURE COMMAND...: apt, with lists in a folder of their own
    local own=$kept/apt/$1-$2 mirror
    local options=(-q -o "Dir::Etc::sourcelist=$own/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State=$own/state" -o "Dir::State::status=$own/status" -o "Dir::Cache=$own/cache"
        -o "APT::Sandbox::User=$(id -un)" -o "APT::Architecture=$2" -o "APT::Architectures=$2"
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    if [ ! -e "$own/is-listed" ]; then
        mkdir -p "$own"/state/lists/partial "$own"/cache/archives/partial
        : >"$own/status"
        know_packages
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
            grep -m1 '/debian/*$')
        printf 'deb [signed-by=%s] %s %s main\n' \
            /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$1" >"$own/sources.list"
        apt-get "${options[@]}" update >&2
        touch "$own/is-listed"
    fi
    "$3" "${options[@]}" "${@:4}"
}

unpack() { # SUITE ARCHITECTURE PACKAGE[=VERSION] FOLDER
    local packages
    packages=$(mktemp -d "$kept/package.XXXX")
    (cd "$packages" && debian "$1" "$2" apt-get download -q "$3" >&2)
    mkdir -p "$4"
    dpkg-deb -x "$packages"/*.deb "$4"
    rm -r "$packages"
}

# --- The compiler, and its standard library for another system

# Prints where the source of the compiler's own standard library is: the toolchain's, or else that
# in Debian's package of the same release, from whichever of Debian's suites has it.
source_of_std() {
    local library suite version unpacked
    library=$(rustc --print sysroot)/lib/rustlib/src/rust/library
    [ ! -e "$library" ] || { echo "$library" && return 0; }
    library=$kept/rust-$release/library
    [ ! -e "$library" ] || { echo "$library" && return 0; }
    for suite in trixie-backports trixie forky sid experimental; do
        version=$(debian "$suite" amd64 apt-cache madison rust-src | awk '{ print $3 }' |
            grep -m1 "^${release//./\\.}") || continue
        unpacked=$(mktemp -d "$kept/source.XXXX")
        unpack "$suite" amd64 "rust-src=$version" "$unpacked"
        mkdir -p "${library%/*}"
        mv "$unpacked"/usr/src/rustc-*/library "$library"
        rm -r "$unpacked"
        echo "$library"
        return 0
    done
    say "Debian has no source of Rust $release: rustup component add rust-src"
    return 1
}

# From here on, cargo and rustc are those of a copy of the toolchain, to which standard libraries
# of other systems are added, which a package of no contents has built: $standard. Most of the copy
# are hard links: it takes next to no room.
use_toolchain() {
    local source
    toolchain=$kept/rust-$release/toolchain standard=$kept/rust-$release/std
    if [ ! -e "$toolchain/is-whole" ]; then
        source=$(source_of_std)
        rm -rf "$toolchain"
        mkdir -p "$toolchain"
        cp -al "$(rustc --print sysroot)/." "$toolchain/" 2>/dev/null ||
            cp -a "$(rustc --print sysroot)/." "$toolchain/"
        mkdir -p "$toolchain/lib/rustlib/src/rust"
        [ -e "$toolchain/lib/rustlib/src/rust/library" ] ||
            cp -al "$source" "$toolchain/lib/rustlib/src/rust/library" 2>/dev/null ||
            cp -a "$source" "$toolchain/lib/rustlib/src/rust/library"
        touch "$toolchain/is-whole"
    fi
    if [ ! -e "$standard/src/lib.rs" ]; then
        mkdir -p "$standard/src"
        printf '[package]\nname = "of-all"\nedition = "2024"\n[workspace]\n' >"$standard/Cargo.toml"
        : >"$standard/src/lib.rs"
    fi
    # rustup's cargo obeys the variable, and where there is no rustup the path does it.
    export RUSTUP_TOOLCHAIN=$toolchain PATH=$toolchain/bin:$PATH
}

# Builds the standard library for a target, once, and puts it where the compiler looks for it: from
# then on an ordinary `cargo build --target` does. For `check`, what clippy needs is enough; `full`
# can be linked, too.
std_for() { # check|full TARGET
    local built library command profile
    use_toolchain
    built=$standard/target-$1
    library=$toolchain/lib/rustlib/$2/lib
    [ ! -e "$library/is-full" ] || return 0
    [ "$1" = full ] || [ ! -e "$library/is-check" ] || return 0
    say "building the standard library for $2 ($1)"
    case $1 in
    full) command=(build --release) profile=release ;;
    check) command=(check) profile=debug ;;
    esac
    mkdir -p "$library"
    (cd "$standard" && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
        RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$built" \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0 \
        cargo --quiet "${command[@]}" \
        -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test --target "$2")
    rm -f "$library"/*.rlib "$library"/*.rmeta
    case $1 in
    full) cp "$built/$2/$profile"/deps/*.rlib "$library/" ;;
    check) cp "$built/$2/$profile"/deps/*.rmeta "$library/" ;;
    esac
    rm -f "$library"/libof_all-*
    rm -r "$built/$2"
    touch "$library/is-$1"
    # Cargo does not notice that what was built before does not fit any more.
    rm -rf "$(target_directory)/$2"
}

target_directory() { # where cargo builds this workspace
    (cd "$here" && cargo metadata --no-deps --format-version 1) |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

linker() { # TARGET COMMAND: links programs for it
    local name=${1//-/_}
    export "CARGO_TARGET_${name^^}_LINKER=$2"
}

python_package() { # NAME: into an environment of our own; prints the folder of its packages
    (
        flock 9
        [ -x "$kept/python/bin/python" ] || python3 -m venv "$kept/python" >&2
        [ -e "$kept/python/has-$1" ] || "$kept/python/bin/pip" install -q "$1" >&2
        touch "$kept/python/has-$1"
    ) 9>"$kept/python.lock"
    echo "$kept"/python/lib/python3*/site-packages
}
