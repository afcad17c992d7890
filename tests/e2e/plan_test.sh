#!/usr/bin/env bash
# penstock plan with real load, verify and agents: only its mechanics. Its result depends on how busy the machine is:
# tests/bench asserts results in simulated time, and bench/plan_foreign measures them.
# Runs alone: trials end early on a busy machine.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v jq >/dev/null || { echo "SKIP: no jq"; exit 77; }
. "$PENSTOCK_SOURCE/tests/support/patience.sh"
work=$(mktemp -d)
# Files that the plan leaves behind would be here.
mkdir "$work/tmp"
export TMPDIR=$work/tmp
broker=
trap '[[ -z $broker ]] || kill "$broker" 2>/dev/null; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; tail -c 3000 "$work/out" >&2; cat "$work/err" >&2; exit 1; }

plan() { # WANTED-EXIT(s) OPTION...
    local wanted=$1 code=0
    shift
    "$PENSTOCK" plan --json "$@" >"$work/out" 2>"$work/err" || code=$?
    [[ $code == [$wanted] ]] || fail "plan $*: exit $code, not $wanted"
    local left=("$TMPDIR"/*)
    [[ ! -e ${left[0]} ]] || fail "it left ${left[*]}"
}

# Expects that the result, the last line of the output, fulfils a condition of jq.
result() { # JQ-FILTER
    tail -n 1 "$work/out" | jq -e "$1" >/dev/null || fail "the result does not fulfil: $1"
}

agent() { # FILE SINK-LINE...
    local file=$work/$1
    shift
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.channels = c1' \
            'sources.r1.type = syslogtcp' 'sources.r1.host = 0.0.0.0' 'sources.r1.port = 1' \
            'channels.c1.type = memory' 'channels.c1.capacity = 100000' 'sinks.k1.channel = c1'
        printf 'a1.sinks.k1.%s\n' "$@"
    } >"$file"
}

agent null.properties 'type = null'
mkdir "$work/roll"
agent roll.properties 'type = file_roll' "sink.directory = $work/roll"
agent kafka.properties 'type = org.apache.flume.sink.kafka.KafkaSink' 'kafka.bootstrap.servers = nowhere:9092' \
    'kafka.topic = planned'

echo "outputs that cannot be written, and a goal without a unit, fail before measuring"
for option in --report --result; do
    SECONDS=0
    plan 2 -n a1 -f "$work/null.properties" $option "$work/no/such/page.html"
    grep -qF -- "$option $work/no/such/page.html: cannot be written: No such file or directory" "$work/err" ||
        fail "no reason"
    plan 2 -n a1 -f "$work/null.properties" $option "$work"
    grep -qF "it is a directory" "$work/err" || fail "no reason"
    ((SECONDS < 60)) || fail "it measured first"
done
plan 2 -n a1 -f "$work/null.properties" --goal 'p99<20'
grep -qF 'write p99<20ms' "$work/err" || fail "no cure"

echo "an agent with a null sink: measured by its counters, rates within the range"
quick=(--within 12s --rate-min 100 --rate-max 2000 --rate-first 1000)
plan 01 -n a1 -f "$work/null.properties" "${quick[@]}" --result "$work/result.json" --report "$work/page.html" \
    --machines-for 10k --cost-per-machine '0.5 EUR/h'
result '.kind == "penstock-plan" and (.goals | length) == 1 and .goals[0].goal == "ndr"'
result '[.trials[].rate] | min >= 100 and max <= 2000'
result '.subject.from == "the agent'\''s own counters"'
result '[.trials[] | select(.received == .sent and .sent > 0 and .lost == 0)] | length >= 1'
result '.limits | map(.part) | index("worker 0") != null'
result '.goals[0].lower == null or .projection.machines == (10000 / (.goals[0].lower * 0.7) | ceil) + 1'
result '.trials[0].cpu_seconds != null and .trials[0].rss_bytes > 1000000'
[[ -s $work/page.html ]] || fail "no page"

result '.projection == null or (.projection.cost | .currency == "EUR" and .machine_per_hour == 0.5)'
result '.projection == null or .projection.cost.per_hour == .projection.machines * 0.5'

echo "the page rendered again, from the result"
plan 0 --render "$work/result.json" --report "$work/again.html"
cmp "$work/page.html" "$work/again.html" || fail "the page differs"

echo "an agent that writes files: a requirement that is met, one that is not; the latencies are exported"
plan 3 -n a1 -f "$work/roll.properties" "${quick[@]}" --require 'ndr>=1G' --require 'p99<1h>=1k/s' --csv "$work/t.csv" \
    --hgrm "$work/t.hgrm" --hlog "$work/t.hlog" --result "$work/required.json"
result '.goals | map(.goal) == ["ndr", "p99<1h"]'
result '.requirements | map(.requirement) == ["ndr>=1G", "p99<1h>=1k/s"]'
result '.requirements[0].verdict != "met" and all(.trials[]; .started_s >= 0 and .started_s < 60)'
grep -q 'penstock plan: --require ndr>=1G: ' "$work/err" || fail "no reason"
grep -q '^Tag=trial-1/ndr/199/untold' "$work/t.hlog" || fail "no latencies of the look in the log"
grep -q '^Tag=trial-[0-9]*/ndr/1000/' "$work/t.hlog" || fail "no latencies in the log"
(($(wc -l <"$work/t.csv") > 1)) || fail "no trials in the table"
plan 0 --render "$work/required.json" --compare "$work/required.json"
plan 1 -n a1 -f "$work/null.properties" "${quick[@]}" --hlog "$work/none.hlog"
grep -q 'no trial has latencies, which are measured only at a far end' "$work/err" || fail "no reason"
plan 01 -n a1 -f "$work/roll.properties" "${quick[@]}" --result "$work/roll.json"
result '.subject.from | startswith("file://")'
result '[.trials[] | select(.received == .sent and .latency_ns.p99 > 0)] | length >= 1'
result '.command[0:3] == ["penstock", "plan", "--json"]' # it can be pasted
! grep -q '"histogram"' "$work/out" || fail "histograms that nobody asked for"
jq -e '[.trials[] | select(.received == .sent and (.histogram | length) > 0)] | length >= 1' "$work/roll.json" >/dev/null ||
    fail "no histograms in the result"
left=("$work"/roll/*)
[[ ! -e ${left[0]} ]] || fail "it left ${left[*]} in the sink's directory"

echo "an agent with an embedded broker, two goals, two worker counts"
plan 01 -n a1 -f "$work/kafka.properties" "${quick[@]}" --goal ndr --goal 'p99<5s' --workers 1..2
result '.goals | map(.goal) == ["ndr", "p99<5s"]'
# Remarks reach who reads no result: that of a busy machine comes the same way.
grep -q "^penstock plan: the broker is librdkafka's mock cluster" "$work/err" || fail "no remark on the embedded broker"
grep -q '^penstock plan: now with 1 worker$' "$work/err" || fail "no remark on the number of workers"
result '.subject.brokers == "embedded" and .subject.workers == 2 and (.subject.from | test("/planned"))'
result '[.trials[] | select(.received == .sent and .latency_ns.p99 > 0)] | length >= 1'
result '.scaling == null or (.scaling.points | map(.workers) - [1, 2] == [])'

echo "interrupted, also by the end of the terminal: the partial result is printed, and no files are left"
for signal in INT HUP; do
    rm -f "$work/cut.json"
    true >"$work/out" # the shell in the background empties it too late: trials of the run before would be found
    "$PENSTOCK" plan --json -n a1 -f "$work/roll.properties" --within 10m --result "$work/cut.json" >"$work/out" 2>"$work/err" &
    plan=$!
    until grep -q '"type":"trial"' "$work/out"; do
        kill -0 $plan 2>/dev/null || fail "it ended"
        sleep 0.1
    done
    kill -$signal $plan
    code=0
    wait $plan || code=$?
    ((code == 1)) || fail "interrupted by SIG$signal: exit $code"
    result '.interrupted and (.trials | length) >= 1'
    [[ -s $work/cut.json ]] || fail "no result"
    for left in "$TMPDIR"/* "$work"/roll/*; do
        [[ ! -e $left ]] || fail "SIG$signal: it left $left"
    done
done

echo "errors say what to do"
says() { # WANTED-EXIT PATTERN OPTION...
    local pattern=$2
    plan "$1" "${@:3}"
    grep -q -- "$pattern" "$work/err" || fail "the message does not contain: $pattern"
}
says 2 '--from is missing' --target tcp://127.0.0.1:9
printf '%s.channels = c1\n' a1 b1 >"$work/two.properties"
says 2 '-n NAME; the files contain: a1, b1' -f "$work/two.properties"
says 2 'pdr=0.1%' --goal fast -n a1 -f "$work/null.properties"
says 2 'null.properties' --render "$work/null.properties" --report "$work/x.html"
echo '{"kind":"other"}' >"$work/other.json"
says 2 'is not a result' --render "$work/other.json" --report "$work/x.html"
says 2 'would not start' -n a1 -f "$work/nothing.properties"
says 2 'far end' -n a1 -f "$work/null.properties" --goal 'p99<20ms'
sed 's/syslogtcp/exec/; $a a1.sources.r1.command = true' "$work/null.properties" >"$work/exec.properties"
says 2 '--target' -n a1 -f "$work/exec.properties"

echo "a target or a far end that cannot be: exit 2 at once, with the reason"
far="file://$work/roll?follow=true"
says 2 'did you mean tcp' --target tpc://127.0.0.1:514 --from "$far"
says 2 'is not a port number' --target tcp://127.0.0.1:fast --from "$far"
says 2 'no-such-host.invalid' --target tcp://no-such-host.invalid:514 --from "$far"
says 2 'write kafka://HOST:PORT,HOST:PORT/TOPIC' --target kafka://127.0.0.1:9092 --from "$far"
says 2 'verify cannot read from avro' --target tcp://127.0.0.1:514 --from avro://127.0.0.1:514
says 2 'refused' --target tcp://127.0.0.1:1 --from "$far"
"$PENSTOCK" mock-broker --topic right:2 >"$work/broker" &
broker=$!
patient_await 60 test -s "$work/broker" || fail "the broker does not start"
says 2 'topic wrong does not exist' --target "kafka://$(<"$work/broker")/wrong" --from "$far"
says 2 'topic wrong does not exist' --target "kafka://$(<"$work/broker")/right" --from "kafka://$(<"$work/broker")/right,wrong"
kill $broker
broker=
