#!/usr/bin/env bash
# Input that becomes no event for its form: the Kafka source and channel say so with the first example, count it, and the last line of the log
# has its number; what a sender of syslog does wrong is said for each. (Other sources: tests/scenarios/discarded_input.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

metrics_port=$(free_port)
sources=(feed kafka syslogtcp)
declare -A port=()
for source in "${sources[@]:2}"; do port[$source]=$(free_port); done
"$PENSTOCK" mock-broker --topic t:1 >"$work/brokers" 2>"$work/brokers.err" &
children[$!]=1
await 'the brokers' grep -q . "$work/brokers"
{
    echo "a1.sources = ${sources[*]}"
    echo 'a1.channels = c1 feed c2'
    echo 'a1.sinks = k1 feed k2'
    for source in "${sources[@]:2}"; do
        echo "a1.sources.$source.type = $source"
        echo "a1.sources.$source.bind = 127.0.0.1"
        echo "a1.sources.$source.host = 127.0.0.1"
        echo "a1.sources.$source.port = ${port[$source]}"
        echo "a1.sources.$source.channels = c1"
    done
    cat <<END
a1.sources.feed.type = exec
a1.sources.feed.command = printf plain\\\\\\\\033\\\\\\\\n
a1.sources.feed.shell = /bin/bash -c
a1.sources.feed.channels = feed
a1.channels.feed.type = memory
a1.sinks.feed.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.feed.kafka.bootstrap.servers = $(<"$work/brokers")
a1.sinks.feed.kafka.topic = t
a1.sinks.feed.channel = feed
a1.sources.kafka.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.kafka.kafka.bootstrap.servers = $(<"$work/brokers")
a1.sources.kafka.kafka.topics = t
a1.sources.kafka.kafka.consumer.group.id = g
a1.sources.kafka.kafka.consumer.auto.offset.reset = earliest
a1.sources.kafka.useFlumeEventFormat = true
a1.sources.kafka.batchSize = 100
a1.sources.kafka.channels = c1
a1.channels.c2.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c2.kafka.bootstrap.servers = $(<"$work/brokers")
a1.channels.c2.kafka.topic = t
a1.channels.c2.kafka.consumer.auto.offset.reset = earliest
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
END
} >"$work/agent.properties"
mkdir "$work/out"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1
counts() { # KIND COMPONENT NUMBER
    http_get "$metrics_port" /metrics/prometheus "$work/metrics.txt" >"$work/status.txt" &&
        grep -qE "^penstock_$1_events_discarded_total\{component=\"$2\"\} $3$" "$work/metrics.txt"
}
says() { grep -qF "$1" "$work/agent.err"; }
discards() { # KIND COMPONENT NUMBER WORDS..
    await "$2 discards $3" counts "$1" "$2" "$3"
    local words
    for words in "${@:4}"; do
        await "the log says of $2: $words" says "WARN $1 $2: input is thrown away: $words"
    done
}
for source in "${sources[@]:2}"; do await "$source is there" counts source "$source" 0; done
ready() { [[ $(http_get "$metrics_port" /livez "$work/live.txt") == 200 ]]; }
await 'it is alive' ready

discards source kafka 1 "not an event of Flume's Avro format; topic t, partition 0, offset 0; the first one: \"plain\\x1b\" (6 bytes)"
discards channel c2 1 "not an event of Flume's Avro format; topic t, partition 0, offset 0; the first one: \"plain\\x1b\""

# ---- what a sender of syslog does wrong is said for each ----

syslog_from() { # ADDRESS PYTHON: sends these bytes
    python3 -c 'import gzip, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=(sys.argv[2], 0)) as to:
    to.sendall(eval(sys.argv[3]))' "${port[syslogtcp]}" "$1" "$2"
}
syslog_says() { # ADDRESS WORDS AFTER: the log says it of this sender
    await "the log says of $1: $2" grep -qE "WARN source syslogtcp: $1 $2.*$3" "$work/agent.err"
}
syslog_from 127.0.1.1 'b"<13>begun"'
syslog_says 127.0.1.1 'ends its connection in the middle of a message' 'these 9 bytes become no event'
syslog_from 127.0.1.2 'b"<14>begun"'
syslog_says 127.0.1.2 'ends its connection in the middle of a message' 'these 9 bytes become no event'
syslog_from 127.0.1.3 'b"".join(b"7 hello %d" % i for i in range(9))'
syslog_says 127.0.1.3 'ends its connection in the middle of a message' 'set penstock.framing = octet-counted'
syslog_from 127.0.1.4 'gzip.compress(b"<13>hello\n" * 9)'
syslog_says 127.0.1.4 'ends its connection in the middle of a message' 'these bytes are compressed'
syslog_from 127.0.1.5 'b"hello, a message without a priority\0" * 9'
syslog_says 127.0.1.5 'ends its connection in the middle of a message' 'set penstock.framing = nul '
syslog_from 127.0.1.6 'b"<13>hello\r" * 9'
syslog_says 127.0.1.6 'ends its connection in the middle of a message' 'its messages end at a carriage return'
discards source syslogtcp 6

kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
grep -qE 'stopped: .* dropped 8 \(8 for their form\), refused' "$work/agent.err" || fail "the account: $(grep stopped: "$work/agent.err")"
