#!/usr/bin/env bash
# bench/run: what it lists, what it refuses, and a tiny bench, whose record perf/compare understands.
# No sanitizer: it runs scripts.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
run=$PENSTOCK_SOURCE/bench/run
build=$(dirname "$PENSTOCK")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work"/* >&2; exit 1; }

echo "the list"
"$run" --list >"$work/list" || fail "--list: exit $?"
lines=$(grep -cE '^[a-z][^#]* (one|all|long) ' "$PENSTOCK_SOURCE/bench/suite.def")
(($(wc -l <"$work/list") == lines)) || fail "lists $(wc -l <"$work/list") of $lines"
grep -qE '^syslog_receive +[A-Z]' "$work/list" || fail "no syslog_receive"
code=0
"$run" no-such-bench >"$work/out" 2>&1 || code=$?
((code == 2)) || fail "a bench that is not there: exit $code"

echo "a build without benches"
mkdir "$work/empty"
"$run" --build "$work/empty" stress_null >"$work/out" 2>"$work/log" || fail "exit $?"
grep -q '"skip":"[^"]*does not exist' "$work/out" || fail "no reason"
rmdir "$work/empty"

[[ -x $build/bench/bench_stress_null ]] || { echo "SKIP: no bench programs in $build"; exit 77; }
echo "one bench"
"$run" --build "$build" --quick --seconds 0.4 --out "$work/new" stress_null 2>"$work/log" || fail "exit $?"
python3 - "$work/new" <<'PY' || fail "the records are not as bench/suite/results.py says"
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
assert [one["variant"] for one in records] == ["stress to null", "hop"], records
for one in records:
    assert one["bench"] == "stress_null" and one["rounds"] == len(one["samples"]) == 2
    assert one["low"] <= one["value"] <= one["high"] and one["low"] == min(one["samples"])
    assert one["machine"]["cpus"] > 0 and one["version"].startswith("penstock ") and one["date"].endswith("Z")
first = records[0]
assert first["better"] == "higher" and records[1]["better"] == "lower"
assert first["ratio_low"] <= first["ratio"] <= first["ratio_high"] and len(first["reference_samples"]) == 2
PY
"$PENSTOCK_SOURCE/perf/compare" "$work/new" "$work/new" >"$work/out" || fail "with itself: exit $?"
grep -q '^0 better, 0 worse, 2 noise$' "$work/out" || fail "with itself"
