#!/usr/bin/env bash
# Small runs of the rule engine's benches: they run, their counts are correct, and they print records. No figure is
# judged.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
build=$(dirname "$PENSTOCK")
[[ -x $build/bench/bench_micro ]] || { echo "SKIP: no bench programs in $build"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work"/log >&2; exit 1; }

echo "rule sets and logs"
for kind in spread dense; do
    "$PENSTOCK_SOURCE/bench/suite/rule_traffic.py" $kind 40 patterns >"$work/$kind.patterns"
    "$PENSTOCK_SOURCE/bench/suite/rule_traffic.py" $kind 40 log 3000 >"$work/$kind.log"
    "$PENSTOCK_SOURCE/bench/suite/rule_traffic.py" $kind 40 rules >"$work/$kind.rules"
    "$PENSTOCK_SOURCE/bench/suite/rule_traffic.py" $kind 40 rules-set >"$work/$kind.set"
    "$PENSTOCK_SOURCE/bench/suite/rule_traffic.py" $kind 40 log 3000 | cmp - "$work/$kind.log" || fail "$kind: the same seed gives a different log"
    for file in rules set; do
        "$PENSTOCK" rules check "$work/$kind.$file" >"$work/log" 2>&1 || fail "$kind.$file: its rules are refused"
    done
done
python3 - "$work" <<'PY' || fail "the logs do not fit the rule sets"
import re, sys
for kind, low, high in (("spread", 0.005, 0.02), ("dense", 1, 1)):
    rules = [line.rstrip("\n").split("\t") for line in open(f"{sys.argv[1]}/{kind}.patterns")]
    patterns = [re.compile(rule[2]) for rule in rules]
    lines = open(f"{sys.argv[1]}/{kind}.log").read().split("\n")[:-1]
    assert len(rules) == 40 and len(lines) == 3000 and {len(line) for line in lines} == {256}
    hits = [sum(1 for pattern in patterns if pattern.search(line)) for line in lines]
    assert max(hits) == (1 if kind == "spread" else 3), max(hits)
    assert low <= sum(1 for one in hits if one) / len(lines) <= high, kind
    for (_, word, _), pattern in zip(rules, patterns):
        assert all(found[1] == word for found in map(pattern.search, lines) if found)
PY

echo "rules_stage, regex_interceptors, rules_pipeline, rules_reload"
run() { # NAME OPTION...
    local name=$1
    shift
    # Rules are compiled at SCHED_IDLE, which otherwise waits until the machine has nothing else to do (tests/support/idle.c).
    LD_PRELOAD=$PENSTOCK_TOOLS/not_idle.so "$PENSTOCK_SOURCE/bench/run" --build "$build" --quick --out "$work/$name" "$@" "$name" 2>"$work/log" ||
        fail "$name: exit $?"
    cat "$work/$name" >>"$work/records"
}
run rules_stage --seconds 0.2 --rounds 1
run regex_interceptors --seconds 0.05 --rounds 2
run rules_pipeline --seconds 0.3 --rounds 1
run rules_reload --seconds 0.5 --rounds 1 --events 20000
echo "rules_peers"
setsid -w "$PENSTOCK_SOURCE/bench/rules_peers" --build "$build" --quick --only nobody --out "$work/peers" filter hundred chain 2>"$work/log" || fail "rules_peers: exit $?"

python3 - "$work" <<'PY' || fail "wrong records"
import json, sys
found = {}
for one in map(json.loads, open(f"{sys.argv[1]}/records")):
    if "skip" in one:
        continue
    found[one["bench"], one["variant"]] = one
    assert one["value"] == one["value"] and one["low"] <= one["value"] <= one["high"], one
    assert len(one["samples"]) == one["rounds"] and one["unit"] in ("ns/event", "events/CPU-s", "ms"), one
    assert ("reference" in one) == ("ratio" in one), one
for kind in ("spread", "dense"):
    for rules in (10, 100, 1000):
        for way in ("in place", "copied"):
            one = found["rules_stage", f"{kind} {rules} {way}"]
            assert one["goal_ratio"] in (1.2, 1.3) and 0.9 < one["reference_value"] / min(one["bare_events_ns"], one["bare_batches_ns"]) < 1.1, one
    assert found["rules_stage", f"{kind} 1000 against 10"]["ratio"] > 0
    assert found["rules_pipeline", f"{kind} 1000"]["value"] > 0
assert sum(1 for bench, _ in found if bench == "regex_interceptors") == 5
peers = [json.loads(line) for line in open(f"{sys.argv[1]}/peers")]
assert [one["variant"] for one in peers] == ["filter penstock", "hundred penstock", "chain penstock"], peers
PY
"$PENSTOCK_SOURCE/bench/rules_report" "$work/records" "$work/curve.svg" >"$work/log" || fail "rules_report: exit $?"
grep -q '^| spread 1000 against 10 | ' "$work/log" || fail "wrong tables"
python3 -c 'import sys, xml.dom.minidom as x; d = x.parse(sys.argv[1]); assert len(d.getElementsByTagName("circle")) == 6' "$work/curve.svg" || fail "wrong curve"
