#!/usr/bin/env bash
# Checks all scripts with shellcheck, and the examples: the Job against Kubernetes' published schema, the others by running them
# on a few archives. scripts/fleet.sh runs those for Slurm.
#
# usage: scripts/check-examples.sh [PROGRAM]
#
# PROGRAM is target/release/ocify by default.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/ocify}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

mapfile -t scripts < <(git ls-files -- '*.sh' '*.sbatch' .ci/run)
shellcheck --severity=warning --exclude=SC2238 "${scripts[@]}"
echo "ok: shellcheck, ${#scripts[@]} scripts"

if python3 -c 'import kubernetes_validate' 2>/dev/null; then
    python3 -m kubernetes_validate --strict examples/kubernetes/job.yaml >/dev/null || fail "examples/kubernetes/job.yaml"
    echo "ok: the Job is valid against the published schema"
else
    echo "left out: the schema of the Job, since kubernetes-validate is not installed"
fi
# The schema does not know what the shell does.
index=$(sed -n '/- >-$/,/resources:/p' examples/kubernetes/job.yaml | sed '1d;$d' | tr -s ' \n' ' ')
grep -q 'completions: 16$' examples/kubernetes/job.yaml && [[ $index == *"+ 1))/16 "* ]] || fail "completions and shards differ"

mkdir -p "$scratch"/{bin,archives,srv}
ln -s "$program" "$scratch/bin/ocify"
export PATH=$scratch/bin:$PATH OCIFY_CACHE=''
for number in 1 2 3 4 5; do
    "$program" convert testdata/docker-save.tar --image testdata/base:1 --name "app:$number" -o "$scratch/archives/$number.tar" -q
done
echo "not an archive" >"$scratch/archives/broken.tar"
ls "$scratch"/archives/*.tar >"$scratch/srv/archives.txt"
grep -v broken "$scratch/srv/archives.txt" >"$scratch/good.txt"
"$program" convert -T "$scratch/good.txt" -o "$scratch/expected" -q

# The shell command of the Job, with another /srv.
for number in $(seq 0 15); do
    status=0
    JOB_COMPLETION_INDEX=$number sh -c "${index//\/srv/$scratch/srv}" 2>>"$scratch/log" || status=$?
    [ "$status" -le 1 ] || fail "the Job's shard $number ends with status $status"
done
cmp "$scratch/expected/index.json" "$scratch/srv/layout/index.json"
examples/join.py "$scratch/srv/archives.txt" "$scratch/srv/layout" "$scratch/srv/results" 16
[ "$(wc -l <"$scratch/srv/results/map.csv")" -eq 6 ] || fail "the joined digest map has not five rows and a header"
grep -q broken.tar "$scratch/srv/results/failed.txt" || fail "the broken archive is not reported"
echo "ok: the Job's command"

status=0
examples/parallel/convert.sh "$scratch/srv/archives.txt" "$scratch/parallel" "$scratch/parallel-results" 3 2>"$scratch/log" || status=$?
[ "$status" -eq 1 ] || fail "parallel ends with status $status, expected 1: $(cat "$scratch/log")"
cmp "$scratch/expected/index.json" "$scratch/parallel/index.json"
echo "ok: GNU parallel"

# Two machines that are this one: ssh starts a server of its own for each connection, which listens on no port.
ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
mkdir -p /run/sshd # sshd wants it, and only the service makes it
cat >"$scratch/sshd_config" <<END
HostKey $scratch/key
AuthorizedKeysFile $scratch/key.pub
StrictModes no
UsePAM no
SetEnv "PATH=$PATH" OCIFY_CACHE=
END
cat >"$scratch/ssh_config" <<END
IdentityFile $scratch/key
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
ProxyCommand $(command -v sshd) -i -f $scratch/sshd_config
END
printf '1/ssh -F %s %s\n' "$scratch/ssh_config" one "$scratch/ssh_config" two >"$scratch/logins"
status=0
examples/parallel/convert.sh "$scratch/srv/archives.txt" "$scratch/ssh" "$scratch/ssh-results" 3 "$scratch/logins" 2>"$scratch/log" || status=$?
[ "$status" -eq 1 ] || fail "parallel over ssh ends with status $status, expected 1: $(cat "$scratch/log")"
cmp "$scratch/expected/index.json" "$scratch/ssh/index.json"
cmp "$scratch/parallel-results/failed.txt" "$scratch/ssh-results/failed.txt"
echo "ok: GNU parallel over ssh"

rm "$scratch/archives/broken.tar"
make -s -j2 -f examples/make/Makefile ARCHIVES="$scratch/archives" OUT="$scratch/oci"
[ "$(ls "$scratch"/oci/*.tar | wc -l)" -eq 5 ] || fail "make"
make -q -f examples/make/Makefile ARCHIVES="$scratch/archives" OUT="$scratch/oci" || fail "make wants to do again what is done"
echo "ok: make"
