# shellcheck shell=bash
# Container engines with folders and sockets of their own below $work, stopped at exit. Sourced after checks.sh.

: "${work:?checks.sh comes first}"

daemons=()
stop_daemons() {
    local pid
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || continue; wait "$pid" 2>/dev/null || true; done
    # dockerd may have made its folder a mount of its own.
    umount --recursive "$work/docker/data" 2>/dev/null || true
    # What containers had for a network is a mount, too.
    umount "$work"/docker/exec/netns/* 2>/dev/null || true
}
at_exit+=(stop_daemons)

# start NAME READY-COMMAND -- DAEMON... : starts a daemon and waits until it answers or ends, for ten minutes or more: a
# busy machine may need that long.
start() {
    local name=$1 ready=$2 log=$work/$1.log
    shift 3
    setsid "$@" >"$log" 2>&1 </dev/null &
    daemons+=($!)
    for _ in $(seq 3000); do
        "$ready" >/dev/null 2>&1 && return
        kill -0 "${daemons[-1]}" 2>/dev/null || break
        sleep 0.2
    done
    echo "$0: $name does not start:" >&2
    tail -n 20 "$log" >&2
    exit 1
}

docker() { command docker --config "$work/docker-config" --host "unix://$work/docker.sock" "$@"; }
podman() { command podman --root "$work/podman/root" --runroot "$work/podman/run" --storage-driver vfs "$@"; }
ctr() { command ctr --address "$work/containerd.sock" "$@"; }

# Makes an archive of an image that prints `it runs`, with the tags app/runs:1 and app/runs:2; needs dockerd and busybox.
save_runnable() { # ARCHIVE
    mkdir -p "$work/runnable/bin"
    cp "$(command -v busybox)" "$work/runnable/bin/busybox"
    tar -C "$work/runnable" -cf "$work/runnable.tar" .
    docker import --change 'CMD ["/bin/busybox", "echo", "it runs"]' "$work/runnable.tar" app/runs:1 || return
    docker tag app/runs:1 app/runs:2 && docker save --output "$1" app/runs:1 app/runs:2 && docker image rm app/runs:1 app/runs:2
}
# it_runs IMAGE: with nothing of a network.
it_runs() {
    local found
    found=$(docker run --rm --network none "$1") || return
    [ "$found" = "it runs" ] || { echo "$1 prints: $found"; return 1; }
}
containerd_answers() { ctr version; }
docker_answers() { docker version; }

start_containerd() {
    cat >"$work/containerd.toml" <<TOML
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
TOML
    start containerd containerd_answers -- containerd --config "$work/containerd.toml"
}
# After start_containerd: otherwise dockerd would use the socket of the machine's containerd if there is one, even if nobody
# answers there. No other settings are read.
start_dockerd() {
    echo '{}' >"$work/docker.json"
    start dockerd docker_answers -- dockerd --config-file "$work/docker.json" --containerd "$work/containerd.sock" --bridge=none \
        --iptables=false --ip6tables=false --host "unix://$work/docker.sock" --data-root "$work/docker/data" \
        --exec-root "$work/docker/exec" --pidfile "$work/docker.pid"
}
