#!/bin/sh
# Compares deflate-chunks with zlib-rs, zlib-ng and libdeflate: MB/s and sizes of all levels on one core, side by side.
# Usage: bench-gzip.sh [CORPUS_FOLDER] [--megabytes N] [--rounds N] [--svg FILE]
# Each file of the folder is a kind of data. Without a folder, one is made from Debian packages (make-gzip-corpus.sh).
# Needs a C compiler and CMake, for zlib-ng and libdeflate.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
crate=
for candidate in "$here/../crates/deflate-chunks" "$here/../deflate-chunks"; do
    if [ -f "$candidate/Cargo.toml" ]; then crate=$candidate; fi
done
: "${crate:?no crate deflate-chunks beside the scripts}"

corpus=
case "${1:-}" in
    '' | --*) ;;
    *)
        corpus=$1
        shift
        ;;
esac
if [ -z "$corpus" ]; then
    corpus=$(mktemp -d)
    trap 'rm -rf "$corpus"' EXIT
    sh "$here/make-gzip-corpus.sh" "$corpus" >&2
fi

cargo build --quiet --release --manifest-path "$crate/compare/Cargo.toml"
# On one core, so that the scheduler does not move it. Without taskset, the program is still single-threaded.
if command -v taskset > /dev/null; then
    taskset -c 0 "$crate/compare/target/release/compare" "$corpus" "$@"
else
    "$crate/compare/target/release/compare" "$corpus" "$@"
fi
