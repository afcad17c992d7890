#!/usr/bin/env bash
# Needs: flume
# The counters of a class leave the metrics with it: after a reload that gives its name to a native component, /metrics has the counters of that one, and
# those of a component that is gone are gone. The Java process goes on meanwhile, for another component. A class that ends late leaves the counters of its
# name to the next one.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in curl python3; do command -v $program >/dev/null || skip "no $program"; done
with_java_classes

port=$(ports_reserve)
mkdir "$work/out"
config() { # ENGINE ANOTHER-CHANNEL: of the source r1 and the sink k1
    printf 'a1.%s\n' 'sources = r1 r2' "channels = c1 c2 $2" 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1' ${1:+"penstock.engine = $1"}
    printf 'a1.sinks.k1.%s\n' 'type = file_roll' 'channel = c1' "sink.directory = $work/out" 'sink.rollInterval = 0' ${1:+"penstock.engine = $1"}
    printf 'a1.sources.r2.%s\n' 'type = exec' 'command = sleep 3600' "channels = c2 $2"
    printf 'a1.sinks.k2.%s\n' 'type = file_roll' 'channel = c2' "sink.directory = $work/out" 'sink.rollInterval = 0' 'penstock.engine = java'
    printf 'a1.channels.%s\n' 'c1.type = memory' 'c2.type = memory'
    if [[ $2 ]]; then # a flow that runs in Java as a whole
        printf 'a1.%s\n' 'sources = r1 r2 r3' 'sinks = k1 k2 k3' 'sources.r2.channels = c2'
        printf 'a1.sources.r3.%s\n' 'type = seq' 'totalEvents = 2' "channels = $2"
        printf 'a1.channels.%s\n' "$2.type = memory" "$2.penstock.engine = java"
        printf 'a1.sinks.k3.%s\n' 'type = null' "channel = $2"
    fi
}
counter() { # COMPONENT COUNTER: "" if there is none
    curl -s "http://127.0.0.1:$((port + 1))/metrics" | python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], {}).get(sys.argv[2], ""))' "$@"
}
counts() { # COMPONENT COUNTER NUMBER
    [[ $(counter "$1" "$2") == "$3" ]]
}
await_count() {
    await 60 counts "$@" || fail "the $2 of $1 is \`$(counter "$1" "$2")\`, not \`$3\`"
}
send() { # LINES
    connect "$port"
    seq "$1" >&"$connection"
    for ((i = 0; i < $1; i++)); do read -r -t 60 -u "$connection" || fail "no answer"; done
    exec {connection}>&-
}

config java c3 >"$work/counters.properties"
"$PENSTOCK" agent -n a1 -f "$work/counters.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$((port + 1))" >"$work/counters.log" 2>&1 </dev/null &
agent=$!
send 3
await_count SOURCE.r1 EventAcceptedCount 3
await_count SINK.k1 EventDrainSuccessCount 3
await_count CHANNEL.c3 EventTakeSuccessCount 2
await_count SINK.k2 EventDrainSuccessCount 0

config '' '' >"$work/counters.new"
mv "$work/counters.new" "$work/counters.properties"
kill -HUP "$agent"
await 60 grep -q 'INFO agent: reloaded;' "$work/counters.log" || fail "the reload does not come"
send 4
await_count SINK.k1 EventDrainSuccessCount 4
await_count SOURCE.r1 EventAcceptedCount 4
await_count CHANNEL.c3 EventTakeSuccessCount ''
await_count SOURCE.r3 EventAcceptedCount ''
await_count SINK.k2 EventDrainSuccessCount 0 # the process has gone on
! grep -q 'the Java process' "$work/counters.log" || fail "the Java process was started again"
stop TERM
echo "the counters of classes that are gone are gone"

# The name of a sink goes to a flow that runs in Java as a whole. The sink ends late, and leaves the flow its counters.
late() { # TYPE CHANNEL [ENGINE]: of the sink k1
    printf 'a1.%s\n' 'sources = r1 r2' "channels = $2 c2" 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 2' "channels = $2"
    printf 'a1.channels.%s\n' "$2.type = memory" 'c2.type = memory' ${3:+"$2.penstock.engine = $3"}
    printf 'a1.sinks.k1.%s\n' "type = $1" "channel = $2" "sink.directory = $work/out" 'sink.rollInterval = 0' "awaited = $work/awaited"
    printf 'a1.sources.r2.%s\n' 'type = exec' 'command = sleep 3600' 'channels = c2'
    printf 'a1.sinks.k2.%s\n' 'type = file_roll' 'channel = c2' "sink.directory = $work/out" 'sink.rollInterval = 0' 'penstock.engine = java'
}
late example.StopsLate c1 >"$work/late.properties"
"$PENSTOCK" agent -n a1 -f "$work/late.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$((port + 1))" >"$work/late.log" 2>&1 </dev/null &
agent=$!
await 60 curl -s -o "$work/metrics" "http://127.0.0.1:$((port + 1))/metrics" || fail "there are no metrics"
await_count SINK.k1 EventDrainSuccessCount 2
late file_roll c3 java >"$work/late.new"
mv "$work/late.new" "$work/late.properties"
kill -HUP "$agent"
await 90 grep -q 'INFO agent: reloaded;' "$work/late.log" || fail "the reload does not come"
await_count CHANNEL.c3 EventTakeSuccessCount 2
await_count SINK.k1 EventDrainSuccessCount 2
await 60 grep -q 'sink k1: .* has not stopped' "$work/late.log" || fail "the sink was not late"
: >"$work/awaited"
await 60 grep -q 'StopsLate: has stopped' "$work/late.log" || fail "the late sink does not end"
sleep 4 # the figures are told each second
counts SINK.k1 EventDrainSuccessCount 2 || fail "the late sink took the counters of the flow"
stop TERM
echo "a late component leaves its name's counters to the next one"
