# Shared by scripts of tests/conf that ask `penstock check` about an agent file, which source it first: a working folder, and how they fail. A
# script goes on after a failure, and ends with `exit "$failed"`. The output of the last check is in $work/out.
# shellcheck shell=bash disable=SC2034 # scripts use `failed`
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { # WHAT: prints it and the output of the last check
    echo "FAILED: $*"
    cat "$work/out"
    failed=1
}
