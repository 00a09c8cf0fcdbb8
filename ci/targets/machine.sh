# Virtual machines on kernels of Debian's, emulated as a whole: what a kernel can do is what it does
# there. Sourced by the scripts of rows that need one.
# shellcheck shell=bash
# shellcheck source=ci/targets/row.sh
. "$(dirname "${BASH_SOURCE[0]}")/row.sh"

# The longest that a machine may run, in seconds.
longest_of_all=${CORIO_LONGEST_OF_ALL:-3000}

# What is about many operations or threads would take hours in a machine, and what is not optimised
# takes twice as long as what is.
few_tests() {
    export CARGO_PROFILE_DEV_OPT_LEVEL=1
    tests_of_aio=(conformance choice waits)
    tests_of_coro=(soundness tasks)
}

kernel_of() { # SUITE ARCHITECTURE: prints where that suite's kernel is
    local image=$kept/machines/$2/kernel-$1 meta package unpacked
    if [ ! -e "$image" ]; then
        meta=linux-image-cloud-$2
        package=$(debian "$1" "$2" apt-cache depends "$meta" |
            awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { last = $2 } END { print last }')
        # Newer suites keep the kernel itself in a package of another name.
        ! debian "$1" "$2" apt-cache show "${package/image/binary}" >/dev/null 2>&1 ||
            package=${package/image/binary}
        unpacked=$(mktemp -d "$kept/kernel.XXXX")
        unpack "$1" "$2" "$package" "$unpacked"
        mkdir -p "${image%/*}"
        cp "$(find "$unpacked/boot" -name 'vmlinuz*' -type f)" "$image"
        rm -r "$unpacked"
    fi
    echo "$image"
}

# Prints where the files are that a machine starts with: a shell, and the libraries that programs
# of this target load.
system_of() { # ARCHITECTURE LIBRARY...
    local folder=$kept/machines/$1 architecture=$1 root
    root=$folder/root
    shift
    if [ ! -e "$folder/root.cpio" ]; then
        rm -rf "$root"
        mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc,programs}
        unpack bookworm "$architecture" busybox-static "$folder/busybox"
        cp "$folder"/busybox/bin/busybox "$root/bin/"
        rm -r "$folder/busybox"
        for library; do
            mkdir -p "$root$(placed "$library")"
            cp -L "$library" "$root$(placed "$library")/"
        done
        archive "$root" >"$folder/root.cpio"
    fi
    echo "$folder/root.cpio"
}

placed() { # LIBRARY: the folder that it is looked for in
    case $1 in
    /usr/aarch64-linux-gnu/*) echo /lib ;;
    *) dirname "$1" ;;
    esac
}

archive() { # FOLDER: as a kernel unpacks it
    (cd "$1" && find . | cpio --quiet --create --format newc)
}

# Runs the programs, one after the other, in one machine, and counts.
run_in_machine() { # SYSTEM KERNEL STRIP COMMAND...
    local system=$1 kernel=$2 strip=$3 folder=$log/machine program name
    shift 3
    mkdir -p "$folder/programs"
    cp "$here/machine.init" "$folder/init"
    # Some tests know from the compiler where they may leave files.
    echo "$(target_directory)/$target/tmp" >"$folder/programs/folder"
    for program in "${programs[@]}"; do
        name=${names[$program]/\//-}
        "$strip" -o "$folder/programs/$name" "$program"
        arguments_of "${names[$program]}" >"$folder/programs/$name.arguments"
    done
    { cat "$system" && archive "$folder"; } >"$log/machine.cpio"
    rm -r "$folder"
    timeout --kill-after=10 "$longest_of_all" "$@" -smp 2 -m 8192 -nographic -no-reboot -nic none \
        -kernel "$kernel" -initrd "$log/machine.cpio" </dev/null 2>&1 |
        sed -u 's/\r$//' >"$log/console" || say "the machine was stopped"
    rm "$log/machine.cpio"
    grep -a '^=== kernel' "$log/console" || tail -n 20 "$log/console"
    for program in "${programs[@]}"; do
        name=${names[$program]}
        sed -n "/^=== ${name/\//-} starts\$/,/^=== ended with/p" "$log/console" >"$log/said"
        count "$name" "$log/said"
    done
}
