#!/usr/bin/env bash
# Each planted bug of tests/mutation/mutants.txt fits the tree: whoever changes a line on which one is planted refits it, or else that bug is never planted again.
# No sanitizer: it reads the tree.
set -euo pipefail
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
cd "$PENSTOCK_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 tests/mutation/run.py --fit || { echo "FAILED: refit these blocks of tests/mutation/mutants.txt"; exit 1; }

# A block that does not fit is noticed, and named with the reason.
refused() { # REASON PATH BEFORE AFTER [TEST]
    printf '%s\n- %s\n+ %s\n' "${@:2:3}" >"$work/bugs.txt"
    [[ $# == 4 ]] || echo "tests: $5" >>"$work/bugs.txt"
    ! python3 tests/mutation/run.py --fit --bugs "$work/bugs.txt" >"$work/out" || { echo "FAILED: not noticed: $1"; exit 1; }
    grep -qF "    $1" "$work/out" || { echo "FAILED: no \"$1\": $(<"$work/out")"; exit 1; }
}
line='return fill.capacity == 0 || fill.size < fill.capacity;'
refused 'there is no such file' stages/none.c "$line" ';'
refused 'the line is there 0 times' stages/lib/queue/producer.c 'no such line;' ';'
refused 'the line is there 0 times in ps_queue_put' 'stages/lib/queue/producer.c ps_queue_put' "$line" ';'
refused 'it changes nothing' 'stages/lib/queue/producer.c has_room' "$line" "$line"
refused 'no test is named core_none' 'stages/lib/queue/producer.c has_room' "$line" ';' core_none
