#!/usr/bin/env bash
# Makes testdata/ again: small archives of the same two images by docker, podman and skopeo, and expected.json with what
# those programs report about them. testdata/README.md describes each. Needs root, busybox-static and the programs of
# scripts/install-peers.sh; no step uses a network. Times in the configs make each run's IDs differ.
#
# usage: scripts/make-testdata.sh [FOLDER]     (default: testdata)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh
. scripts/engines.sh

require skopeo docker dockerd podman busybox jq gzip zstd
umask 022
testdata=$(realpath -m "${1:-testdata}")
mkdir -p "$testdata"
at() { touch --no-dereference --date=@1700000000 "$@"; }

# The content: made up, always the same.
content=$work/content
mkdir -p "$content"/{base/{bin,etc,srv/old},app/deep/er}
printf 'ID=testdata\nPRETTY_NAME="Test data"\n' >"$content/base/etc/os-release"
seq 1 400 >"$content/base/etc/numbers"
ln "$content/base/etc/numbers" "$content/base/srv/hard-link"
ln -s ../etc/os-release "$content/base/srv/symbolic-link"
printf '#!/bin/false\n' >"$content/base/bin/program"
chmod 4755 "$content/base/bin/program"
echo old >"$content/base/srv/old/file"
echo 'ünïcödé' >"$content/app/ünïcödé-名.txt"
truncate --size 6000 "$content/app/zeros"
echo deep >"$content/app/deep/er/$(printf 'n%.0s' {1..140})"
echo twice >"$content/twice"
cat >"$content/Dockerfile" <<'DOCKERFILE'
FROM testdata/base:1
LABEL org.example.note="<angle brackets> & an ampersand"
ENV PATH=/bin EMPTY=
COPY app /app
COPY twice /
COPY twice /
EXPOSE 8080/tcp
VOLUME /data
USER 1000:1000
STOPSIGNAL SIGINT
SHELL ["/bin/program", "-c"]
HEALTHCHECK --interval=30s --retries=2 CMD ["/bin/program", "--check"]
ONBUILD COPY . /app
ENTRYPOINT ["/bin/program"]
CMD ["<run>", "&"]
DOCKERFILE
find "$content" -depth -print0 | while IFS= read -r -d '' path; do at "$path"; done

# Two images by Docker: an imported root, and one built on it whose last layer deletes files. busybox is mounted for that,
# so that it is not in any layer.
start_containerd
start_dockerd
tar -C "$content/base" --sort=name --owner=0 --group=0 --numeric-owner -c . | docker import --change 'CMD ["/bin/program"]' - testdata/base:1
DOCKER_BUILDKIT=0 docker build --quiet --tag unfinished "$content"
docker run --name finish --network none --user 0:0 --no-healthcheck --volume "$(command -v busybox):/dev/busybox:ro" \
    --entrypoint /dev/busybox unfinished rm -r /srv/old /app/zeros
docker commit --change 'USER 1000:1000' --change 'ENTRYPOINT ["/bin/program"]' --change 'CMD ["<run>", "&"]' \
    --change 'HEALTHCHECK --interval=30s --retries=2 CMD ["/bin/program", "--check"]' finish testdata/app:1.0
docker tag testdata/app:1.0 testdata/app:latest

cd "$testdata"
rm -rf ./*.tar* schema1 expected.json
docker save --output docker-save.tar testdata/app:1.0 testdata/app:latest testdata/base:1
docker save "$(docker image inspect --format '{{.Id}}' testdata/app:1.0)" >docker-save-untagged.tar
gzip -9 --no-name <docker-save.tar >docker-save.tar.gz
zstd -19 --quiet docker-save.tar -o docker-save.tar.zst

# The archive as Docker wrote it before 1.10: without manifest.json and configs.
mkdir "$work/legacy"
tar -xf docker-save.tar -C "$work/legacy"
rm "$work/legacy/"*.json
(cd "$work/legacy" && tar --sort=name --owner=0 --group=0 --numeric-owner -c -- *) >docker-before-1.10.tar

podman load --quiet --input docker-save.tar
podman save --quiet --multi-image-archive --output podman-multi.tar localhost/testdata/app:1.0 localhost/testdata/base:1
skopeo_copy() { skopeo --insecure-policy copy --quiet "$@"; }
skopeo_copy docker-archive:docker-save.tar:testdata/app:1.0 oci-archive:oci-archive.tar:app:1.0
skopeo_copy --format v2s1 --dest-compress docker-archive:docker-save.tar:testdata/app:1.0 dir:schema1
skopeo_copy --format v2s2 dir:schema1 "dir:$work/schema2"

# What the programs report about them, in the form of the shared corpus's expected.json.
image() { # CONFIG-FILE IMAGE_ID NAME...
    jq -c --arg id "$2" '{names: $ARGS.positional, image_id: $id, diff_ids: .rootfs.diff_ids, platform: "\(.os)/\(.architecture)",
        history: (.history | length)}' "$1" --args "${@:3}"
}
docker_image() { # IMAGE NAME... : an image in dockerd
    local id
    id=$(docker image inspect --format '{{.Id}}' "$1")
    docker save "$id" | tar -xO "${id#sha256:}.json" >"$work/config"
    image "$work/config" "$id" "${@:2}"
}
config_image() { # CONFIG-FILE NAME... : an image whose config is at hand
    image "$1" "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)" "${@:2}"
}
expect() { # KIND IMAGE... -- FILE...
    local kind=$1 images=() file
    shift
    while [ "$1" != -- ]; do images+=("$1"); shift; done
    shift
    for file in "$@"; do
        printf '%s\n' "${images[@]}" | jq -s --arg file "$file" --arg kind "$kind" '{($file): {kind: $kind, images: .}}'
    done
}
{
    app=$(docker_image testdata/app:1.0 testdata/app:1.0 testdata/app:latest)
    base=$(docker_image testdata/base:1 testdata/base:1)
    expect docker-save "$app" "$base" -- docker-save.tar docker-save.tar.gz docker-save.tar.zst
    expect docker-save "$(docker_image testdata/app:1.0)" -- docker-save-untagged.tar
    expect docker-save "$(docker_image testdata/app:1.0 localhost/testdata/app:1.0)" \
        "$(docker_image testdata/base:1 localhost/testdata/base:1)" -- podman-multi.tar
    skopeo inspect --config --raw oci-archive:oci-archive.tar >"$work/config"
    expect "oci-layout tar" "$(config_image "$work/config" app:1.0)" -- oci-archive.tar
    skopeo inspect --config --raw "dir:$work/schema2" >"$work/config"
    expect dir "$(config_image "$work/config" |
        jq --arg digest "sha256:$(sha256sum "$work/schema2/manifest.json" | cut -d ' ' -f 1)" \
            '. + {v2s2_manifest_digest_by_skopeo: $digest}')" -- schema1
    # dockerd makes the configs of such an archive itself and moves the tags to the images that it made.
    docker load --quiet --input docker-before-1.10.tar >/dev/null
    expect "docker-save before 1.10" "$(docker_image testdata/app:1.0 testdata/app:1.0 testdata/app:latest)" \
        "$(docker_image testdata/base:1 testdata/base:1)" -- docker-before-1.10.tar
} | jq -s --sort-keys add >expected.json
chmod 644 ./*.tar*
ls -l
