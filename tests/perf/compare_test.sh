#!/usr/bin/env bash
# perf/compare on made-up files: a file for each verdict, and what it says about files that are none.
# No sanitizer: it runs scripts.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
compare=$PENSTOCK_SOURCE/perf/compare
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work/out" >&2; exit 1; }

record() { # BENCH BETTER SAMPLES [REFERENCE-SAMPLES] [MORE]: a record with the medians and bounds that follow
    python3 - "$@" <<'PY'
import json, statistics, sys
bench, better, samples, reference, more = (sys.argv[1:] + ["", ""])[:5]
samples = [float(one) for one in samples.split()]
out = {"bench": bench, "variant": "v", "value": statistics.median(samples), "low": min(samples), "high": max(samples),
       "samples": samples, "unit": "x", "better": better, "machine": {"cpu": "made up"}}
if reference:
    reference = [float(one) for one in reference.split()]
    ratios = [a / b for a, b in zip(samples, reference)]
    out.update(reference="bare", reference_samples=reference, ratio=statistics.median(ratios), ratio_low=min(ratios), ratio_high=max(ratios))
out.update(json.loads(more or "{}"))
print(json.dumps(out))
PY
}

compared() { # WANTED-EXIT [OPTION]...
    local code=0 wanted=$1
    shift
    "$compare" "$work/old" "$work/new" "$@" >"$work/out" 2>&1 || code=$?
    ((code == wanted)) || fail "exit $code, not $wanted"
}

shows() { grep -qE "$1" "$work/out" || fail "does not show: $1"; }

echo "better"
record b higher "100 101 102 99 100" >"$work/old"
record b higher "120 121 119 122 120" >"$work/new"
compared 0
shows '^better +b v +100 +120 +\+20\.0%  p 0\.008$'
shows '^1 better, 0 worse, 0 noise$'

echo "worse, and times go the other way"
record b lower "100 101 102 99 100" >"$work/old"
record b lower "120 121 119 122 120" >"$work/new"
compared 1
shows '^worse +b v .*\+20\.0%'
record b higher "80 81 79 82 80" >"$work/new"
record b higher "100 101 102 99 100" >"$work/old"
compared 1
shows '^worse +b v .*-20\.0%'

echo "noise: the medians moved, the samples do not differ"
record b higher "100 140 90 130 80" >"$work/old"
record b higher "110 85 135 120 95" >"$work/new"
compared 0 --all
shows '^noise +b v '
echo "noise: the samples differ, by less than the threshold"
record b higher "100 100.1 100.2 99.9 99.8" >"$work/old"
record b higher "103 103.1 103.2 102.9 102.8" >"$work/new"
compared 0 --all
shows '^noise +b v .*\+3\.0%'
compared 0 --threshold 0.02
shows '^better +b v'

echo "few samples: intervals"
record b higher "100 104 96" >"$work/old"
record b higher "110 112 105" >"$work/new"
compared 0
shows '^better .*intervals$'
record b higher "110 112 103" >"$work/new"
compared 0 --all
shows '^noise .*intervals$'

echo "many samples: the normal form of the test"
record b higher "$(seq -s ' ' 100 119)" >"$work/old"
record b higher "$(seq -s ' ' 90 109)" >"$work/new"
compared 1
shows '^worse .*p 0\.00'
record b higher "$(seq -s ' ' 101 120)" >"$work/new"
compared 0 --threshold 0.001 --all
shows '^noise '

echo "by the ratio where there is a reference: everything twice as slow is no change"
record b higher "100 101 102 99 100" "200 201 203 199 200" >"$work/old"
record b higher "50 51 50 49 50" "100 102 101 98 100" >"$work/new"
compared 0 --all
shows '^noise .*ratio, p'
record b higher "40 41 40 39 40" "100 102 101 98 100" >"$work/new"
compared 1
shows '^worse .*0\.500 +0\.4.*ratio, p'

echo "another machine: only ratios"
{ record a higher "10 10 10 10"; record b higher "100 101 102 99 100" "200 201 203 199 200"; } >"$work/old"
{ record a higher "90 90 90 90" "" '{"machine":{"cpu":"other"}}'; record b higher "40 41 40 39 40" "100 102 101 98 100" '{"machine":{"cpu":"other"}}'; } >"$work/new"
compared 1
shows '^other machines'
shows '^0 better, 1 worse, 0 noise$'

echo "a goal that is missed now"
record b higher "100 101 102 99 100" "" '{"goal":99}' >"$work/old"
record b higher "98 99 97 98 98" "" '{"goal":99}' >"$work/new"
compared 0
shows '^noise .*misses its goal'

echo "gone, new, skipped"
{ record a higher "1 1 1 1"; record b higher "1 1 1 1"; } >"$work/old"
{ record a higher "1 1 1 1"; record c higher "1 1 1 1"; echo '{"bench":"d","variant":"","skip":"no java"}'; } >"$work/new"
compared 1
shows '^gone +b v$'
shows '^new +c v$'

echo "no records"
echo 'not json' >"$work/new"
compared 2
shows 'no records'
rm "$work/new"
compared 2
