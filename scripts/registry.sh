#!/usr/bin/env bash
# Shows with a real registry (distribution 2.8, Debian's docker-registry) that it serves the trees that ocify writes, and that
# ocify reads the trees that it writes itself. skopeo and docker are the clients. The registries listen on the loopback address
# alone, with folders of their own; nothing else is reached.
#
# usage: scripts/registry.sh [--short] [BINARY]     (default: target/release/ocify; --short takes some of the inputs)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh
. scripts/engines.sh

short=false
[ "${1:-}" != --short ] || { short=true; shift; }
ocify=$(realpath -m "${1:-target/release/ocify}")
require "$ocify" docker-registry skopeo docker dockerd containerd ctr busybox jq python3
require_shared

daemons_work=true
unshare --mount true 2>/dev/null || {
    daemons_work=false
    echo "left out: docker, since unshare --mount is not allowed here"
}

# Registries ---------------------------------------------------------------------------------------------------------

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
ours="" theirs=""
# start_registry NAME FOLDER: sets the variable NAME to its address.
start_registry() {
    local address
    address=127.0.0.1:$(free_port) || return
    cat >"$work/$1.yml" <<YAML
version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: $2}
  delete: {enabled: true}
http: {addr: $address}
compatibility: {schema1: {enabled: true}}
YAML
    printf -v "$1" %s "$address"
    answers() { python3 -c 'import sys, urllib.request as u; u.urlopen(f"http://{sys.argv[1]}/v2/", timeout=5)' "$address"; }
    start "$1" answers -- docker-registry serve "$work/$1.yml"
}

skopeo() { command skopeo --insecure-policy "$@"; }
# served REGISTRY REFERENCE: the digest of what it serves; of a schema 1 manifest that of its payload.
served() {
    skopeo inspect --raw --tls-verify=false "docker://$1/$2" >"$work/manifest.json" || return
    skopeo manifest-digest "$work/manifest.json"
}
same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] && return
    printf '%s: expected %s, found %s\n' "$@"
    return 1
}
serves() { # REGISTRY REFERENCE DIGEST: by tag and by digest, and all blobs
    local by_digest=${2%:*}@$3
    same "digest of $2" "$3" "$(served "$1" "$2")" || return
    same "digest of $by_digest" "$3" "$(served "$1" "$by_digest")" || return
    rm -rf "$work/copy"
    skopeo copy --quiet --all --src-tls-verify=false "docker://$1/$by_digest" "dir:$work/copy" || return
    # skopeo 1.9 writes indexes anew, without the fields that it does not know.
    jq -e .manifests "$work/copy/manifest.json" >/dev/null ||
        same "copy of $2" "$3" "$(skopeo manifest-digest "$work/copy/manifest.json")"
}

# What ocify wrote ---------------------------------------------------------------------------------------------------

inputs() {
    if $short; then
        printf '%s\n' docker-20.10-one.tar docker-29-containerd-gzip.tar oci-multi-platform oci-zstd dir-v2s1
    else
        jq -r 'keys[]' "$expected"
    fi
}
# Every image of every input, in every format that holds it, into one tree: lines of format, name and digest in $work/written.
write_tree() {
    local name format position count to
    while read -r name; do
        count=$("$ocify" inspect --json "$corpus/$name" | jq '.images | length')
        for ((position = 0; position < count; position++)); do
            for format in oci v2s2 v2s1; do
                to=from/$(tr '._' '--' <<<"$name")/$format:$position
                if "$ocify" convert "$corpus/$name" --image "@$position" --name "$to" --format "$format" --to registry \
                    -o "$work/ours" --no-fsync >"$work/line" 2>"$work/error"; then
                    passed=$((passed + 1))
                    sed -n "s|^\(sha256:[0-9a-f]*\) \($to\)\$|$format \2 \1|p" "$work/line" >>"$work/written"
                elif [ "$format" = v2s1 ] && grep -qE 'schema 1|history' "$work/error"; then
                    continue # an index, or an image that schema 1 cannot describe
                else
                    check "$name @$position as $format" cat "$work/error" false
                fi
            done
        done
    done < <(inputs)
}
# pulls REFERENCE DIGEST: docker must end with the image that the manifest's config names.
pulls() {
    local id found
    docker pull --quiet "$ours/$1" || return
    found=$(docker image inspect --format '{{.Id}}' "$ours/$1") || return
    id=$("$ocify" inspect --json "$work/ours" --image "$1" | jq -r '[.images[0] | .. | .imageId? // empty][0] // empty')
    # Docker makes the config of a schema 1 image itself.
    [ -z "$id" ] || same "image ID of $1" "$id" "$found" || return
    docker image rm --force "$ours/$1"
}
# pulled_runs REFERENCE
pulled_runs() {
    docker pull --quiet "$ours/$1" && it_runs "$ours/$1" && docker image rm --force "$ours/$1"
}
nothing_to_delete() {
    docker-registry garbage-collect --dry-run "$work/ours.yml" >"$work/garbage" 2>&1 || return
    grep -q ' 0 blobs and 0 manifests eligible for deletion' "$work/garbage" || { tail -n 5 "$work/garbage"; return 1; }
}

