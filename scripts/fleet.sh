#!/usr/bin/env bash
# Converts many archives with examples/slurm on a Slurm cluster of three nodes on this machine, kills a node in the middle, and
# checks the layout.
#
# usage: scripts/fleet.sh [--short | --count N] [--throughput] [PROGRAM]
#
# 10,000 archives of 200 bases, 20 of them damaged; --short: 120 archives of 6 bases, 4 of them damaged. Some more have the names of
# others. --throughput measures archives a second on 1, 2 and 3 nodes, and of a loop of `skopeo copy` over 100
# archives. PROGRAM is target/release/ocify by default. Needs root, and slurm-wlm and munge, which it installs. Runs daemons of its
# own on ports of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
count=10000 bases=200 damaged=20 tasks=48 throughput=0
while [ $# -gt 0 ]; do
    case $1 in
        --short) count=120 bases=6 damaged=4 tasks=6; shift ;;
        --count) count=$2; shift 2 ;;
        --throughput) throughput=1; shift ;;
        -*) sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2 ;;
        *) break ;;
    esac
done
program=$(realpath "${1:-target/release/ocify}")
fail() { echo "FAIL: $*" >&2; exit 1; }

if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null || ! command -v jq >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 \
        slurm-wlm munge jq </dev/null >/dev/null
fi

