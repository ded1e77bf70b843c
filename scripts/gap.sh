#!/usr/bin/env bash
# Images cross a gap in parts, and are put together to the same bytes: a site has version 1 of eight images; the other side makes
# version 2, gets the site's list of digests, and writes volumes; one is lost and sent again. For layouts that ocify or skopeo
# made, and for the corpus's Docker 29 archives. Then parts are read by others: skopeo copies one into a docker-registry that
# has the rest, docker 20.10 loads one where the layers are loaded. At last, runs that complete a layout are killed, and disks
# are full. Needs root, for the daemons. No step uses a network but the loopback device.
#
# usage: scripts/gap.sh [BINARY]               (default: target/release/ocify)
#        scripts/gap.sh --table [BINARY]       prints the table of docs/gap.md: bytes shipped; needs rsync
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh
. scripts/engines.sh

table=false
[ "${1:-}" != --table ] || { table=true; shift; }
ocify=$(realpath -m "${1:-target/release/ocify}")
require "$ocify" skopeo docker dockerd containerd docker-registry python3 zstd jq curl
$table || require_shared
scripts=$PWD/scripts
cd "$work"
python3 "$scripts/gap_images.py" images

convert() { "$ocify" convert --no-fsync -q "$@"; }
bytes() { du -cb "$@" | tail -n 1 | cut -f 1; }

# The table ----------------------------------------------------------------------------------------------------------------

