#!/usr/bin/env bash
# Lets other programs read what ocify writes: skopeo by its three archive transports, umoci, docker, podman, containerd.
# Image IDs and diff_ids that they report must be those of the corpus's expected.json. Needs root, for the daemons that
# it starts with folders and sockets of their own and stops at its end. No step uses a network.
#
# usage: scripts/peers.sh [BINARY]             (default: target/release/ocify)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh
. scripts/engines.sh

codecs=(keep gzip zstd none)
# Inputs that are converted with every codec; all others only with gzip.
every_codec=(docker-20.10.tar docker-29-containerd-gzip.tar crane-tarball.tar)
readers=("skopeo oci:" "skopeo oci-archive:" "skopeo docker-archive:" "umoci unpack" "docker load" "docker load, by skopeo"
    "podman load" "ctr image import")

ocify=$(realpath -m "${1:-target/release/ocify}")
require "$ocify" skopeo umoci docker dockerd podman containerd ctr python3 zstd jq
require_shared

# The daemons unpack layers in mount namespaces of their own, which root in a container may not be allowed to create.
daemons_work=true
unshare --mount true 2>/dev/null || {
    daemons_work=false
    echo "left out: docker and ctr, since unshare --mount is not allowed here"
}
# Debian 12's docker 20.10 and umoci 0.4.7 cannot read zstd layers: docker learned it in 23.0 (moby/moby#41759). Its
# skopeo 1.9, podman 4.3 and containerd 1.6 can, but skopeo 1.9 refuses to turn an OCI manifest with zstd layers into a
# Docker one, which docker-archive: needs; 1.22 does it.
reads() { # READER CODEC
    case $1 in "docker load"* | ctr*) $daemons_work || return 1 ;; esac
    [ "$2" = zstd ] || return 0
    case $1 in
        "docker load, by skopeo") [[ "$(skopeo --version)" != *" 1.9."* ]] ;;
        "docker load") [ "$(dockerd --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')" -ge 23 ] ;;
        "umoci unpack") [[ "$(umoci --version)" != *" 0.4."* ]] ;;
    esac
}

# The output, and what is expected ------------------------------------------------------------------------

# blob LAYOUT DIGEST: the path of a blob.
blob() { echo "$1/blobs/${2/://}"; }

# config_digest LAYOUT DIGEST: of an image manifest, or of the linux/amd64 one of an index, which all peers choose here.
config_digest() {
    local digest=$2 nested
    while nested=$(jq -er '.manifests | map(select(.platform | .os == "linux" and .architecture == "amd64"))[0].digest' \
        "$(blob "$1" "$digest")" 2>/dev/null); do digest=$nested; done
    jq -r .config.digest "$(blob "$1" "$digest")"
}

# expected_diff_ids IMAGE_ID: from expected.json, as a JSON list; fails if the input does not contain the image.
expected_diff_ids() {
    jq -ec --arg name "$name" --arg id "$1" '.[$name].images | map(select(.image_id == $id))[0].diff_ids // empty' "$expected"
}

same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] && return
    printf '%s: expected %s, found %s\n' "$@"
    return 1
}

# The readers: each is called with an output, and fails with a message unless it is as expected ------------------------
# (`set -e` does not hold inside a condition, hence each `|| return`.)

