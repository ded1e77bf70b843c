#!/usr/bin/env bash
# Compares ocify's conversions between formats with skopeo's, byte for byte, and lets skopeo, docker and podman read what ocify
# writes with --to docker-archive and --to dir; Docker also with its loader for archives from before 1.10. Needs root, for the
# daemons that it starts with folders and sockets of their own and stops at its end. No step uses a network.
#
# usage: scripts/conversions.sh [--short] [BINARY]     (default: target/release/ocify; --short lets engines load some of the
#                                                       archives only, and compares with skopeo all the same)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh
. scripts/engines.sh

short=false
[ "${1:-}" != --short ] || { short=true; shift; }
ocify=$(realpath -m "${1:-target/release/ocify}")
require "$ocify" skopeo docker dockerd podman containerd busybox python3 jq cmp
require_shared

daemons_work=true
unshare --mount true 2>/dev/null || {
    daemons_work=false
    echo "left out: docker, since unshare --mount is not allowed here"
}

convert() { # INPUT OUTPUT OPTION...
    rm -rf "$2"
    "$ocify" convert "$1" -o "$2" --quiet --no-fsync "${@:3}"
}
skopeo_copy() { # SOURCE DESTINATION OPTION...
    rm -rf "${2#*:}"
    skopeo --insecure-policy copy --quiet "${@:3}" "$1" "$2"
}
# What the signatures of a schema 1 manifest are about.
payload() {
    python3 - "$1" <<'PYTHON'
import base64, json, sys
def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
file = open(sys.argv[1], "rb").read()
protected = json.loads(decode(json.loads(file)["signatures"][0]["protected"]))
sys.stdout.buffer.write(file[:protected["formatLength"]] + decode(protected["formatTail"]))
PYTHON
}
same_manifest() { # FOLDER FOLDER
    cmp "$1/manifest.json" "$2/manifest.json"
}
same_payload() { # FOLDER FOLDER
    payload "$1/manifest.json" >"$work/one" && payload "$2/manifest.json" >"$work/two" && cmp "$work/one" "$work/two"
}
same_names() { # FOLDER FOLDER
    diff <(ls "$1") <(ls "$2")
}

# From an OCI folder that ocify made of an image, skopeo and ocify must make the same schema 2 and schema 1 manifests. Many
# inputs have the same image: it is compared once.
declare -A compared
compare_with_skopeo() { # TITLE INPUT OPTION...
    local title=$1 format digest
    check "$title: OCI" convert "$2" "$work/oci" --to dir "${@:3}" || return 0
    digest=$(sha256sum <"$work/oci/manifest.json")
    [ -z "${compared[$digest]:-}" ] || return 0
    compared[$digest]=yes
    check "$title: skopeo copies it" skopeo_copy "dir:$work/oci" "dir:$work/copy" || return 0
    check "$title: it stays as it is" same_manifest "$work/oci" "$work/copy" || return 0
    for format in v2s2 v2s1; do
        check "$title: $format" convert "$work/oci" "$work/$format" --to dir --format "$format" || return 0
    done
    # zstd, which skopeo refuses, is gzip now.
    check "$title: gzip" convert "$work/v2s2" "$work/gzip" --to dir || return 0
    for format in v2s2 v2s1; do
        check "$title: $format by skopeo" skopeo_copy "dir:$work/gzip" "dir:$work/skopeo-$format" --format "$format" || return 0
        check "$title: $format has skopeo's files" same_names "$work/$format" "$work/skopeo-$format" || return 0
    done
    check "$title: v2s2 is skopeo's" same_manifest "$work/v2s2" "$work/skopeo-v2s2" || return 0
    check "$title: v2s1 has skopeo's payload" same_payload "$work/v2s1" "$work/skopeo-v2s1" || return 0
    check "$title: skopeo reads schema 1" skopeo_copy "dir:$work/v2s1" "dir:$work/copy" || return 0
    check "$title: schema 1 stays as it is" same_manifest "$work/v2s1" "$work/copy" || return 0
}

same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] && return
    printf '%s: expected %s, found %s\n' "$@"
    return 1
}
expected_diff_ids() { # NAME IMAGE_ID
    jq -ec --arg name "$1" --arg id "$2" '.[$name].images | map(select(.image_id == $id))[0].diff_ids' "$expected"
}
has_image() { # ENGINE REFERENCE DIFF_IDS
    local found
    found=$("$1" image inspect --format '{{json .RootFS.Layers}}' "$2") || return
    same "diff_ids of $2" "$3" "$found"
}
empty_stores() {
    local image
    podman rmi --all --force
    $daemons_work || return 0
    for image in $(docker image ls -aq --no-trunc | sort -u); do docker image rm --force "$image"; done
}

