#!/usr/bin/env bash
# The bench of penstock load takes figures only of a load that ended well: beside a program that prints a result and ends with 0, with another
# status, by a signal, or without a rate.
# No sanitizer: it runs scripts.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work/out" "$work/err" >&2; exit 1; }

ends() { # WANTED-EXIT RATE LAST-COMMAND: what the bench makes of a load that prints this rate and ends so
    local code=0
    printf '#!/bin/sh\necho %s\n%s\n' "'{\"type\":\"summary\",\"achieved_rate\":$2,\"completed\":4000,\"cpu_seconds\":0.001}'" "$3" >"$work/penstock"
    chmod +x "$work/penstock"
    "$PENSTOCK_SOURCE/bench/load_speed" tcp --build "$work" --seconds 0.05 --rounds 1 >"$work/out" 2>"$work/err" || code=$?
    ((code == $1)) || fail "rate $2, then '$3': exit $code, not $1"
}

ends 0 5000 'exit 0'
grep -q '"bench": "load_tcp".*"value": 5000' "$work/out" || fail 'no record of 5000 events/s'
for last in 'exit 3' 'exit 1' 'kill -KILL $$'; do
    ends 1 5000 "$last"
    grep -q 'penstock load ended with' "$work/err" || fail "$last: it does not say how the load ended"
    [[ ! -s $work/out ]] || fail "$last: there is a record"
done
ends 1 0 'exit 0'
