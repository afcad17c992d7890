#!/usr/bin/env bash
# Two sinks of one channel; the broker of one dies after that sink has delivered. It gives back what it holds again and again: /readyz says
# all the time that it has lost its destination, since the same time, until it delivers again.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in=$(free_port) broker=$(free_port) metrics_port=$(free_port)
broker() {
    "$PENSTOCK" mock-broker --port "$broker" --topic logs:1 >"$work/broker.out" 2>&1 &
    kafka=$!
    children[$kafka]=1
    await "the broker listens" test -s "$work/broker.out"
}
broker
printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sinks = k1 k2" "a1.sources.r1.type = netcat" "a1.sources.r1.bind = 127.0.0.1" \
    "a1.sources.r1.port = $in" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" a1.sinks.k{1,2}".channel = c1" \
    "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink" "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$broker" \
    "a1.sinks.k1.kafka.topic = logs" "a1.sinks.k1.kafka.producer.request.timeout.ms = 300" "a1.sinks.k1.kafka.producer.delivery.timeout.ms = 600" \
    a1.sinks.k1.penstock.retry.backoff{,.max}" = 50" "a1.sinks.k2.type = null" >"$work/a.properties"
"$PENSTOCK" agent -n a1 -f "$work/a.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "the source listens" grep -q "listening on 127.0.0.1:$in" "$work/agent.err"
exec 3<>"/dev/tcp/127.0.0.1/$in"
send() {
    echo line >&3
    read -r answer <&3
    [[ $answer == OK ]] || fail "not accepted: $answer"
}
has_delivered() { # MORE: events than that
    send
    (($(metric penstock_sink_events_delivered_total k1) > $1))
}
await "it has delivered nothing" has_delivered 0
kill -9 "$kafka"
wait "$kafka" 2>"$work/killed" || true # by the signal
unset "children[$kafka]"
# The lines that /readyz had of it, each once: after the first one there is always one, and the time in it stays.
look() {
    send
    http_get "$metrics_port" /readyz "$work/ready" >"$work/status"
    sed -nE 's/^sink k1 (.*destination).*(\(since .*\))$/\1 \2/p' "$work/ready" >"$work/line"
    [[ -s $work/line || -s $work/lines ]] || return 0
    [[ -s $work/line ]] || fail "/readyz has forgotten it: $(<"$work/ready")"
    cat "$work/line" >>"$work/lines"
}
: >"$work/lines"
tries=$(metric penstock_sink_connections_failed_total k1)
is_tried_again() { # it was closed and opened several times since the first line
    look
    (($(metric penstock_sink_connections_failed_total k1) >= tries + 6 && $(wc -l <"$work/lines") >= 10))
}
await "it is not tried" is_tried_again
[[ $(sort -u "$work/lines" | wc -l) == 1 && $(<"$work/lines") == "has lost its destination (since "* ]] || fail "it changes: $(uniq -c "$work/lines")"
before=$(metric penstock_sink_events_delivered_total k1)
broker
await "it does not deliver again" has_delivered "$before"
[[ $(http_get "$metrics_port" /readyz "$work/ready") == 200 && $(<"$work/ready") == ok ]] || fail "/readyz: $(<"$work/ready")"
! grep -q 'has not reached' "$work/agent.err" || fail "$(grep 'has not reached' "$work/agent.err")"
exec 3>&-
send_signal "$agent" TERM
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
