#!/usr/bin/env bash
# Shows that ocify does not use a network: no subcommand makes a network system call, whatever the input or the environment
# says, and all of them work without a network.
#
# usage: scripts/no-network.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
ocify=$(realpath "${1:-target/release/ocify}")
command -v strace >/dev/null || { echo "$0: strace is not installed" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# A layer that is only available from a URL, and names that are URLs.
python3 - "$work/urls.tar" <<'PY'
import hashlib, io, json, sys, tarfile
def text(value): return json.dumps(value).encode()
def sha(data): return hashlib.sha256(data).hexdigest()
def described(data, kind, **more):
    return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + sha(data), "size": len(data), **more}
layer = bytes(1024)
config = text({"architecture": "amd64", "os": "linux", "config": {"Labels": {"u": "http://127.0.0.1:9/"}},
               "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(layer), "sha256:" + "0" * 64]}})
absent = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": "sha256:" + "0" * 64,
          "size": 7, "urls": ["http://127.0.0.1:9/layer.tar", "http://localhost:9/layer.tar"]}
manifest = text({"schemaVersion": 2, "config": described(config, "config.v1+json"),
                 "layers": [described(layer, "layer.v1.tar"), absent]})
index = text({"schemaVersion": 2, "manifests": [described(
    manifest, "manifest.v1+json", annotations={"org.opencontainers.image.ref.name": "localhost:9/app:1"})]})
with tarfile.open(sys.argv[1], "w") as tar:
    for name, data in {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index,
                       **{"blobs/sha256/" + sha(b): b for b in (config, layer, manifest)}}.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
PY

# Every variable that programs read to find a proxy, a registry or a daemon.
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 ALL_PROXY=socks5://127.0.0.1:9 \
    DOCKER_HOST=tcp://127.0.0.1:9 CONTAINER_HOST=tcp://127.0.0.1:9 REGISTRY_AUTH_FILE="$work/auth.json" \
    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 NOTIFY_SOCKET="$work/notify" RUST_LOG=trace
echo '{"auths":{"localhost:9":{"auth":"dTpw"}}}' > "$work/auth.json"

# check STATUS ARGUMENT...
check() {
    local wanted=$1 status=0
    shift
    : > "$work/trace"
    strace -f --seccomp-bpf -qq -e trace=network -e signal=none -o "$work/trace" "$ocify" "$@" > "$work/out" 2>&1 < "${stdin:-/dev/null}" || status=$?
    # A thread that ends while strace looks at it leaves a line that names no call: "???( <detached ...>" or
    # "???( <unfinished ...>". With --seccomp-bpf the kernel stops threads only at network calls, so this is rare.
    if grep -Ev '^[0-9]+ +[?]{3}[(] <(detached|unfinished) [.]{3}>$' "$work/trace" > "$work/calls"; then
        echo "FAIL ocify $*: $(head -3 "$work/calls")"
        failed=$((failed + 1))
    elif [ "$status" -ne "$wanted" ]; then
        echo "FAIL ocify $*: exit status $status in place of $wanted: $(cat "$work/out")"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
    if unshare --net true 2>/dev/null; then
        status=0
        unshare --net "$ocify" "$@" > "$work/out" 2>&1 < "${stdin:-/dev/null}" || status=$?
        if [ "$status" -ne "$wanted" ]; then
            echo "FAIL without a network: ocify $*: exit status $status in place of $wanted: $(cat "$work/out")"
            failed=$((failed + 1))
        else
            passed=$((passed + 1))
        fi
    fi
}

unshare --net true 2>/dev/null || echo "left out: runs inside unshare --net, which is not allowed here"
check 0 --version
check 0 --help
check 2 no-such-command
for input in "$work/urls.tar" testdata/docker-save.tar testdata/docker-save.tar.zst testdata/docker-before-1.10.tar \
    testdata/oci-archive.tar testdata/podman-multi.tar testdata/schema1; do
    check 0 inspect "$input"
    check 0 verify "$input"
    rm -rf "$work/layout" "$work/layout.tar"
    check 0 convert "$input" -o "$work/layout" --digest-map "$work/map.csv"
    check 0 convert "$input" -o "$work/layout.tar" --compression zstd
    check 0 convert "$work/layout.tar" -o "$work/layout"
    check 0 convert "$input" -o "$work/layout" --compression gzip:1 --cache "$work/cache"
    check 0 convert "$input" -o "$work/layout" --compression gzip:1 --cache "$work/cache"
    check 0 verify "$work/layout"
done
stdin=testdata/docker-save.tar.gz check 0 convert - -o -
check 1 convert http://127.0.0.1:9/app.tar -o "$work/layout"
check 1 convert docker://localhost:9/app -o "$work/layout"
check 1 convert "$work/auth.json" -o "$work/layout"
check 1 verify "$work/auth.json"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
