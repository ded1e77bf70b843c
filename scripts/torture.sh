#!/usr/bin/env bash
# Kills ocify, fails its system calls, fills its disk and runs many processes at once, on many kinds of file systems, and
# checks the outputs afterwards.
#
# usage: scripts/torture.sh [--rounds N] [--short] [--ocify PROGRAM]
#
# --rounds N  N kills (default 200) and N/4 rounds of eight writers at once; every fault is injected once
# --short     about a minute: 24 kills, 4 rounds, every eleventh fault
# Needs python3 and strace; root, and what scripts/install-peers.sh installs, for the parts with file systems of their own.
# File systems that cannot be mounted are skipped, and the report says so.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v strace >/dev/null || { echo "$0: strace is not installed" >&2; exit 1; }
exec python3 scripts/torture.py "$@"
