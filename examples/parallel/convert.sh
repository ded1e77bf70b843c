#!/bin/bash
# Converts all archives of a list with GNU parallel: on this machine, or over ssh on those in a file of logins.
#
# usage: convert.sh LIST LAYOUT RESULTS TASKS [LOGINS]
#
# LIST, LAYOUT and RESULTS are absolute paths on a file system that all machines share.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2; }
list=$1 layout=$2 results=$3 tasks=$4
machines=()
[ $# -lt 5 ] || machines=(--sshloginfile "$5")
mkdir -p "$results"

# parallel's exit status is the number of tasks with archives that failed.
status=0
parallel "${machines[@]}" --quote \
    ocify convert --files-from "$list" --shard "{}/$tasks" --keep-going --output "$layout" --quiet \
    --digest-map "$results/map-{}.csv" --report "$results/report-{}.json" \
    ::: $(seq "$tasks") || status=$?
python3 "$(dirname "$0")/../join.py" "$list" "$layout" "$results" "$tasks"
exit "$status"
