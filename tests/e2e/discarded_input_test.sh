#!/usr/bin/env bash
# Input that becomes no event for its form: each source and the Kafka channel say so with the first example, count it, and the
# last line of the log has its number. Input that is as it should be is not counted.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

metrics_port=$(free_port)
sources=(feed kafka http netcat netcatudp syslogudp syslogtcp avro thrift legacy)
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
a1.sources.legacy.type = thriftlegacy
a1.sources.netcat.max-line-length = 20
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

post() { # BODY: of a request that is answered 200
    [[ $(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -d "$1" "http://127.0.0.1:${port[http]}/") == 200 ]]
}
await 'the request is taken' post '[{"headers":{"a":"b"}},{"body":"good","headers":{}},{"body":null}]'
counts source http 0 || fail 'good events count as thrown away'
post '[{"body":"good"},{"message":"of a shipper","host":"x"},{"headers":{},"log":"y"},{}]' || fail 'the request is refused'
discards source http 3 'an element without "body": its event is empty, as in Flume; from 127.0.0.1; the first one: "{"message":"of a shipper","host":"x"}"'

send_to() { # SOURCE TEXT
    printf '%b' "$2" >"/dev/tcp/127.0.0.1/${port[$1]}"
}
send_to netcat 'good\ncut'
discards source netcat 1 'the connection ended in the middle of this message; from 127.0.0.1; the first one: "cut" (3 bytes)'
send_to netcat 'good\nmuch longer than twenty characters\n'
discards source netcat 2 'a line longer than max-line-length; from 127.0.0.1; the first one: "much longer'
send_to syslogtcp '<13>good\n<13>cut'
discards source syslogtcp 1 'the connection ended in the middle of this message; from 127.0.0.1; the first one: "<13>cut"'
datagram() { # SOURCE TEXT: sends it in one piece
    python3 -c 'import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), ("127.0.0.1", int(sys.argv[1])))' \
        "${port[$1]}" "$2"
}
for source in netcatudp syslogudp; do
    datagram $source $'<13>good\n'
    datagram $source $'<13>first\n<13>second\n'
    discards source $source 1 'only the first line of a datagram becomes an event, as in Flume'
done
says 'the first one: "<13>second\n"' || fail 'no example of a datagram'
for source in avro thrift legacy; do
    send_to $source 'GET / HTTP/1.0\r\n\r\n\0377\0377\0377\0377\0377\0377\0377\0377' || true
    await "$source discards" counts source $source 1
    await "the log says so" says "WARN source $source: input is thrown away: "
done
says 'the first one: "GET / HTTP/1.0\r\n' || fail 'no example of a call'

# ---- messages that are not complete ----

reads_fail() { # SOURCE NUMBER
    http_get "$metrics_port" /metrics/prometheus "$work/metrics.txt" >"$work/status.txt" &&
        grep -qE "^penstock_source_event_read_failures_total\{component=\"$1\"\} $2$" "$work/metrics.txt"
}
for source in avro thrift; do
    send_to $source 'hello\n'
    discards source $source 2
    await "$source names the text" says "WARN source $source: 127.0.0.1: not a"
    await "$source counts the text" reads_fail $source 2
done
send_to avro '\0\0\0\001\0\0\0\001\0\0\001\0abc'
send_to thrift '\0\0\0\0100\0202\041'
for source in avro thrift; do
    await "$source counts the call" reads_fail $source 3
    await "$source names the sender" says "INFO source $source: 127.0.0.1: the connection ended after "
    counts source $source 2 || fail "$source: a call that is sent again counts as thrown away"
done
send_to avro '\0\0\0\001\0\0\0\001'
await 'avro counts another call' reads_fail avro 4
[[ $(grep -c 'INFO source avro: 127.0.0.1: the connection ended after ' "$work/agent.err") == 1 ]] || fail 'said twice'
send_to legacy '\0200\001\0\004\0\0\0\006app'
discards source legacy 2 'the connection ended in the middle of this message'
datagram syslogudp ''
await 'syslogudp names the sender' says 'INFO source syslogudp: a client sends an empty datagram'
counts source syslogudp 1 || fail 'an empty datagram counts as thrown away'

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
discards source syslogtcp 7

kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
grep -qE 'stopped: .* dropped 22 \(22 for their form\), refused' "$work/agent.err" || fail "the account: $(grep stopped: "$work/agent.err")"