if $daemons_work; then
    start_containerd
    start_dockerd
    check "an image that runs" save_runnable "$work/runs.tar"
    for format in oci v2s2 v2s1; do
        check "it as $format" "$ocify" convert "$work/runs.tar" --format "$format" --rename "app/runs=runs/$format" --to registry \
            -o "$work/ours" --no-fsync
    done
fi
write_tree
check "verify what was written" "$ocify" verify "$work/ours"
start_registry ours "$work/ours"
if $daemons_work; then
    # A schema 1 manifest has the first of the tags in it; docker takes it for the other, too.
    for format in oci v2s2 v2s1; do
        for tag in 1 2; do check "docker runs runs/$format:$tag" pulled_runs "runs/$format:$tag" || true; done
    done
fi
declare -A count
while read -r format reference digest; do
    check "$reference" serves "$ours" "$reference" "$digest" || continue
    count[$format]=$((${count[$format]:-0} + 1))
    # Docker 20.10 has no zstd, and takes nothing of an index without an image for linux/amd64.
    if $daemons_work && ! grep -q '+zstd\|tar\.zst' "$work/copy/manifest.json" && [[ $reference != *attestation* ]]; then
        check "docker pull $reference" pulls "$reference" "$digest" && count[docker/$format]=$((${count[docker/$format]:-0} + 1))
    fi
done <"$work/written" || true
check "garbage-collect --dry-run finds nothing" nothing_to_delete

# What the registry wrote ----------------------------------------------------------------------------------------------

push() { # SOURCE NAME OPTION...
    skopeo copy --quiet --dest-tls-verify=false "${@:3}" "$1" "docker://$theirs/$2"
}
reads() { # NAME: the same digest as the registry serves
    local found
    found=$("$ocify" inspect --json "$work/theirs" --image "$1" |
        jq -r '.images[0].image // .images[0] | [.. | objects | .digest? // empty][0]')
    same "digest of $1" "$(served "$theirs" "$1")" "$found"
}

mkdir "$work/theirs"
start_registry theirs "$work/theirs"
for format in v2s1 v2s2 oci; do
    check "push as $format" push "docker-archive:$corpus/docker-20.10-one.tar" "pushed/$format:1" --format "$format"
done
check "push schema 1" push "dir:$corpus/dir-v2s1" pushed/schema1:1
check "push schema 1 of Docker 1.6" push "dir:$corpus/dir-v2s1-1.6.2" pushed/schema1:1.6
check "push schema 2" push "dir:$corpus/dir-v2s2" pushed/schema2:1
check "push an index" push "oci:$corpus/oci-multi-platform" pushed/index:1 --all
check "push a manifest list" push "dir:$corpus/dir-manifest-list" pushed/list:1 --all
check "move a tag" push "dir:$corpus/dir-v2s2" pushed/oci:1
check "verify what was pushed" "$ocify" verify "$work/theirs"
for tag in v2s1:1 v2s2:1 oci:1 schema1:1 schema1:1.6 schema2:1 index:1 list:1; do
    check "read pushed/$tag" reads "pushed/$tag"
done
check "convert what was pushed" "$ocify" convert "$work/theirs" -o "$work/layout" --no-fsync
check "and as a tar" tar -cf "$work/theirs.tar" -C "$work/theirs" .
check "convert the tar" "$ocify" convert "$work/theirs.tar" -o "$work/layout2" --no-fsync
check "folder and tar are the same" diff -r "$work/layout" "$work/layout2"

printf '\nserved from what ocify wrote:'
for format in oci v2s2 v2s1; do printf ' %s %d (docker %d)' "$format" "${count[$format]:-0}" "${count[docker/$format]:-0}"; done
printf '\n%s, %s, %s\n' "$(docker-registry --version)" "$(command skopeo --version)" "$(dockerd --version)"
summary