# skopeo_copy SOURCE DESTINATION
skopeo_copy() {
    skopeo --insecure-policy --override-os linux --override-arch amd64 copy --quiet "$1" "$2"
}
# skopeo_reads SOURCE IMAGE_ID: copied to a dir: folder, the manifest must name that config.
skopeo_reads() {
    rm -rf "$work/copy"
    skopeo_copy "$1" "dir:$work/copy" || return
    same "image ID" "$2" "$(jq -r .config.digest "$work/copy/manifest.json")"
}
# From docker-archive: skopeo hands out layers decoded, so their digests are the diff_ids.
skopeo_decodes() { # SOURCE IMAGE_ID
    skopeo_reads "$1" "$2" || return
    same diff_ids "$(expected_diff_ids "$2")" "$(jq -c '[.layers[].digest]' "$work/copy/manifest.json")"
}
umoci_unpack() { # FOLDER NAME
    rm -rf "$work/bundle"
    umoci unpack --rootless --image "$1:$2" "$work/bundle" || return
    scripts/compare_unpacked.py "$1" "$2" "$work/bundle/rootfs"
}
# loads docker|podman FILE IMAGE_ID... : the engine must report the image IDs and their diff_ids.
loads() {
    local engine=$1 id found
    "$engine" load --input "$2" || return
    for id in "${@:3}"; do
        found=$("$engine" image inspect --format '{{json .RootFS.Layers}}' "${id#sha256:}") || return
        same "diff_ids of $id" "$(expected_diff_ids "$id")" "$found" || return
    done
}
docker_loads_by_skopeo() { # SOURCE IMAGE_ID
    rm -f "$work/by-skopeo.tar"
    skopeo_copy "$1" "docker-archive:$work/by-skopeo.tar" || return
    loads docker "$work/by-skopeo.tar" "$2"
}
has_tag() { # docker|podman TAG IMAGE_ID
    local found
    found=$("$1" image inspect --format '{{.Id}}' "$2") || return
    same "image ID of $2" "${3#sha256:}" "${found#sha256:}"
}
# ctr_import FILE FOLDER: unpacks every image; containerd must then list its names and contain every blob.
ctr_import() {
    local names digest options=(--snapshotter native --all-platforms)
    names=$(jq -r '.manifests[].annotations | .["io.containerd.image.name"] // .["org.opencontainers.image.ref.name"] // empty' \
        "$2/index.json" | sort)
    # Without a name, an image is imported under its digest.
    [ -n "$names" ] || options+=(--digests --base-name unnamed)
    ctr image import "${options[@]}" "$1" || return
    # A name that is only a tag gets a date as its repository.
    [ -z "$names" ] || same names "$names" "$(ctr image ls -q | sed 's/^import-[0-9-]*://' | sort)" || return
    ctr image check --snapshotter native | tee "$work/images" || return
    awk 'NR > 1 && !/ complete .* true *$/ { bad = 1 } END { exit bad || NR < 2 }' "$work/images" || return
    ctr content ls -q >"$work/content" || return
    for digest in $(cd "$2/blobs" && echo */*); do
        grep -qx "${digest/\//:}" "$work/content" || { echo "no content ${digest/\//:}"; return 1; }
    done
}
empty_stores() {
    local image
    podman rmi --all --force
    $daemons_work || return 0
    for image in $(docker image ls -aq --no-trunc | sort -u); do docker image rm --force "$image"; done
    for image in $(ctr image ls -q); do ctr image rm --sync "$image"; done
}

# The table ----------------------------------------------------------------------------------------------------------

declare -A good bad
# tell READER TITLE COMMAND... : a check that is counted for READER and the current codec; skipped if READER cannot read that codec.
tell() {
    local reader=$1 title=$2
    reads "$reader" "$codec" || return 0
    if check "$name --compression $codec: $reader $title" "${@:3}"; then
        good[$reader/$codec]=$((${good[$reader/$codec]:-0} + 1))
    else
        bad[$reader/$codec]=$((${bad[$reader/$codec]:-0} + 1))
    fi
}

# Converts the input `name` with `codec` and gives the output to every reader.
read_back() {
    local input=$corpus/$name folder=$work/out/folder tar=$work/out/image.tar image=0 ref digest id ids=() tags
    rm -rf "$work/out"
    mkdir "$work/out"
    check "$name --compression $codec: folder" "$ocify" convert "$input" -o "$folder" --compression "$codec" || return 0
    check "$name --compression $codec: tar" "$ocify" convert "$input" -o "$tar" --compression "$codec" || return 0

    while IFS=$'\t' read -r digest ref; do
        id=$(config_digest "$folder" "$digest")
        check "$name: $id is expected" expected_diff_ids "$id" || continue
        tell "skopeo oci:" "$ref" skopeo_reads "oci:$folder${ref:+:$ref}" "$id"
        tell "skopeo oci-archive:" "$ref" skopeo_reads "oci-archive:$tar${ref:+:$ref}" "$id"
        tell "docker load, by skopeo" "$ref" docker_loads_by_skopeo "oci:$folder${ref:+:$ref}" "$id"
        # umoci finds images only by name.
        [ -z "$ref" ] || tell "umoci unpack" "$ref" umoci_unpack "$folder" "$ref"
    done < <(jq -r '.manifests[] | [.digest, .annotations["org.opencontainers.image.ref.name"] // ""] | @tsv' "$folder/index.json")
    empty_stores >/dev/null 2>&1 # what came by skopeo must not be there already when our own tar is loaded

    tar -xOf "$tar" manifest.json >"$work/manifest.json"
    mapfile -t ids < <(jq -r '.[].Config | "sha256:" + split("/")[-1]' "$work/manifest.json")
    tell "docker load" "" loads docker "$tar" "${ids[@]}"
    tell "podman load" "" loads podman "$tar" "${ids[@]}"
    tell "ctr image import" "" ctr_import "$tar" "$folder"
    for id in "${ids[@]}"; do
        mapfile -t tags < <(jq -r --argjson image "$image" '.[$image].RepoTags // [] | .[]' "$work/manifest.json")
        [ ${#tags[@]} -gt 0 ] || tell "skopeo docker-archive:" "@$image" skopeo_decodes "docker-archive:$tar:@$image" "$id"
        for ref in "${tags[@]}"; do
            tell "skopeo docker-archive:" "$ref" skopeo_decodes "docker-archive:$tar:$ref" "$id"
            tell "docker load" "$ref" has_tag docker "$ref" "$id"
            tell "podman load" "$ref" has_tag podman "$ref" "$id"
        done
        image=$((image + 1))
    done
    empty_stores >/dev/null 2>&1
}

if $daemons_work; then
    start_containerd
    start_dockerd
fi
mapfile -t inputs < <(jq -r 'keys[]' "$expected")
for name in "${inputs[@]}"; do
    for codec in "${codecs[@]}"; do
        if [ "$codec" = gzip ] || [[ " ${every_codec[*]} " == *" $name "* ]]; then read_back; fi
    done
done

# A name that moved to a rebuilt image leads to that image alone.
moved_name_is_read() {
    local input=$corpus/docker-20.10.tar folder=$work/out/moved image id
    for image in fixture/base:1 fixture/app:1.0; do
        "$ocify" convert "$input" -o "$folder" --image "$image" --name moved:1 || return
    done
    id=$("$ocify" inspect --json "$input" --image fixture/app:1.0 | jq -r '.images[0].imageId') || return
    skopeo_reads "oci:$folder:moved:1" "$id"
}
# A compressed tar: decompressed, and as it is by those who read it, whoever compressed it. skopeo 1.9 and podman 4.3 lose
# bytes of a gzipped docker-archive (klauspost/pgzip#50), Docker 20.10 knows no zstd, and ctr reads plain tars alone.
compressed_tar_is_read() { # ENDING DECOMPRESSOR...
    local input=$corpus/docker-20.10.tar file=$work/out/images.tar id
    "$ocify" convert "$input" -o "$file.$1" --compression none || return
    "${@:2}" <"$file.$1" >"$file" || return
    id=$("$ocify" inspect --json "$input" --image fixture/app:1.0 | jq -r '.images[0].imageId') || return
    skopeo_decodes "docker-archive:$file:docker.io/fixture/app:1.0" "$id" || return
    if [ "$1" = zst ]; then loads podman "$file.$1" "$id" || return; fi
    if [ "$1" = gz ] && $daemons_work; then loads docker "$file.$1" "$id" || return; fi
    empty_stores
}
mkdir -p "$work/out"
name=docker-20.10.tar
check "a name that moved, by skopeo" moved_name_is_read
check "images.tar.zst, by skopeo and podman" compressed_tar_is_read zst zstd -dc
check "images.tar.gz, by skopeo and docker" compressed_tar_is_read gz gzip -dc

printf '\n%s, %s, %s, %s, %s\n' "$(skopeo --version)" "$(umoci --version | sed -n 1p)" "$(dockerd --version)" \
    "$(command podman --version)" "$(containerd --version | cut -d ' ' -f 1,3)"
printf '%-24s' "read/tried"
printf '%10s' "${codecs[@]}"
echo
for reader in "${readers[@]}"; do
    printf '%-24s' "$reader"
    for codec in "${codecs[@]}"; do
        right=${good[$reader/$codec]:-0}
        tried=$((right + ${bad[$reader/$codec]:-0}))
        if [ "$tried" -gt 0 ]; then printf '%10s' "$right/$tried"; else printf '%10s' "-"; fi
    done
    echo
done
summary
