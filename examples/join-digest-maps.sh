#!/bin/sh
# Joins the digest maps of several tasks into one, with one header.
#
# usage: join-digest-maps.sh MAP.csv... >ALL.csv
set -eu
[ $# -gt 0 ] || { sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2; }
head -n 1 "$1"
for map in "$@"; do
    tail -n +2 "$map"
done | LC_ALL=C sort -u
