#!/usr/bin/env bash
# Needs: kafka
# Kafka -> memory channel -> Kafka with a real broker; the agent is killed with SIGKILL several times: only offsets of
# delivered records are committed, so no record is lost, whatever the channel held. (Records may be duplicated.)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

records=${RECORDS:-400000} # at least
part=$((records / 40))
step "a broker"
kafka_share
kafka_topic killed-in 4
kafka_topic killed-out 4
cat >"$work/a.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r1.kafka.bootstrap.servers = $brokers
a1.sources.r1.kafka.topics = killed-in
a1.sources.r1.kafka.consumer.group.id = killed
a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
a1.sources.r1.kafka.consumer.session.timeout.ms = 12000
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 20000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $brokers
a1.sinks.k1.kafka.topic = killed-out
a1.sinks.k1.allowTopicOverride = false
a1.sinks.k1.channel = c1
EOF_

# Prints the number of records of a topic, as the broker reports it.
count() {
    kcat -Q -b "$brokers" -t "$1:0:-1" -t "$1:1:-1" -t "$1:2:-1" -t "$1:3:-1" 2>/dev/null | awk '{n += $NF} END {print n + 0}'
}
has() { # TOPIC RECORDS
    (($(count "$1") >= $2))
}

# Counts the records of topic out; sets total and unique.
look() {
    kcat -C -q -e -b "$brokers" -t killed-out -o beginning >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -un "$work/out" | wc -l)
}
is_complete() {
    look
    ((unique == records))
}

lag() {
    consumer_groups killed | awk '$2 == "killed-in" {lag += $6; n++} END {print n == 4 ? lag + 0 : "unknown"}'
}
is_committed() {
    [[ $(lag) == 0 ]]
}

# Half of the records is there before the agent starts; the others are written while it runs and is killed, until the last kill.
seq 1 $((records / 2)) | kcat -P -q -b "$brokers" -t killed-in
agent_start a
(
    for ((first = records / 2 + 1; ; first += part)); do
        ((first <= records)) || [[ ! -e $work/killed ]] || { echo $((first - 1)) >"$work/sent"; break; }
        seq "$first" $((first + part - 1)) | kcat -P -q -b "$brokers" -t killed-in
        sleep 0.5
    done
) &
load=$!
children[$load]=load

for ((kill = 1; kill <= 3; kill++)); do
    before=$(count killed-out)
    await 60 has killed-out $((before + part)) || fail "no records arrive"
    agent_kill a
    step "kill $kill: $(count killed-out) records were out"
    agent_start a
done
touch "$work/killed"
wait $load || fail "the load ends with $?"
unset "children[$load]"
records=$(<"$work/sent")

# All may be out before the last agent has its partitions; it reads again what was not committed, and then a last thousand.
await 60 is_committed || true
seq $((records + 1)) $((records + 1000)) | kcat -P -q -b "$brokers" -t killed-in
((records += 1000))
await 60 is_complete || true
agent_stop a
step "sent $records, out $total, lost $((records - unique)), twice $((total - unique))"
((unique == records)) || fail "records are lost"

# After a clean stop everything is committed: no record would be read again.
lag=$(lag)
step "lag after the clean stop: $lag"
[[ $lag == 0 ]] || fail "the last offsets are not committed"
