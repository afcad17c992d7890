#!/usr/bin/env bash
# Kafka -> memory channel -> Kafka against a real broker, the agent killed with SIGKILL again and again: offsets are
# committed only past what was delivered, so nothing is lost, whatever was in the channel. (Records may come twice.)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
penstock=${PENSTOCK:-$here/../../build/release/penstock}
kafka=$here/kafka

for tool in java mvn kcat; do
    command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
[[ -x $penstock ]] || { echo "SKIP: no program at $penstock"; exit 77; }

records=${RECORDS:-400000}
port=${PORT:-19540}
work=$(mktemp -d)
agent=''
cleanup() {
    [[ -z $agent ]] || kill -9 "$agent" 2>/dev/null || true
    "$kafka" stop --dir "$work/kafka" --wipe >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

"$kafka" start --dir "$work/kafka" --port "$port" >"$work/start.log" 2>&1 || { echo "SKIP: no Kafka: $(tail -1 "$work/start.log")"; exit 77; }
broker=127.0.0.1:$port
"$kafka" topic in 4 --dir "$work/kafka" >/dev/null
"$kafka" topic out 4 --dir "$work/kafka" >/dev/null

cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r1.kafka.bootstrap.servers = $broker
a1.sources.r1.kafka.topics = in
a1.sources.r1.kafka.consumer.group.id = killed
a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
a1.sources.r1.kafka.consumer.session.timeout.ms = 6000
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 20000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $broker
a1.sinks.k1.kafka.topic = out
a1.sinks.k1.allowTopicOverride = false
a1.sinks.k1.channel = c1
EOF_

start_agent() {
    "$penstock" agent -n a1 -f "$work/agent.properties" >>"$work/agent.log" 2>&1 &
    agent=$!
}

# How many records a topic has, asked of the broker.
count() {
    kcat -Q -b "$broker" -t "$1:0:-1" -t "$1:1:-1" -t "$1:2:-1" -t "$1:3:-1" 2>/dev/null | awk '{n += $NF} END {print n + 0}'
}

wait_for() { # at least N records in `out`
    local i
    for ((i = 0; i < 600; i++)); do
        (($(count out) >= $1)) && return 0
        sleep 0.1
    done
    echo "only $(count out) records after 60 s, $1 were to come"
    tail -5 "$work/agent.log"
    return 1
}

# Half is there before the agent starts, the other half comes while it runs and is killed.
seq 1 $((records / 2)) | kcat -P -q -b "$broker" -t in
start_agent
(
    for ((first = records / 2 + 1; first <= records; first += records / 40)); do
        seq "$first" $((first + records / 40 - 1)) | kcat -P -q -b "$broker" -t in
        sleep 0.5
    done
) &
load=$!

for kill in 1 2 3; do
    before=$(count out)
    wait_for $((before + records / 40))
    kill -9 "$agent"
    wait "$agent" 2>/dev/null || true
    echo "kill $kill: $(count out) records were out"
    start_agent
done
wait "$load"

# Until every number is there.
for ((i = 0; i < 60; i++)); do
    kcat -C -q -e -b "$broker" -t out -o beginning >"$work/out"
    unique=$(sort -un "$work/out" | wc -l)
    ((unique < records)) || break
    sleep 1
done
kill -TERM "$agent"
wait "$agent" || { echo "the agent did not stop cleanly"; tail -5 "$work/agent.log"; exit 1; }
agent=''
total=$(wc -l <"$work/out")
echo "sent $records, out $total, lost $((records - unique)), twice $((total - unique))"
((unique == records))

# Stopped cleanly: everything is committed, nothing would be read again.
lag=$("$kafka" run org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" --describe \
    --group killed 2>/dev/null | awk '$2 == "in" {lag += $6} END {print lag + 0}')
echo "lag after the clean stop: $lag"
((lag == 0))
