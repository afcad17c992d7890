#!/usr/bin/env bash
# penstock verify as a command: finds each of the faults that are planted one at a time into a file written by load;
# conditions that end it, exit codes, and its answers when the loss cannot be known.
# shellcheck disable=SC2016 # awk programs
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
failures=0

wrong() {
    echo "FAILED: $1"
    [[ ! -s out ]] || tail -n 1 out | cut -c 1-700
    [[ ! -s err ]] || head -n 5 err
    failures=$((failures + 1))
}

# Prints the value of the first key of this name in the summary.
field() { # KEY
    tail -n 1 out | grep -oE "\"$1\":(\"[^\"]*\"|\[\[[^]]*\](,\[[^]]*\])*\]|[^,}]*)" | head -n 1 | cut -d: -f2-
}

# Runs verify and compares the exit code and fields of the summary.
check() { # NAME EXIT "KEY=VALUE ..." ARGUMENT...
    local name=$1 wanted=$2 code=0 pair
    local -a pairs
    read -ra pairs <<<"$3"
    shift 3
    patient_limit 60 "$PENSTOCK" verify --json "$@" >out 2>err || code=$?
    ((code == wanted)) || wrong "$name: exit $code, not $wanted"
    for pair in "${pairs[@]}"; do
        [[ $(field "${pair%%=*}") == "${pair#*=}" ]] || wrong "$name: ${pair%%=*} is $(field "${pair%%=*}"), not ${pair#*=}"
    done
}

# All events are sent; exit code 3, a rate not held by a busy machine, is accepted.
load() { # ARGUMENT...
    local code=0
    "$PENSTOCK" load --quiet "$@" >load.out 2>&1 || code=$?
    ((code == 0 || code == 3)) || { wrong "load: exit $code"; cat load.out; exit 1; }
}

# ---- the events: 400 of one source, 200 of an older run ----

load --target "file://$work/whole.log" --rate 4000 --events 400 --format rfc3164 --size 120 --run 3fa9c2 --seed 1 \
    --manifest whole.json
load --target "file://$work/older.log" --rate 4000 --events 200 --format json --size 300 --run 111111 --seed 2 \
    --manifest older.json
[[ $(wc -l <whole.log) == 400 ]] || { wrong "load wrote $(wc -l <whole.log) lines"; exit 1; }

# ---- no fault, with each way to know how many were sent ----

good="received=400 records=400 lost=0 complete=true duplicated=0 reordered=0 corrupted=0 cut=0 broken=0 foreign=0"
check "manifest" 0 "$good known_by=\"manifest\" sent=400 run=\"3fa9c2\"" --from whole.log --manifest whole.json
check "events" 0 "$good known_by=\"events\"" --from whole.log --events 400
check "last marks alone" 2 'received=400 lost=null lost_at_least=0 complete=false' --from whole.log
check "last marks" 0 "$good" --from whole.log --sources 1
check "two far ends" 0 "received=600 runs=2 lost=0 run=null" --from whole.log --from older.log --manifest whole.json --manifest older.json

# ---- one fault at a time ----

plant() { # AWK
    awk "$1" whole.log >fault.log
}
plant 'NR != 100'
check "dropped" 1 'received=399 lost=1 duplicated=0 reordered=0 corrupted=0 lost_ranges=[[99,99]]' --from fault.log --manifest whole.json
check "dropped, by marks" 1 'lost=1 complete=true' --from fault.log --sources 1
plant '{ print } NR == 100 { print }'
check "doubled" 1 'received=400 records=401 lost=0 duplicated=1 reordered=0 corrupted=0' --from fault.log --manifest whole.json
plant 'NR == 100 { kept = $0; next } { print } NR == 101 { print kept }'
check "swapped" 1 'received=400 lost=0 duplicated=0 reordered=1 corrupted=0' --from fault.log --manifest whole.json
plant 'NR == 100 { last = substr($0, length($0)); $0 = substr($0, 1, length($0) - 1) (last == "x" ? "y" : "x") } { print }'
check "flipped" 1 'received=400 lost=0 duplicated=0 reordered=0 corrupted=1 cut=0' --from fault.log --manifest whole.json
plant 'NR == 100 { at = index($0, "~1") + 12; $0 = substr($0, 1, at - 1) (substr($0, at, 1) == "A" ? "B" : "A") substr($0, at + 1) } { print }'
check "flipped in the stamp" 1 'received=399 lost=1 corrupted=0 broken=1 foreign=0' --from fault.log --manifest whole.json
plant 'NR == 100 { $0 = substr($0, 1, 100) } { print }'
check "cut" 1 'received=400 lost=0 corrupted=0 cut=1 broken=0' --from fault.log --manifest whole.json
plant 'NR == 100 { $0 = substr($0, 1, index($0, "~1") + 20) } { print }'
check "cut in the stamp" 1 'received=399 lost=1 cut=0 broken=1' --from fault.log --manifest whole.json
plant '{ print } NR % 100 == 0 { print "somebody else said ~1 thing, at ~/home" }'
check "foreign" 0 'received=400 records=404 lost=0 foreign=4 broken=0' --from fault.log --manifest whole.json
plant 'NR != 3 && (NR < 50 || NR > 60)'
check "ranges" 1 'received=388 lost=12 lost_ranges=[[2,2],[49,59]]' --from fault.log --manifest whole.json