# row TITLE VERSION: what is shipped when a site has version 1.
row() {
    local title=$1 version=$2 tar
    rm -rf whole part.tar zst stats
    convert images/"$version"/*.tar --have have.txt -o part.tar
    convert images/"$version"/*.tar -o whole
    mkdir zst
    for tar in images/"$version"/*.tar; do zstd -q -3 "$tar" -o "zst/$(basename "$tar").zst"; done
    rsync -a --checksum --stats --dry-run whole/blobs/ site/blobs/ >stats
    printf '| %s | %s | %s | %s | %s | %s |\n' "$title" "$(mib images/"$version"/*.tar)" "$(mib zst/*)" "$(mib whole/blobs)" \
        "$(awk '/^Total transferred file size/ { gsub(",", "", $5); printf "%.2f", $5 / 1048576 }' stats)" "$(mib part.tar)"
}
mib() { awk -v bytes="$(bytes "$@")" 'BEGIN { printf "%.2f", bytes / 1048576 }'; }

if $table; then
    require rsync
    convert images/1/*.tar -o site
    "$ocify" inspect --digests site >have.txt
    echo '| MiB shipped | whole archives | each with zstd -3 | whole layout | rsync of the blobs | part |'
    echo '|---|---|---|---|---|---|'
    row 'one layer of each image rebuilt' 2
    row 'a new base below all images' base
    echo "The list that crosses the other way has $(bytes have.txt) bytes."
    exit
fi

# The round -----------------------------------------------------------------------------------------------------------------

# round SITE SIZE INPUT... : SITE is a layout that has some of the inputs, or an archive that the layout is filled from.
round() {
    local site=$1 size=$2 name fill=()
    shift 2
    rm -rf direct completed ./v.*.tar sent
    if [ -e "$site/index.json" ]; then
        cp -r "$site" direct
        cp -r "$site" completed
    else
        fill=(--fill-from "$site")
    fi
    "$ocify" inspect --digests "$site" >have.txt || return
    convert "$@" -o direct || return
    convert "$@" --have have.txt --volume-size "$size" -o v.tar || return
    for name in v.*.tar; do
        [ "$(bytes "$name")" -le "$(numfmt --from=iec "$size")" ] || { echo "$name is too large"; return 1; }
        "$ocify" verify -q "$name" || return
    done
    # The first is lost.
    mkdir sent
    mv v.001.tar sent
    for name in v.*.tar; do
        [ -e "$name" ] || break
        convert "$name" "${fill[@]}" --missing keep -o completed || return
        "$ocify" verify -q completed || return
    done
    if [ -e completed/ocify-absent.json ]; then
        jq -e 'all(.absent[]; .volume == "v.001.tar")' completed/ocify-absent.json || { echo "another volume is named"; return 1; }
    fi
    # And sent again.
    convert sent/v.001.tar "${fill[@]}" -o completed || return
    "$ocify" verify -q completed || return
    diff -r direct completed
}
# With several volumes, or losing one would prove nothing.
several() { [ -e v.002.tar ] || { echo "one volume only"; return 1; }; }

convert images/1/*.tar -o site-ocify
convert images/1/*.tar -o site-zstd --compression zstd
for number in 0 1 2 3 4 5 6 7; do
    skopeo --insecure-policy copy -q "docker-archive:images/1/app-$number.tar" "oci:site-skopeo:registry.local/app-$number:1"
    skopeo --insecure-policy copy -q "docker-archive:images/2/app-$number.tar" "oci:new-skopeo:registry.local/app-$number:1"
done
for site in ocify zstd skopeo; do
    check "site by $site, version 2 by docker save" round "site-$site" 1M images/2/*.tar || continue
    check "site by $site: volumes" several || true
done
check "site by skopeo, version 2 by skopeo" round site-skopeo 1M new-skopeo || true
# Of another encoder: left out only by digest, so that the base is written.
check "site by ocify, version 2 by skopeo" round site-ocify 2M new-skopeo || true
check "site by ocify, one version 2 image more" round site-ocify 1M images/2/app-0.tar || true

for archive in "$corpus"/docker-29-*.tar; do
    name=$(basename "$archive")
    check "$name completes itself" round "$archive" 1M "$archive" || true
    rm -rf site-corpus
    convert "$corpus/docker-20.10.tar" -o site-corpus
    check "$name at a site with images of 20.10" round site-corpus 1M "$archive" || true
done

# Readers -------------------------------------------------------------------------------------------------------------------

port=$((20000 + RANDOM % 20000))
registry_answers() { curl -fsS "http://127.0.0.1:$port/v2/"; }
start_registry() {
    cat >registry.yml <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
YAML
    start registry registry_answers -- docker-registry serve registry.yml
}
push() { # LAYOUT NAME REPOSITORY
    skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$1:$2" "docker://127.0.0.1:$port/$3"
}
registry_completes() {
    local name=registry.local/app-0:1 image=app:1
    push site-ocify "$name" "$image" || return
    convert images/2/app-0.tar --have site-ocify -o part || return
    [ "$(jq '.absent | length' part/ocify-absent.json)" -eq 3 ] || { echo "not a part"; return 1; }
    push part "$name" "$image" || return
    skopeo --insecure-policy copy -q --src-tls-verify=false "docker://127.0.0.1:$port/$image" oci:from-registry:x || return
    convert images/2/app-0.tar -o from-archive || return
    diff <(jq -r '.manifests[].digest' from-registry/index.json) <(jq -r '.manifests[].digest' from-archive/index.json)
}
start_registry
check "skopeo copies a part into a registry that has the rest" registry_completes || true

docker_loads() {
    docker load -qi images/1/app-0.tar || return
    docker image inspect -f '{{json .RootFS.Layers}}' registry.local/app-0:1 >have.json || return
    convert images/2/app-0.tar --have have.json -o part.tar || return
    [ "$(tar xOf part.tar ocify-absent.json | jq '.absent | length')" -eq 3 ] || { echo "not a part"; return 1; }
    docker load -qi part.tar || return
    diff <(docker image inspect -f '{{.Id}}' registry.local/app-0:1) \
        <("$ocify" inspect --json images/2/app-0.tar | jq -r '.images[0].imageId')
}
# The daemons unpack layers in mount namespaces of their own, which root in a container may not be allowed to create.
if unshare --mount true 2>/dev/null; then
    start_containerd
    start_dockerd
    check "docker load takes a part where the layers are loaded" docker_loads || true
else
    echo "left out: docker, since unshare --mount is not allowed here"
fi

# Kills and full disks --------------------------------------------------------------------------------------------------------

check "kills and full disks while completing" python3 "$scripts/gap_torture.py" "$ocify" images || true

summary
