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

# Exit status 1 of a task means that some of its archives failed; its report says which.
parallel "${machines[@]}" --quote \
    ocify convert --files-from "$list" --shard "{}/$tasks" --keep-going --output "$layout" --quiet \
    --digest-map "$results/map-{}.csv" --report "$results/report-{}.json" \
    ::: $(seq "$tasks")
