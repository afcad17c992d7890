#!/usr/bin/env bash
# 100 reloads under load, each of which changes a source and adds or removes a source, a channel and a sink: what does not
# change is not touched. The file channel opens its log once, the sinks of a group keep their files, the Kafka sink and the
# sender their connections; nothing is lost, doubled or reordered.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port) changed_port=$(free_port) added_port=$(free_port) metrics_port=$(free_port)
file="$work/agent.properties"
url="http://127.0.0.1:$metrics_port/metrics/prometheus"
mkdir "$work/one" "$work/two"

config() { # NUMBER: of the reload
    local more=
    (($1 % 2 == 0)) || more=4
    cat <<EOF_
a1.sources = ${more:+r3 }r1 r2
a1.channels = c1 c2 c3 ${more:+c4}
a1.sinks = ${more:+k5 }k1 k2 k3 k4
a1.sinkgroups = g1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2
a1.sources.r2.type = netcat
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = $changed_port
a1.sources.r2.max-line-length = $((1000 + $1))
a1.sources.r2.channels = c3
a1.sources.r2.interceptors = i1
a1.sources.r2.interceptors.i1.type = static
a1.sources.r2.interceptors.i1.key = reload
a1.sources.r2.interceptors.i1.value = $1
a1.sources.r3.type = netcat
a1.sources.r3.bind = 127.0.0.1
a1.sources.r3.port = $added_port
a1.sources.r3.channels = c4
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/state
a1.channels.c1.dataDirs = $work/data
a1.channels.c1.minimumRequiredSpace = 1048576
a1.channels.c2.type = memory
a1.channels.c2.capacity = 10000
a1.channels.c3.type = memory
a1.channels.c4.type = memory
a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = failover
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/one
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/two
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.channel = c1
a1.sinks.k3.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k3.kafka.bootstrap.servers = $(<"$work/broker")
a1.sinks.k3.kafka.topic = t
a1.sinks.k3.channel = c2
a1.sinks.k4.type = null
a1.sinks.k4.channel = c3
a1.sinks.k5.type = null
a1.sinks.k5.channel = c4
EOF_
}
is() { # NAME VALUE
    [[ $(curl -s "$url" | awk -v name="$1" '$1 == name { print $2 }') == "$2" ]]
}
reload() { # NUMBER
    config "$1" >"$work/fresh"
    mv "$work/fresh" "$file"
    kill -HUP "$agent"
    await "reload $1" is 'penstock_reloads_total{result="ok"}' "$1"
}
# Of the agent: inode, and remote port of connections to the brokers, or local port of the sender's.
connections() {
    python3 - "$agent" "$port" "$added_port" "$changed_port" "$metrics_port" <<'END'
import os, sys
agent, port, *others = (int(text) for text in sys.argv[1:])
mine = set()
for fd in os.listdir(f"/proc/{agent}/fd"):
    try:
        mine.add(os.readlink(f"/proc/{agent}/fd/{fd}"))
    except FileNotFoundError:
        pass
for line in list(open(f"/proc/{agent}/net/tcp"))[1:]:
    fields = line.split()
    local, remote = (int(fields[i].split(":")[1], 16) for i in (1, 2))
    if fields[3] == "01" and f"socket:[{fields[9]}]" in mine and local not in others:
        print("sender" if local == port else "broker", fields[9])
END
}
files() { ls "$work/one" "$work/two"; }
delivered() { # SINK: prints how many events it has delivered
    curl -s "$url" | awk -v name="\"$1\"" '/^penstock_sink_events_delivered_total{/ && index($0, name) { print $2 }'
}
delivers() { [[ $(delivered "$1") -gt ${2:-0} ]]; } # SINK MORE-THAN

"$PENSTOCK" mock-broker --topic t:1 >"$work/broker" 2>"$work/broker.err" &
children[$!]=1
has_broker() { [[ -s $work/broker ]]; }
await "the broker" has_broker
config 0 >"$file"
"$PENSTOCK" agent -n a1 -f "$file" -i 3600 -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "it starts" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
# The mock broker keeps 5 MB of the topic, which a slow machine's reloads fill, so it is read beside them. Verify ends when all is there.
"$PENSTOCK" verify --from "kafka://$(<"$work/broker")/t" --manifest "$work/manifest" --idle 300s --json >"$work/kafka.json" 2>"$work/kafka.err" &
verifier=$!
children[$verifier]=1
await "verify is ready" grep -q '"type":"ready"' "$work/kafka.json"
"$PENSTOCK" load --wait --rate 60 --tolerance 1 --size 128 --format fixed --target "netcat://127.0.0.1:$port" --manifest "$work/manifest" --json \
    >"$work/load.json" 2>"$work/load.err" &
load=$!
children[$load]=1
await "the group delivers" delivers k1
await "Kafka has events" delivers k3
before=$(delivered k3)
connections | sort >"$work/connections"
files >"$work/files"
grep -q broker "$work/connections" || fail "no connection to the broker"
[[ $(grep -c sender "$work/connections") == 1 ]] || fail "the sender's connection"
for ((i = 1; i <= 100; i++)); do reload $i; done
connections | sort >"$work/connections.after"
files >"$work/files.after"
cmp "$work/connections" "$work/connections.after" || fail "connections: $(diff "$work/connections" "$work/connections.after")"
cmp "$work/files" "$work/files.after" || fail "files: $(diff "$work/files" "$work/files.after")"
delivers k3 "$before" || fail "k3 counts from the start again: $before before, $(delivered k3) now"
[[ $(grep -c "events are waiting" "$work/agent.err") == 1 ]] || fail "the log was opened more than once"

kill -INT "$load"
wait "$load" || fail "load: exit $?"
unset "children[$load]"
# What was answered may still be on its way to the far ends.
all_at() { "$PENSTOCK" verify --from "$1" --manifest "$work/manifest" --json >"$work/verify.json" 2>"$work/verify.err"; } # URL
await "the file channel and the group" all_at "file://$work/one"
wait "$verifier" || fail "the memory channel and Kafka: verify exits with $?"
unset "children[$verifier]"
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code == 0 ]] || fail "exit status $code"
grep -q "not delivered 0" "$work/agent.err" || fail "the account: $(tail -n 1 "$work/agent.err")"
echo "ok: 100 reloads"
