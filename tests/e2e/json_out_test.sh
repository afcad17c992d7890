#!/usr/bin/env bash
# Serializer json: the sinks file_roll, kafka and http write objects that jq reads, with the members that the keys ask for; bodies with
# quotation marks, control characters, bytes that are not UTF-8, and none; and what `check` says of wrong keys.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

port=$(free_port) blob_port=$(free_port)
mkdir "$work/file" "$work/kafka" "$work/http"
"$PENSTOCK" mock-broker --topic t:1 >"$work/address" 2>"$work/broker.err" &
children[$!]=1
has_address() { [[ -s $work/address ]]; }
await 'no address' has_address
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2 r3
a1.channels = c1 c2 c3 c4 c5
a1.sinks = k1 k2 k3 k4 k5
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2 c3
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = hostname
a1.sources.r1.interceptors.i1.value = not me
a1.sources.r2.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r2.kafka.bootstrap.servers = $(<"$work/address")
a1.sources.r2.kafka.topics = t
a1.sources.r2.kafka.consumer.auto.offset.reset = earliest
a1.sources.r2.channels = c4
a1.sources.r3.type = http
a1.sources.r3.bind = 127.0.0.1
a1.sources.r3.port = $blob_port
a1.sources.r3.handler = org.apache.flume.sink.solr.morphline.BlobHandler
a1.sources.r3.channels = c5
$(for n in 1 2 3 4 5; do echo "a1.channels.c$n.type = memory"; echo "a1.sinks.k$n.channel = c$n"; done)
a1.channels.c4.capacity = 1000
a1.channels.c4.transactionCapacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/file
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = json
a1.sinks.k1.sink.serializer.json.timestamp = @timestamp
a1.sinks.k1.sink.serializer.json.rename.host = hostname
a1.sinks.k1.sink.serializer.json.rename.Severity = severity
a1.sinks.k2.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k2.kafka.bootstrap.servers = $(<"$work/address")
a1.sinks.k2.kafka.topic = t
a1.sinks.k2.serializer = json
a1.sinks.k2.serializer.json.headers = host, Severity
a1.sinks.k2.serializer.json.nested = true
a1.sinks.k3.type = http
a1.sinks.k3.endpoint = http://127.0.0.1:$blob_port/
a1.sinks.k3.rollback.2XX = false
a1.sinks.k3.backoff.2XX = false
a1.sinks.k3.serializer = JSON
a1.sinks.k3.serializer.json.headers = none
a1.sinks.k3.serializer.json.body = text
a1.sinks.k4.type = file_roll
a1.sinks.k4.sink.directory = $work/kafka
a1.sinks.k4.sink.rollInterval = 0
a1.sinks.k5.type = file_roll
a1.sinks.k5.sink.directory = $work/http
a1.sinks.k5.sink.rollInterval = 0
EOF_
: >"$work/agent.err"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "r1 listens" grep -q "r1: listening on" "$work/agent.err"
await "r3 listens" grep -q "r3: listening on" "$work/agent.err"
{
    printf '<13>2003-10-11T22:14:15Z web plain text\n'
    printf '<11>2003-10-11T22:14:15Z web a "quote", a \\ and\ta tab \x01\x7f\n'
    printf 'no syslog \xff\xc3( \xf0\x9f\x98\x80\n'
    printf '28 <13>2003-10-11T22:14:15Z h a'
} >"/dev/tcp/127.0.0.1/$port"
lines() { cat "$work/$1"/* | wc -l; }
has_lines() { (($(lines "$1") >= $2)); }
for out in file kafka http; do await "$out: $(lines $out) lines" has_lines $out 4; done

says() { # OUT LINE FILTER
    cat "$work/$1"/* | sed -n "$2p" >"$work/line"
    jq -e "$3" <"$work/line" >/dev/null || fail "$1, line $2: not $3: $(<"$work/line")"
}
says file 1 '. == {"@timestamp": "2003-10-11T22:14:15.000Z", "message": "plain text", "Facility": "1", "priority": "13", "timestamp": "1065910455000", "severity": "5", "hostname": "web"}'
says file 2 '.message == "a \"quote\", a \\ and\ta tab \u0001\u007f"'
says file 3 '.message == "no syslog \ufffd\ufffd( 😀" and ."flume.syslog.status" == "Invalid" and .hostname == "not me" and (has("@timestamp") | not)'
says file 4 '.message == "a" and .hostname == "h"'
says kafka 1 '. == {"message": "plain text", "headers": {"host": "web", "Severity": "5"}}'
says kafka 3 '. == {"message": "no syslog \ufffd\ufffd( 😀", "headers": {"Severity": "0"}}'
for line in 1 2 3 4; do
    message=$(cat "$work/file"/* | sed -n "${line}p" | jq .message)
    says kafka $line ".message == $message"
    says http $line ". == {\"text\": $message}"
done
(($(cat "$work/file"/* | jq -c . | wc -l) == 4)) || fail "file: not four objects"

# ---- wrong keys ----

wrong() { # TEXT LINE...: the line instead of the sinks' serializer keys is named
    local text=$1
    shift
    grep -vE 'k2\.serializer' "$work/agent.properties" >"$work/wrong.properties"
    printf 'a1.sinks.k2.%s\n' "$@" >>"$work/wrong.properties"
    "$PENSTOCK" check -n a1 -f "$work/wrong.properties" >"$work/out" 2>&1 || true
    grep -qF -- "$text" "$work/out" || fail "$*: no word of \"$text\": $(<"$work/out")"
}
wrong 'serializer: text is not supported by this sink; write json' 'serializer = text'
wrong 'exclude each other' 'serializer = json' 'useFlumeEventFormat = true'
wrong 'name one member' 'serializer = json' 'serializer.json.body = m' 'serializer.json.timestamp = m'
wrong 'another header this name' 'serializer = json' 'serializer.json.rename.a = m' 'serializer.json.rename.b = m'
wrong 'json.body gives another member this name' 'serializer = json' 'serializer.json.rename.a = message'
wrong 'json.timestamp gives another member this name' 'serializer = json' 'serializer.json.timestamp = t' 'serializer.json.rename.a = t'
wrong 'json.body' 'serializer = json' 'serializer.json.bodi = m'
