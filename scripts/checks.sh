# shellcheck shell=bash
# Shared by the scripts that check ocify. Sourced, never run.

# A working folder on the disk that holds the temporary files, removed at exit.
work=$(mktemp -d -t ocify.XXXXXX)
at_exit=()
finish() {
    local step
    for step in "${at_exit[@]}"; do "$step" || true; done
    rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

passed=0
failed=0

# check TITLE COMMAND... : runs the command and counts it; prints nothing unless it fails.
check() {
    local title=$1
    shift
    if "$@" >"$work/check.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n     %s\n' "$title" "$*"
        sed 's/^/     /' "$work/check.log" | tail -n 20
        return 1
    fi
}

# Prints the last line; its status is the status of the whole script.
summary() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# require COMMAND... : stops if a program that the script calls is missing.
require() {
    local program missing=()
    for program in "$@"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} -eq 0 ] && return
    printf '%s: not installed: %s (scripts/install-peers.sh installs them)\n' "$0" "${missing[*]}" >&2
    exit 1
}

# The inputs made by real engines, and a checker that shares no code with ocify.
# Absolute, since scripts change into a folder of their own.
shared=$(realpath -m "${OCIFY_SHARED:-../shared}")
corpus=$shared/corpus
expected=$corpus/expected.json
check_layout=$shared/tools/check_layout.py
require_shared() {
    local path
    for path in "$expected" "$check_layout" "$shared/fixtures/image-spec"; do
        [ -e "$path" ] && continue
        printf '%s: %s is missing; the shared data belongs beside the project (or set OCIFY_SHARED)\n' "$0" "$path" >&2
        exit 1
    done
}
