#!/bin/sh
# Checks that the output of deflate-chunks is the same on other CPUs: the digests of examples/digests.rs are made natively,
# under emulated x86-64 CPUs from one without SSE4 to one with AVX2, and on aarch64 where a cross target is installed.
# Usage: check-deflate-cpus.sh [CRATE_FOLDER]
# Needs qemu-user (apt install qemu-user); CPUs that cannot be run are listed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
crate=${1:-}
if [ -z "$crate" ]; then
    for candidate in "$here/../crates/deflate-chunks" "$here/../deflate-chunks"; do
        if [ -f "$candidate/Cargo.toml" ]; then crate=$candidate; fi
    done
fi
golden=$crate/tests/golden.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
compared=0

# check NAME COMMAND...: runs the command and compares what it prints with the golden digests.
check() {
    name=$1
    shift
    if ! "$@" > "$work/found"; then
        echo "FAILED   $name: the program did not run"
        failed=1
    elif cmp -s "$work/found" "$golden"; then
        echo "same     $name"
        compared=$((compared + 1))
    else
        echo "DIFFERS  $name"
        diff "$golden" "$work/found" || true
        failed=1
    fi
}

build() {
    cargo build --quiet --release --manifest-path "$crate/Cargo.toml" --target-dir "$work/target" --example digests "$@"
}

build
native=$work/target/release/examples/digests
check "native $(uname -m)" "$native"

if [ "$(uname -m)" != x86_64 ]; then
    echo "skipped  emulated x86-64 CPUs: this machine is no x86-64"
elif command -v qemu-x86_64 > "$work/which"; then
    for cpu in core2duo Nehalem Haswell; do
        # qemu warns about features that it cannot emulate; the program's own errors are in its exit code.
        check "qemu-x86_64 -cpu $cpu" qemu-x86_64 -cpu "$cpu" "$native" 2> "$work/warnings"
    done
else
    echo "skipped  emulated x86-64 CPUs: no qemu-x86_64"
    failed=1
fi

target=aarch64-unknown-linux-gnu
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "skipped  aarch64: the target $target is not installed (rustup target add $target)"
elif ! command -v qemu-aarch64 > "$work/which" || ! command -v aarch64-linux-gnu-gcc > "$work/which"; then
    echo "skipped  aarch64: no qemu-aarch64 or no aarch64-linux-gnu-gcc"
else
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc build --target "$target"
    check "qemu-aarch64" qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/target/$target/release/examples/digests"
fi

echo "$compared runs with the same digests"
exit "$failed"