# ---- events wrapped by a pipeline ----

sed -E 's/[\\"]/\\&/g; s/^/{"host":"h","message":"/; s/$/","n":1}/' older.log >fault.log
check "JSON in a JSON string" 0 'received=200 lost=0 corrupted=0' --from fault.log --manifest older.json

# ---- losses that cannot be known ----

head -n 399 whole.log >fault.log
check "the last is lost, no manifest" 2 'received=399 lost=null complete=false lost_at_least=0' --from fault.log
check "the last is lost, manifest" 1 'lost=1 lost_ranges=[[399,399]]' --from fault.log --manifest whole.json
check "a manifest that never comes" 2 'lost=null complete=false' --from whole.log --manifest none.json
check "more than --events says" 2 'lost=null received=400' --from whole.log --events 399
check "sources that never came" 2 'lost=null' --from whole.log --sources 2
check "another run's manifest" 1 'received=0 lost=400 other_runs=200' --from older.log --manifest whole.json
: >fault.log
check "an empty file" 2 'received=0 lost=null' --from fault.log
check "an empty file, manifest" 1 'received=0 lost=400' --from fault.log --manifest whole.json
cat older.log whole.log >fault.log
check "two runs" 0 'runs=2 received=600 run=null lost=0' --from fault.log --sources 1
check "one of two runs" 0 'received=400 other_runs=200 lost=0 run="3fa9c2"' --from fault.log --run 3fa9c2 --sources 1
check "--events of which run" 2 'lost=null' --from fault.log --events 600

# ---- while load runs, which writes the manifest at its end ----

"$PENSTOCK" verify --json --from "file://$work/live.log?follow=true" --manifest live.json --idle 20s >out 2>err &
verifier=$!
load --target "file://$work/live.log" --rate 400 --duration 10s --size 120 --manifest live.json
code=0
wait "$verifier" || code=$?
((code == 0)) || wrong "live: exit $code"
[[ $(field ended) == '"all there"' && $(field received) == 4000 && $(field lost) == 0 ]] || wrong "live: $(field ended)"
grep -q '"type":"progress"' out || wrong "live: no progress"

# ---- conditions that end verify ----

mkfifo begun
"$PENSTOCK" verify --json --from "file://$work/whole.log?follow=true" --manifest whole.json --manifest none.json >begun 2>err &
verifier=$!
{ head -n 2 && kill -TERM "$verifier" && cat; } <begun >out
code=0
wait "$verifier" || code=$?
((code == 2)) || wrong "a signal: exit $code"
[[ $(field ended) == '"signal"' && $(field received) == 400 && $(field lost) == null ]] || wrong "a signal: $(field ended)"
check "idle" 0 'ended="idle" lost=0' --from "file://$work/whole.log?follow=true" --idle 15s --sources 1
check "duration" 0 'ended="duration" lost=0' --from "file://$work/whole.log?follow=true" --duration 15s --idle 100s --sources 1

# ---- text for people, also into a pipe; histograms for who asks ----

"$PENSTOCK" verify --from "file://$work/whole.log" --manifest whole.json >out 2>err || wrong "verify without --json: exit $?"
grep -q 'received' out || wrong "no verdict in the text: $(cat out)"
! grep -q '"type"' out || wrong "JSON among the text"
check "no histogram" 0 'lost=0' --from "file://$work/whole.log" --manifest whole.json
! grep -q '"histogram"' out || wrong "a histogram that nobody asked for"
check "a histogram" 0 'lost=0' --from "file://$work/whole.log" --manifest whole.json --histogram
grep -q '"histogram":\[\[' out || wrong "no histogram"

# ---- up to 16 places, and up to 16 loads ----

from=() manifests=()
for number in {1..15}; do
    load --target "file://$work/part$number.log" --rate 4000 --events "$number" --run "$(printf %06x "$number")" --manifest "part$number.json"
    from+=(--from "part$number.log") manifests+=(--manifest "part$number.json")
done
check "sixteen" 0 "received=520 runs=16 lost=0 duplicated=0 foreign=0" "${from[@]}" --from whole.log "${manifests[@]}" --manifest whole.json

# ---- usage; tests/commands/data/verify.txt has the rest ----

usage() { # WORDS ARGUMENT...
    local words=$1 code=0
    shift
    "$PENSTOCK" verify "$@" >out 2>err || code=$?
    ((code == 2)) || wrong "$*: exit $code"
    grep -qF -- "$words" err || wrong "$*: the error does not contain \"$words\""
    : >out
}
usage "--from older.log: at most 16 of them" "${from[@]}" --from whole.log --from older.log "${manifests[@]}"
usage "--manifest older.json: at most 16 of them" "${from[@]}" "${manifests[@]}" --manifest whole.json --manifest older.json
((failures == 0)) || { echo "$failures failures"; exit 1; }
echo "all found"
