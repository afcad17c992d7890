#!/usr/bin/env bash
# Dead letters into a channel: a Kafka sink gives up records that are too large, and a netcat source lines that are too long;
# the channel's sink writes them into files, with their headers; over a reload and a stop each is there once.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v nc >/dev/null || { echo "SKIP: no nc"; exit 77; }
broker_port=$(free_port)
port=$(free_port)
http=$(free_port)

"$PENSTOCK" mock-broker --port "$broker_port" --topic out:1 >"$work/broker.out" 2>"$work/broker.err" &
children[$!]=1
await "no broker" test -s "$work/broker.out"

agent_file() { # TYPE: of the letters' channel; INTERVAL: of the letters' files
    cat <<END
a1.sources = r1
a1.channels = c1 c9
a1.sinks = k1 k9
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.max-line-length = 10000
a1.sources.r1.channels = c1
a1.sources.r1.penstock.deadletter = c9
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.channel = c1
a1.sinks.k1.kafka.topic = out
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.sinks.k1.kafka.producer.max.request.size = 4000
a1.sinks.k1.penstock.deadletter = c9
a1.channels.c9.type = $1
END
    if [[ $1 == file ]]; then
        echo "a1.channels.c9.checkpointDir = $work/c9/checkpoint"
        echo "a1.channels.c9.dataDirs = $work/c9/data"
        echo "a1.channels.c9.minimumRequiredSpace = 1048576"
    fi
    cat <<END
a1.sinks.k9.type = file_roll
a1.sinks.k9.channel = c9
a1.sinks.k9.sink.directory = $work/dead
a1.sinks.k9.sink.rollInterval = $2
a1.sinks.k9.sink.serializer = header_and_text
END
}
lines() { # FIRST LAST: every tenth is too large for the topic
    awk -v first="$1" -v last="$2" 'BEGIN {
        large = sprintf("%5000s", ""); gsub(/ /, "x", large)
        for (i = first; i <= last; i++) print (i % 10 == 3 ? "large " i " " large : "small " i)
    }'
}
send() {
    nc -N 127.0.0.1 "$port" <"$1" >"$work/answers" || fail "nc"
}
letters() { cat "$work"/dead/* 2>/dev/null; }
has_letters() { [[ $(letters | grep -c 'reason=record-too-large') -ge $1 ]]; }
configured() { [[ $(grep -c 'agent: reloaded' "$work/a1.err") -ge $1 ]]; }

for type in memory file; do
    rm -rf "$work/dead"
    mkdir -p "$work/dead"
    agent_file "$type" 0 >"$work/a1.properties"
    : >"$work/a1.err"
    "$PENSTOCK" agent -n a1 -f "$work/a1.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$http" 2>"$work/a1.err" &
    agent=$!
    children[$agent]=1
    await "the source does not listen" grep -q "listening on 127.0.0.1:$port" "$work/a1.err"
    grep -q 'sink k1 .*dead letters into c9' "$work/a1.err" || fail "$type: the start does not name the channel"

    lines 1 300 >"$work/sent"
    send "$work/sent"
    await "$type: 30 letters" has_letters 30
    # a reload while letters come: the sink of the letters is another one
    lines 301 600 >"$work/part"
    send "$work/part" &
    sender=$!
    agent_file "$type" 3600 >"$work/a1.properties"
    kill -HUP "$agent"
    wait "$sender" || fail "$type: nc"
    await "$type: no reload: $(tail -3 "$work/a1.err")" configured 1
    cat "$work/part" >>"$work/sent"
    await "$type: 60 letters" has_letters 60
    # a line that is too long for the source: its start is a letter of the source
    head -c 12000 /dev/zero | tr '\0' y >"$work/long"
    echo >>"$work/long"
    send "$work/long"
    long_there() { letters | grep -q 'component=source r1.*reason=line-too-long'; }
    await "$type: the line that is too long" long_there
    curl -s "http://127.0.0.1:$http/metrics/prometheus" >"$work/metrics"
    grep -q '^penstock_sink_events_deadletter_total{component="k1"} [0-9]' "$work/metrics" || fail "$type: the counter: $(grep deadletter "$work/metrics")"
    kill -TERM "$agent"
    wait "$agent" || fail "$type: the agent exits with $?"
    unset "children[$agent]"

    diff <(letters | grep -o 'large [0-9]* x*$' | sort) <(grep '^large' "$work/sent" | sort) >"$work/diff" || fail "$type: the letters differ: $(head -c 300 "$work/diff")"
    letters | grep 'large 3 x' | grep 'penstock.deadletter.agent=a1' | grep 'penstock.deadletter.component=sink k1' |
        grep 'penstock.deadletter.attempts=0' | grep 'penstock.deadletter.count=1' | grep -q 'penstock.deadletter.time=20' || fail "$type: headers"
    grep -q 'stopped: .*dead letters 61' "$work/a1.err" || fail "$type: the account: $(grep stopped: "$work/a1.err")"
done
echo "ok: 60 letters through a memory channel, 60 through a file channel"
