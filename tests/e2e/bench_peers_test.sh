#!/usr/bin/env bash
# Small runs of bench/peers and bench/overload: bare librdkafka and penstock on the mock cluster, every event accounted
# for.
# Runs alone: capacities are searched.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
build=$(dirname "$PENSTOCK")
[[ -x $build/bench/bench_kafka_bare ]] || { echo "SKIP: no bench programs in $build"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work"/* >&2; exit 1; }

echo "peers"
"$PENSTOCK_SOURCE/bench/peers" --build "$build" --broker mock --events 50000 --warm 5000 --rounds 1 --rate 5000 --held 1 --out "$work/peers" bare penstock vector 2>"$work/log" || fail "exit $?"
python3 - "$work/peers" <<'PY' || fail "wrong records of the peers"
import json, sys
found = {one["variant"]: one for one in map(json.loads, open(sys.argv[1]))}
assert set(found) == {"bare", "penstock", "vector"}, found
ours = found["penstock"]
assert (ours["lost"], ours["duplicated"], ours["reordered"], ours["corrupted"]) == (0, 0, 0, 0), ours
assert ours["received"] == ours["own_count"] == 50000, ours
assert ours["value"] > 0 and ours["ratio"] > 0 and ours["rss_bytes"] > 1 << 20 and ours["latency_ns"]["p99"] >= ours["latency_ns"]["p50"] > 0, ours
assert found["bare"]["lost"] == 0
assert "skip" in found["vector"] or found["vector"]["lost"] == 0
PY
"$PENSTOCK_SOURCE/bench/peers" --table "$work/peers" >"$work/table" || fail "--table: exit $?"
grep -q '^| penstock: .* 0 / 0 / 0 ' "$work/table" || fail "wrong table"

echo "overload"
"$PENSTOCK_SOURCE/bench/overload" --build "$build" --broker mock --warm 5000 --capacity 10000 --seconds 2 --factors 0.5 --out "$work/overload" penstock 2>"$work/log" || fail "exit $?"
python3 - "$work/overload" <<'PY' || fail "wrong records of the overload"
import json, sys
[half] = map(json.loads, open(sys.argv[1]))
assert half["variant"] == "penstock 0.5x" and half["offered"] == 5000 and half["value"] > 0
assert 0 < half["received"] == half["sent"] <= 10000 and half["lost"] == 0, half
assert half["budget_bytes"] > 6e7 and half["budget_used_bytes"] <= half["budget_bytes"], half
PY
