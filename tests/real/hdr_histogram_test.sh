#!/usr/bin/env bash
# Needs: java
# What `penstock plan --hlog` and `--hgrm` write, read by HdrHistogram itself: every count and percentile of every trial. A stored result,
# so that nothing is measured.
#
#   HDR_JAR   HdrHistogram (default /usr/share/java/hdrhistogram.jar, of Debian's libhdrhistogram-java)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
jar=${HDR_JAR:-/usr/share/java/hdrhistogram.jar}
skip() { echo "SKIP: $*"; exit 77; }
for program in java python3 "$PENSTOCK"; do
    command -v "$program" >/dev/null || skip "no $program"
done
[[ -f $jar ]] || skip "no $jar: install libhdrhistogram-java"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
result=$here/../bench/data/plan-result.json
"$PENSTOCK" plan --render "$result" --hlog "$work/log" --hgrm "$work/hgrm"
read_log() { java -XX:TieredStopAtLevel=1 -cp "$jar" "$here/HdrRead.java" "$work/log" "$@"; }
read_log >"$work/histograms"
tag=trial-13/ndr/806000/held # the last of the first goal's result
read_log "$tag" >"$work/table"
python3 - "$result" "$work/histograms" "$work/table" "$work/hgrm" <<'PYTHON'
import json, sys

def bucket_max(value):
    """The largest value that HdrHistogram counts as this one: two significant digits, 128 steps in each power of two."""
    shift = max(value.bit_length() - 8, 0)
    return (value >> shift) + 1 << shift

def percentile(pairs, share):
    wanted, seen = max(round(share * sum(count for _, count in pairs)), 1), 0
    for value, count in pairs:
        seen += count
        if seen >= wanted:
            return bucket_max(value) - 1

def rows(path):
    return [line.split() for line in open(path) if line.strip() and line.strip()[0].isdigit()]

trials = json.load(open(sys.argv[1]))["trials"]
lines = [line.split(" ") for line in open(sys.argv[2])]
assert len(lines) == len(trials), (len(lines), len(trials))
for line, trial in zip(lines, trials):
    pairs = [tuple(pair) for pair in trial["histogram"]]
    count, *values = map(int, line[-5:])
    assert line[0] == f"trial-{trial['number']}/{trial['goal']}/{trial['rate']}/{trial['verdict']}", line
    assert count == sum(pair[1] for pair in pairs), line
    wanted = [bucket_max(pairs[-1][0]) - 1] + [percentile(pairs, share) for share in (0.5, 0.99, 0.999)]
    assert values == wanted, (line, wanted)
theirs, ours = rows(sys.argv[3]), rows(sys.argv[4])
assert len(theirs) == len(ours) > 50
for one, other in zip(theirs, ours):  # they print two digits, and round the last one another way
    assert abs(float(one[0]) - float(other[0])) <= 0.0051 and one[2:] == other[2:], (one, other)
    assert abs(float(one[1]) - float(other[1])) <= 1.1e-12, (one, other)
print(f"{len(lines)} histograms, {len(ours)} percentiles")
PYTHON
