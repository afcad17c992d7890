#!/usr/bin/env bash
# One event whose file cannot be written, in a file channel before the sink hdfs: what was delivered behind it is not delivered
# again after a kill, a reload and a stop, and the event itself is when its file can be written.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
metrics_port=$(free_port)
agent_options=(-Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port")

taken_and_not_settled() { # AT_MOST
    curl -s "http://127.0.0.1:$metrics_port/metrics" | jq -e --argjson most "$1" '
        (."SINK.k1".EventDrainAttemptCount | tonumber) - (."SINK.k1".EventDrainSuccessCount | tonumber) <= $most' >"$work/jq.out"
}
are_there() { [[ $(delivered_numbers | uniq | wc -l) == "$1" ]]; } # COUNT
assert_answered() { # FROM TO
    [[ $(send_numbers "$1" "$2" | sort | uniq -c | xargs) == "$(($2 - $1 + 1)) OK" ]] || fail "not all of $1..$2 were acknowledged"
}
put() { # FROM TO: until they are delivered
    assert_answered "$1" "$2"
    await "$2 is delivered" are_there "$(($2 - 999))"
}

mkdir -p "$work/out"
: >"$work/out/9" # where the directory of the event 9 should be
numbers_agent "a1.sources.r1.interceptors = i1" \
    "a1.sources.r1.interceptors.i1.type = regex_extractor" "a1.sources.r1.interceptors.i1.regex = ^(\\\\d)" \
    "a1.sources.r1.interceptors.i1.serializers = s1" "a1.sources.r1.interceptors.i1.serializers.s1.name = kind" \
    "a1.sinks.k1.type = hdfs" "a1.sinks.k1.hdfs.path = file://$work/out/%{kind}" "a1.sinks.k1.hdfs.fileType = DataStream" \
    "a1.sinks.k1.hdfs.rollInterval = 0" "a1.sinks.k1.hdfs.rollSize = 0" "a1.sinks.k1.hdfs.rollCount = 500" \
    "a1.channels.c1.type = file" "a1.channels.c1.checkpointDir = $work/state" "a1.channels.c1.dataDirs = $work/data" \
    "a1.channels.c1.minimumRequiredSpace = 1048576" "penstock.drain.timeout = 1s" "penstock.reload.timeout = 1s"
start_agent
assert_answered 9 9
put 1000 1999
await "all but one are settled" taken_and_not_settled 1
# The sink's worker turns once more, and the channel writes twice: what was settled before is recorded. Only these three may come
# again after the kill.
put 2000 2000
await "all but one are settled" taken_and_not_settled 1
assert_answered 2001 2001
assert_answered 2002 2002
stop_agent KILL
start_agent
put 2003 2100
await "all but one are settled" taken_and_not_settled 1
sed -i 's/rollCount = 500/rollCount = 400/' "$work/agent.properties"
kill -HUP "$agent"
await "the reload" grep -q "agent: reloaded; " "$work/agent.err"
put 2101 2200
await "all but one are settled" taken_and_not_settled 2 # the reload took it twice
stop_agent TERM
grep -q "closed: 1 event stays" "$work/agent.err" || fail "not one event is left at the stop"
start_agent
grep -q "1 event is waiting" "$work/agent.err" || fail "not one event is left at the start"
rm "$work/out/9"
nine_is_delivered() { [[ $(delivered_numbers | head -n 1) == 9 ]]; }
await "9 is delivered" nine_is_delivered
stop_agent TERM 0
grep -q "closed: 0 events stay" "$work/agent.err" || fail "an event is left"
diff <(delivered_numbers | uniq) <(echo 9 && seq 1000 2200) >"$work/diff.err" || fail "not all are there"
delivered_numbers | uniq -d | sed '/^200[0-2]$/d' >"$work/twice.err"
[[ ! -s $work/twice.err ]] || fail "events came again"
