#!/bin/bash
# Converts all archives of a list on a Slurm cluster, and checks the layout at the end.
#
# usage: submit.sh LIST LAYOUT RESULTS [TASKS]
#
# LIST has one archive per line. LAYOUT, RESULTS and the cache inside it are on a file system that all nodes share. Prints the
# ID of the last job.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2; }
list=$(realpath "$1") layout=$(realpath -m "$2") results=$(realpath -m "$3") tasks=${4:-16}
here=$(realpath "$(dirname "$0")")
mkdir -p "$results"

array=$(sbatch --parsable --array="1-$tasks" --output="$results/%A-%a.log" "$here/convert.sbatch" "$list" "$layout" "$results")
# A task with damaged archives fails, so the last job runs after any end.
sbatch --parsable --dependency="afterany:$array" --output="$results/finish.log" "$here/finish.sbatch" \
    "${here%/*}" "$list" "$layout" "$results" "$tasks"