work=$(mktemp -d)
chmod 755 "$work"
daemons=()
stop() {
    for pid in "${daemons[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap stop EXIT

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

mkdir -p "$work"/{bin,munge,state,spool,log,shared}
ln -s "$program" "$work/bin/ocify"
export PATH=$work/bin:$PATH:/usr/sbin:/sbin SLURM_CONF=$work/slurm.conf OCIFY_CACHE=''
host=$(hostname -s)
head -c 1024 /dev/urandom >"$work/munge/key"
chmod 600 "$work/munge/key"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed" 2>"$work/log/munged" &
daemons+=($!)
until_true 20 test -S "$work/munge/socket" || fail "munged: $(cat "$work/log/munged" "$work/munge/log")"

cat >"$work/slurm.conf" <<CONF
ClusterName=fleet
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=300
SchedulerParameters=batch_sched_delay=0,sched_interval=2
JobRequeue=1
KillWait=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=1
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=17003 CPUs=1
PartitionName=nodes1 Nodes=n1 MaxTime=INFINITE State=UP
PartitionName=nodes2 Nodes=n[1-2] MaxTime=INFINITE State=UP
PartitionName=nodes3 Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP
CONF
start_node() {
    mkdir -p "$work/spool/$1"
    slurmd -D -N "$1" 2>>"$work/log/stderr-$1" &
    node_pid=$!
    daemons+=("$node_pid")
    disown "$node_pid"
}
slurmctld -D 2>"$work/log/stderr-slurmctld" &
daemons+=($!)
for node in n1 n2 n3; do
    start_node $node
    [ $node != n2 ] || n2=$node_pid
done
all_idle() { [ "$(sinfo --noheader --Node --partition=nodes3 --format='%N %t' | grep -c idle)" -eq 3 ]; }
until_true 60 all_idle || fail "the nodes do not start: $(sinfo 2>&1; tail -n 5 "$work"/log/*)"
echo "ok: three nodes"

python3 scripts/fleet_archives.py "$work/in" $count $bases $damaged
archives=$(wc -l <"$work/in/list")
bytes=$(find "$work/in/archives" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f\n", sum }')
echo "ok: $archives archives, $((bytes >> 20)) MiB"

layout=$work/shared/layout results=$work/shared/results
begin=$(date +%s%N)
last=$(examples/slurm/submit.sh "$work/in/list" "$layout" "$results" $tasks)

# The first task that runs on n2 is stopped in its middle; then its node dies, and the task with it.
victim=
find_victim() {
    local pid
    for pid in $(pgrep -x ocify); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx 'SLURMD_NODENAME=n2' &&
            grep -qz -- "^$layout\$" "/proc/$pid/cmdline" && kill -STOP "$pid" 2>/dev/null; then
            victim=$pid
            return
        fi
    done
    return 1
}
end=$((SECONDS + 120))
until find_victim; do [ $SECONDS -lt $end ] || fail "no task runs on n2: $(squeue 2>&1; tail -n 3 "$results"/*.log)"; done
shard=$(tr '\0' '\n' <"/proc/$victim/cmdline" | grep -A 1 -x -- --shard | tail -n 1)
mapfile -t steps < <(pgrep -f 'slurmstepd' | while read -r pid; do
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx 'SLURMD_NODENAME=n2' && echo "$pid"; done || true)
parent=$(ps -o ppid= -p "$victim" | tr -d ' ')
# The task last: who waits for it must not report its end, which would be no failure of the node.
kill -9 "$n2" "$parent" "${steps[@]}" "$victim" 2>/dev/null || true
scontrol update nodename=n2 state=down reason=killed
echo "ok: killed node n2 with its task $shard"
start_node n2
until_true 60 scontrol update nodename=n2 state=resume || true

# Slurm lets a task wait for two minutes before it runs again, in case the node is not well.
hurry() {
    squeue --noheader --states=PENDING --array --format='%i %r' | awk '$2 == "BeginTime" { print $1 }' |
        while read -r job; do scontrol update "jobid=$job" starttime=now; done
}
finished() {
    hurry || true
    [ -z "$(squeue --noheader --jobs="$last" 2>/dev/null)" ]
}
until_true 7200 finished || fail "the jobs do not end: $(squeue)"
nanoseconds=$(($(date +%s%N) - begin))

[ -s "$results/finish.log" ] || fail "the last job has not run"
[ "$(ls "$results"/report-*.json | wc -l)" -eq $tasks ] || fail "a task has not ended: $(ls "$results")"
"$program" verify "$layout" >"$work/verify" || fail "verify: $(cat "$work/verify")"
left=$(find "$layout" -name '.ocify-*' -o -name '*.new' | head)
[ -z "$left" ] || fail "staged files are left: $left"

status=0
"$program" convert -T "$work/in/list" -k -o "$work/one" --digest-map "$work/one.csv" -q 2>"$work/one.log" || status=$?
[ $status -eq 1 ] || fail "one run over everything ends with status $status, expected 1: $(tail -n 5 "$work/one.log")"
cmp "$work/one/index.json" "$layout/index.json" || fail "index.json is not that of one run"
diff -r "$work/one/blobs" "$layout/blobs" >/dev/null || fail "the blobs are not those of one run"
echo "ok: the layout is byte for byte that of one run over everything, and verify is clean"
sort -u "$work/one.csv" | cmp - <(sort -u "$results/map.csv") || fail "the joined digest map has other rows than that of one run"
cat "$work/in/damaged" "$work/in/conflicts" >"$work/in/failing"
[ "$(wc -l <"$results/failed.txt")" -eq "$(wc -l <"$work/in/failing")" ] || fail "expected other failures: $(cat "$results/failed.txt")"
while read -r path; do
    grep -qF "$path" "$results/failed.txt" || fail "$path fails and is not named"
done <"$work/in/failing"
echo "ok: the digest map has $(tail -n +2 "$results/map.csv" | cut -d , -f 1 | sort -u | wc -l) names," \
    "and the $damaged damaged archives and $(wc -l <"$work/in/conflicts") second images of a name are named with their reasons"

# figures WHAT ARCHIVES BYTES NANOSECONDS
figures() {
    python3 -c '
import sys
archives, size, time = map(int, sys.argv[2:])
print(f"{sys.argv[1]}: {archives} archives, {size / 1e6:.0f} MB in {time / 1e9:.1f} s: "
      f"{archives * 1e9 / time:.1f} archives/s, {size * 1e3 / time:.1f} MB/s")
' "$@"
}
figures "three nodes, one killed" "$archives" "$bytes" "$nanoseconds"
[ $throughput -eq 1 ] || exit 0

sample=100
grep -vxFf "$work/in/failing" "$work/in/list" | sed -n "1~$((archives / sample + 1))p" | sed -n "1,${sample}p" >"$work/in/sample"
sample_bytes=$(tr '\n' '\0' <"$work/in/sample" | xargs -0 stat -c %s | awk '{ sum += $1 } END { printf "%.0f\n", sum }')
begin=$(date +%s%N)
while read -r path; do
    skopeo copy --quiet "docker-archive:$path" "oci:$work/skopeo:$(basename "$path" .tar)"
done <"$work/in/sample"
figures "a loop of skopeo copy" "$(wc -l <"$work/in/sample")" "$sample_bytes" $(($(date +%s%N) - begin))
begin=$(date +%s%N)
while read -r path; do
    "$program" convert "$path" -o "$work/loop" -q --threads 1
done <"$work/in/sample"
figures "a loop of ocify convert" "$(wc -l <"$work/in/sample")" "$sample_bytes" $(($(date +%s%N) - begin))
# The whole way again, without a kill: an empty layout and an empty cache for each number of nodes.
for nodes in 1 2 3; do
    rm -rf "$layout" "$results"
    begin=$(date +%s%N)
    last=$(SBATCH_PARTITION=nodes$nodes examples/slurm/submit.sh "$work/in/list" "$layout" "$results" $tasks)
    until_true 7200 finished || fail "the jobs do not end: $(squeue)"
    cmp "$work/one/index.json" "$layout/index.json" || fail "index.json is not that of one run"
    figures "$nodes nodes" "$archives" "$bytes" $(($(date +%s%N) - begin))
done