# Makes of an archive one from before manifest.json.
without_manifest() { # ARCHIVE
    rm -rf "$work/unpacked"
    mkdir "$work/unpacked"
    tar -C "$work/unpacked" -xf "$1" && rm "$work/unpacked/manifest.json" && tar -C "$work/unpacked" -cf "$1" .
}
# Every engine must find the images of a docker-archive under their IDs and names; Docker's loader for archives from before
# 1.10, which sees no manifest.json, under their names, with the same layers.
load_archive() { # NAME OPTION...
    local name=$1 archive=$work/archive.tar id tag image=0 engines=(podman) engine diff_ids
    ! $daemons_work || engines+=(docker)
    check "$name: docker-archive" convert "$corpus/$name" "$archive" --to docker-archive "${@:2}" || return 0
    tar -xOf "$archive" manifest.json >"$work/manifest.json"
    for engine in "${engines[@]}"; do
        check "$name: $engine load" "$engine" load --input "$archive" || return 0
    done
    for id in $(jq -r '.[].Config | split(".")[0]' "$work/manifest.json"); do
        diff_ids=$(expected_diff_ids "$name" "sha256:$id") || diff_ids=unexpected
        for engine in "${engines[@]}"; do
            check "$name: $engine has $id" has_image "$engine" "$id" "$diff_ids" || true
            for tag in $(jq -r --argjson image "$image" '.[$image].RepoTags // [] | .[]' "$work/manifest.json"); do
                check "$name: $engine has $tag" has_image "$engine" "$tag" "$diff_ids" || true
            done
        done
        check "$name: skopeo reads @$image" skopeo_copy "docker-archive:$archive:@$image" "dir:$work/copy" || return 0
        check "$name: skopeo has $id" same "image ID" "sha256:$id" "$(jq -r .config.digest "$work/copy/manifest.json")" || true
        image=$((image + 1))
    done
    # podman fails where it has nothing to remove.
    empty_stores >/dev/null 2>&1 || true

    $daemons_work || return 0
    tar -tf "$archive" | grep -qx repositories || return 0
    check "$name: without manifest.json" without_manifest "$archive" || return 0
    check "$name: docker load, legacy" docker load --input "$archive" || return 0
    image=0
    for id in $(jq -r '.[].Config | split(".")[0]' "$work/manifest.json"); do
        diff_ids=$(expected_diff_ids "$name" "sha256:$id") || diff_ids=unexpected
        for tag in $(jq -r --argjson image "$image" '.[$image].RepoTags // [] | .[]' "$work/manifest.json"); do
            check "$name: docker has $tag, legacy" has_image docker "$tag" "$diff_ids" || true
        done
        image=$((image + 1))
    done
    # podman fails where it has nothing to remove.
    empty_stores >/dev/null 2>&1 || true
}

# An image from a docker-archive runs, also without manifest.json.
loaded_runs() {
    save_runnable "$work/runs.tar" || return
    convert "$work/runs.tar" "$work/archive.tar" --to docker-archive || return
    docker load --input "$work/archive.tar" && it_runs app/runs:1 && it_runs app/runs:2 || return
    docker image rm app/runs:1 app/runs:2
    without_manifest "$work/archive.tar" && docker load --input "$work/archive.tar" && it_runs app/runs:2 || return
    docker image rm app/runs:1 app/runs:2
}
# is_loaded INPUT: whether engines load its images.
is_loaded() {
    ! $short && return
    case $1 in docker-20.10.tar | docker-legacy-v1-1.7.1.tar | oci-zstd) return 0 ;; *) return 1 ;; esac
}

if $daemons_work; then
    start_containerd
    start_dockerd
    check "docker runs what it loads" loaded_runs || true
fi
# What skopeo made of schema 1 images, where it kept their blobs.
recorded() { # NAME DIGEST OPTION...
    local found
    convert "$corpus/$1" "$work/recorded" --to dir --format v2s2 "${@:3}" || return
    found=$(sha256sum <"$work/recorded/manifest.json") || return
    same digest "$2" "sha256:${found%% *}"
}
while read -r name digest; do
    options=()
    [[ $name != *uncompressed* ]] || options=(--compression none)
    check "$name: schema 2 by skopeo" recorded "$name" "$digest" "${options[@]}" || true
done < <(jq -r 'to_entries[] | .key as $name | .value.images[] | .v2s2_manifest_digest_by_skopeo // empty | "\($name) \(.)"' "$expected")
mapfile -t inputs < <(jq -r 'keys[]' "$expected")
for name in "${inputs[@]}"; do
    mapfile -t platforms < <(jq -r --arg name "$name" '.[$name].images | map(.platform) | unique | .[]' "$expected")
    for platform in "${platforms[@]}"; do
        count=$("$ocify" inspect --json "$corpus/$name" | jq '.images | length')
        for ((number = 0; number < count; number++)); do
            compare_with_skopeo "$name @$number $platform" "$corpus/$name" --image "@$number" --platform "$platform"
        done
    done
    ! is_loaded "$name" || load_archive "$name" --platform "${platforms[0]}"
done
# A manifest list is skopeo's, too.
check "manifest list by skopeo" skopeo_copy "dir:$corpus/dir-manifest-list" "dir:$work/skopeo" --all --format v2s2 || true
for name in oci-multi-platform dir-manifest-list; do
    check "$name: manifest list" convert "$corpus/$name" "$work/list" --to dir --format v2s2 || continue
    check "$name: it is skopeo's" same_manifest "$work/list" "$work/skopeo" || true
    check "$name: skopeo copies it" skopeo_copy "dir:$work/list" "dir:$work/copy" --all || continue
    check "$name: it stays as it is" same_manifest "$work/list" "$work/copy" || true
done
summary
