#!/usr/bin/env bash
# Events whose header names a partition that the topic does not have, before the sink kafka (both engines) and the channel
# kafka. With dead letters they go aside and the others are delivered; without them the first one waits, and the log and
# /readyz name it; a client of the channel is refused, and the next one is served.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
broker_port=$(free_port)
port=$(free_port)
metrics_port=$(free_port)
dead=$work/dead

"$PENSTOCK" mock-broker --port "$broker_port" --topic native:3 --topic librdkafka:3 --topic waits:3 --topic channel:3 >"$work/broker.out" 2>"$work/broker.err" &
children[$!]=1
await "no broker" test -s "$work/broker.out"

agent() { # LINE...: an agent with these lines and a source http
    : >"$work/agent.err"
    printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sources.r1.type = http" "a1.sources.r1.bind = 127.0.0.1" \
        "a1.sources.r1.port = $port" "a1.sources.r1.channels = c1" "$@" >"$work/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the source listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
}
sink() { # TOPIC LINE...
    agent "a1.channels.c1.type = memory" "a1.sinks = k1" "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink" "a1.sinks.k1.channel = c1" \
        "a1.sinks.k1.kafka.topic = $1" "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$broker_port" "a1.sinks.k1.partitionIdHeader = part" "${@:2}"
}
stop() {
    local code=0
    send_signal "$agent" TERM
    wait "$agent" || code=$?
    ((code == 0)) || fail "exit status $code"
    unset "children[$agent]"
}
post() { # PARTITION...: one request with an event for each; prints the status
    local body=() part
    for part; do body+=("{\"headers\":{\"part\":\"$part\"},\"body\":\"to $part\"}"); done
    (IFS=,; curl -s --noproxy '*' -o "$work/answer" -w '%{http_code}' --data "[${body[*]}]" "http://127.0.0.1:$port/")
}

for engine in native librdkafka; do
    rm -rf "$dead"
    sink "$engine" "a1.sinks.k1.penstock.engine = $engine" "a1.sinks.k1.penstock.deadletter = $dead"
    [[ $(post 3) == 200 ]] || fail "$engine: not accepted" # before the topic is known
    [[ $(post 0 1 3 2 2147483647 4 0) == 200 ]] || fail "$engine: not accepted"
    for _ in {1..5}; do [[ $(post 3) == 200 ]] || fail "$engine: not accepted"; done
    [[ $(post 2) == 200 ]] || fail "$engine: not accepted"
    await "$engine: the others are not delivered" is_metric penstock_sink_events_delivered_total k1 5
    await "$engine: they are no dead letters" is_metric penstock_sink_events_deadletter_total k1 9
    stop
    "$PENSTOCK" deadletter show "$dead" --reason no-record --json >"$work/letters.json"
    [[ $(jq -r .body "$work/letters.json" | sort | uniq -c | xargs) == '1 to 2147483647 7 to 3 1 to 4' ]] || fail "$engine: $(<"$work/letters.json")"
    jq -r .text "$work/letters.json" | grep -q "topic $engine, partition 3: the topic has no such partition" || fail "$engine: $(<"$work/letters.json")"
done

# ---- without dead letters: it is named, and nothing overtakes it ----
sink waits
[[ $(post 1) == 200 ]] || fail "not accepted"
await "the first event is not delivered" is_metric penstock_sink_events_delivered_total k1 1
[[ $(post 7) == 200 && $(post 1) == 200 ]] || fail "not accepted"
not_ready() { [[ $(http_get "$metrics_port" /readyz "$work/ready") == 503 ]] && grep -q 'the topic has no such partition' "$work/ready"; }
await "/readyz does not name it" not_ready
grep -q 'an event cannot be delivered to topic waits, partition 7: the topic has no such partition' "$work/agent.err" || fail "the log does not name it"
is_metric penstock_sink_events_delivered_total k1 1 || fail "the event behind it overtook it"
sed -i 's|^a1.sinks.k1.partitionIdHeader.*|&\na1.sinks.k1.penstock.deadletter = '"$dead"'|' "$work/agent.properties"
kill -HUP "$agent"
await "the reload" grep -q "agent: reloaded; " "$work/agent.err"
# the sink is a new one, and counts from 0
await "the event behind it is not delivered" is_metric penstock_sink_events_delivered_total k1 1
await "it is no dead letter" is_metric penstock_sink_events_deadletter_total k1 1
stop

# ---- the channel ----
agent "a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel" "a1.channels.c1.kafka.topic = channel" \
    "a1.channels.c1.kafka.bootstrap.servers = 127.0.0.1:$broker_port" "a1.channels.c1.partitionIdHeader = part"
[[ $(post 0) == 200 ]] || fail "channel: not accepted"
[[ $(post 1 3) == 503 ]] || fail "channel: accepted what it cannot keep"
[[ $(post 2) == 200 ]] || fail "channel: the next event is not accepted"
stop
