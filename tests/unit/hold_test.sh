#!/usr/bin/env bash
# tests/hold_threads.c: a program whose threads race for some microseconds fails under it with one seed or another, the same program with a wait
# never does; and exit codes and signals are passed on.
# No sanitizer: it is built without one.
set -euo pipefail
hold=$PENSTOCK_TOOLS/hold_threads
command -v cc >/dev/null || { echo "SKIP: no cc"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cc -O1 -pthread -o race "$PENSTOCK_SOURCE/tests/unit/hold_race.c"
fail() { echo "FAILED: $*" >&2; exit 1; }

held() { # HOW: the exit code is in `code`
    code=0
    rm -f first second
    PENSTOCK_HOLD_TOTAL_S=1 PENSTOCK_HOLD_MS=100 "$hold" ./race "$1" 2>out || code=$?
    ((code != 77)) || { echo "SKIP: $(cat out)"; exit 77; }
}
caught=0
for seed in {1..100}; do # one in five fails
    export PENSTOCK_HOLD_SEED=$seed
    held race
    ((code <= 1)) || fail "race ends with $code"
    ((caught += code)) || true
    ((caught < 3)) || break
done
((caught == 3)) || fail "the race was seen $caught times with 100 seeds"
for seed in {1..10}; do
    export PENSTOCK_HOLD_SEED=$seed
    held wait
    ((code == 0)) || fail "seed $seed: a program without a race ends with $code"
done
held raise
((code == 128 + 10)) || fail "SIGUSR1 ends with $code"
code=0
"$hold" ./none 2>out || code=$?
[[ $code == 127 && $(cat out) == *"cannot run ./none: No such file"* ]] || fail "a program that is not there: $code, $(cat out)"
echo "the race was seen"
