#!/usr/bin/env bash
# Converts every archive of the shared corpus with every codec, to a folder and to a tar, and checks the results from
# outside: check_layout.py against expected.json, the JSON Schemas of image-spec, and the promise of equal bytes.
#
# usage: scripts/acceptance.sh [BINARY]        (default: target/release/ocify)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh

codecs=(keep gzip zstd none)

ocify=$(realpath -m "${1:-target/release/ocify}")
require "$ocify" python3 zstd jq cmp
require_shared

convert() { # INPUT OUTPUT OPTION...
    "$ocify" convert "$1" -o "$2" "${@:3}"
}
to_stdout() { # INPUT FILE OPTION...
    "$ocify" convert "$1" -o - "${@:3}" >"$2"
}
from_stdin() { # INPUT OUTPUT OPTION...
    "$ocify" convert - -o "$2" "${@:3}" <"$1"
}
same_index() { # FOLDER TAR
    tar -xOf "$2" index.json | cmp - "$1/index.json"
}
# Checks every promise for one input and one codec. Stops at the first failure, because the others would only repeat it.
convert_and_check() { # NAME CODEC
    local name=$1 codec=$2 input=$corpus/$1 out=$work/out
    local title="$name --compression $codec:" options=(--compression "$codec") wanted=()
    [ "$codec" = keep ] || wanted=(--codec "$codec")
    rm -rf "$out"
    mkdir "$out"

    check "$title folder" convert "$input" "$out/folder" "${options[@]}" || return
    check "$title tar" convert "$input" "$out/image.tar" "${options[@]}" || return
    local output
    for output in "$out/folder" "$out/image.tar"; do
        check "$title check_layout ${output##*/}" python3 "$check_layout" "$output" "$expected" "$name" "${wanted[@]}" || return
    done
    check "$title schemas" scripts/validate_schemas.py "$shared/fixtures/image-spec" "$out/folder" "$out/image.tar" || return
    check "$title folder and tar hold the same index" same_index "$out/folder" "$out/image.tar" || return

    check "$title folder again" convert "$input" "$out/folder2" "${options[@]}" || return
    check "$title two folders are equal" diff -r "$out/folder" "$out/folder2" || return
    check "$title converted into itself" convert "$input" "$out/folder2" "${options[@]}" || return
    check "$title a layout that has it already stays as it is" diff -r "$out/folder" "$out/folder2" || return
    local threads
    for threads in 1 4; do
        check "$title $threads threads" convert "$input" "$out/$threads.tar" "${options[@]}" --threads "$threads" || return
        check "$title $threads threads give the same tar" cmp "$out/image.tar" "$out/$threads.tar" || return
    done
    check "$title to stdout" to_stdout "$input" "$out/stdout.tar" "${options[@]}" || return
    check "$title stdout is the same tar" cmp "$out/image.tar" "$out/stdout.tar" || return
    if [ -f "$input" ]; then
        check "$title from stdin" from_stdin "$input" "$out/stdin.tar" "${options[@]}" || return
        check "$title stdin gives the same tar" cmp "$out/image.tar" "$out/stdin.tar" || return
    fi
}

mapfile -t names < <(jq -r 'keys[]' "$expected")
for name in "${names[@]}"; do
    for codec in "${codecs[@]}"; do
        convert_and_check "$name" "$codec" || true
    done
done
summary
