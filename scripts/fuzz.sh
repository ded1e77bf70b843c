#!/usr/bin/env bash
# Runs every fuzz target for a while, from its seeds; ends with an error at the first finding.
#
# usage: scripts/fuzz.sh [SECONDS [TARGET...]]
#
# Needs cargo-fuzz and a nightly toolchain (`cargo install cargo-fuzz`, `rustup toolchain install nightly`). Findings are
# written to fuzz/artifacts, new inputs to fuzz/found; neither belongs to the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
# Skipped if something is not installed: rustup would download a nightly toolchain, another one each day.
export RUSTUP_AUTO_INSTALL=0
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "left out: cargo-fuzz or a nightly toolchain is not installed"
    exit 0
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
for target in "${targets[@]}"; do
    mkdir -p "fuzz/found/$target"
    log=$(mktemp)
    # The threads of a pool end some time after it, and a leak check in between reports what they still hold. Real leaks
    # run into the memory limit.
    if ! cargo +nightly fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- -rss_limit_mb=512 -timeout=20 -detect_leaks=0 \
        -max_len=65536 -max_total_time="$seconds" -print_final_stats=1 >"$log" 2>&1; then
        tail -40 "$log"
        rm -f "$log"
        echo "FAIL $target"
        exit 1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions in $seconds s, nothing found"
    rm -f "$log"
done
