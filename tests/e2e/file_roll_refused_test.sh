#!/usr/bin/env bash
# Events that the serializer of the sink file_roll refuses: with dead letters they go aside and the others are written;
# without them the first one stops the sink, and the log names it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)
metrics_port=$(free_port)
dead=$work/dead
mkdir "$work/out"

agent() { # LINE...
    : >"$work/agent.err"
    printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.type = http" "a1.sources.r1.bind = 127.0.0.1" \
        "a1.sources.r1.port = $port" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" "a1.sinks.k1.type = file_roll" \
        "a1.sinks.k1.channel = c1" "a1.sinks.k1.sink.directory = $work/out" "a1.sinks.k1.sink.rollInterval = 0" \
        "a1.sinks.k1.sink.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder" "$@" >"$work/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the source listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
}
post() { # SCHEMA...: one request with an event for each
    local body=() schema
    for schema; do body+=("{\"headers\":{\"flume.avro.schema.literal\":\"$schema\"},\"body\":\"for $schema\"}"); done
    [[ $(IFS=,; curl -s --noproxy '*' -o "$work/answer" -w '%{http_code}' --data "[${body[*]}]" "http://127.0.0.1:$port/") == 200 ]] || fail "not accepted"
}

good='\"bytes\"'
agent "a1.sinks.k1.penstock.deadletter = $dead"
post nonsense "$good" '{' "$good" "$good" nothing
post "$good"
await "the others are not written" is_metric penstock_sink_events_delivered_total k1 4
await "they are no dead letters" is_metric penstock_sink_events_deadletter_total k1 3
send_signal "$agent" TERM
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
"$PENSTOCK" deadletter show "$dead" --reason event-unwritable --json >"$work/letters.json"
[[ $(jq -r .body "$work/letters.json" | xargs) == 'for nonsense for { for nothing' ]] || fail "$(<"$work/letters.json")"

agent
post nonsense
await "the log does not name it" grep -q 'ERROR sink k1: an event cannot be written: ' "$work/agent.err"
