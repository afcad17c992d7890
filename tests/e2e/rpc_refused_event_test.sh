#!/usr/bin/env bash
# Sinks avro and thrift before a source that ends the connection at one event, which is larger than it takes. With dead letters that event
# goes aside, wherever it is in its call, and the others arrive in order; without them it waits, and the log and /readyz name it. A
# source that is away is no event's matter.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in=$(free_port)
far=$(free_port)
metrics_port=$(free_port)

near() { # LINK LINE...
    : >"$work/near.err"
    printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.type = http" "a1.sources.r1.bind = 127.0.0.1" \
        "a1.sources.r1.port = $in" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" "a1.sinks.k1.type = $1" "a1.sinks.k1.channel = c1" \
        "a1.sinks.k1.hostname = 127.0.0.1" "a1.sinks.k1.port = $far" "a1.sinks.k1.penstock.retry.backoff = 50" "a1.sinks.k1.penstock.retry.backoff.max = 50" \
        "${@:2}" >"$work/near.properties"
    "$PENSTOCK" agent -n a1 -f "$work/near.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>>"$work/near.err" &
    near=$!
    children[$near]=1
    await "the near agent listens" grep -q "listening on 127.0.0.1:$in" "$work/near.err"
}
far() { # LINK
    : >"$work/far.err"
    printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.type = $1" "a1.sources.r1.bind = 127.0.0.1" \
        "a1.sources.r1.port = $far" "a1.sources.r1.penstock.message.max = 20000" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" \
        "a1.sinks.k1.type = file_roll" "a1.sinks.k1.channel = c1" "a1.sinks.k1.sink.directory = $work/out" "a1.sinks.k1.sink.rollInterval = 0" >"$work/far.properties"
    "$PENSTOCK" agent -n a1 -f "$work/far.properties" 2>>"$work/far.err" &
    far_agent=$!
    children[$far_agent]=1
    await "the far agent listens" grep -q "listening on 127.0.0.1:$far" "$work/far.err"
}
stop() { # PROCESS
    send_signal "$1" TERM
    wait "$1" || fail "exit status $?"
    unset "children[$1]"
}
large=$(printf 'x%.0s' {1..30000})
sent=0
post() { # small|large..: one request with an event for each, whose body begins with its number
    local body=() size
    for size; do
        ((++sent))
        body+=("{\"body\":\"<$sent>$([[ $size == small ]] || echo "$large")\"}")
    done
    [[ $(IFS=,; curl -s --noproxy '*' -o "$work/answer" -w '%{http_code}' --data "[${body[*]}]" "http://127.0.0.1:$in/") == 200 ]] || fail "not accepted"
}
arrived() { cat "$work"/out/* 2>/dev/null | grep -o '<[0-9]*>' | tr -d '<>' | xargs; }
has_arrived() { [[ $(arrived) == "$1" ]]; }

for link in avro thrift; do
    rm -rf "$work/out" "$work/dead"
    mkdir "$work/out"
    sent=0
    far $link
    near $link "a1.sinks.k1.penstock.deadletter = $work/dead"
    post large # the first event of the connection
    post small small small large small large large small
    post small
    await "$link: they are no dead letters" is_metric penstock_sink_events_deadletter_total k1 4
    await "$link: the others have not arrived" has_arrived '2 3 4 6 9 10'
    "$PENSTOCK" deadletter show "$work/dead" --reason request-refused --json >"$work/letters.json"
    [[ $(jq -r '.body[0:4]' "$work/letters.json" | grep -o '[0-9]*' | xargs) == '1 5 7 8' ]] || fail "$link: $(cut -c 1-300 "$work/letters.json")"
    grep -q 'the source fails at an event of 30,*003 bytes alone in its call' "$work/letters.json" || fail "$link: $(cut -c 1-300 "$work/letters.json")"

    # A source that is away: events wait, and are no dead letters.
    stop "$far_agent"
    post small small
    await "$link: the outage is not named" grep -q 'WARN sink k1: 127.0.0.1:.*tries again' "$work/near.err"
    far $link
    await "$link: they have not arrived" has_arrived '2 3 4 6 9 10 11 12'
    is_metric penstock_sink_events_deadletter_total k1 4 || fail "$link: a dead letter because of an outage"
    stop "$near"
    stop "$far_agent"
done

# ---- without dead letters ----
rm -rf "$work/out"
mkdir "$work/out"
sent=0
far avro
near avro
post small large small
not_ready() { [[ $(http_get "$metrics_port" /readyz "$work/ready") == 503 ]] && grep -q 'sink k1 has failed .*the source fails at an event of 30003 bytes alone in its call' "$work/ready"; }
await "/readyz does not name it" not_ready
grep -q 'ERROR sink k1: .*the source fails at an event of 30003 bytes alone in its call.*set penstock.deadletter' "$work/near.err" || fail "the log does not name it"
has_arrived 1 || fail "what is behind it has overtaken it, or the event before it waits: $(arrived)"
