#!/usr/bin/env bash
# Needs: kafka
# Kafka -> memory channel -> Kafka with penstock.guarantee = exactly-once and a real broker. Two agents share the group; they
# are killed with SIGKILL, stopped, and frozen until the group has given their partitions away. A reader of committed
# records (kcat, and Java's consumer) sees each record once, and those of one partition in order.
# With BROKERS=3 (kafka_exactly_once_cluster_test.sh) brokers are killed as well, coordinators among them.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

records=${RECORDS:-200000}
kills=${KILLS:-4}
cluster=${BROKERS:-1}
if ((cluster > 1)); then
    step "$cluster brokers"
    export KAFKA_HEAP=384m
    kafka_start --brokers "$cluster" --set min.insync.replicas=2 --set connections.max.idle.ms=3000
else
    step "a broker"
    kafka_share
fi
kafka_topic once-in 4 $((cluster > 1 ? 3 : 1))
kafka_topic once-out 4 $((cluster > 1 ? 3 : 1))

# NAME: an agent of its own. Records stay in their partitions, so that their order can be compared.
agent() {
    cat >"$work/$1.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r1.penstock.engine = ${KAFKA_SOURCE_ENGINE:-librdkafka}
a1.sources.r1.kafka.bootstrap.servers = $brokers
a1.sources.r1.kafka.topics = once-in
a1.sources.r1.kafka.consumer.group.id = once
a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
a1.sources.r1.kafka.consumer.session.timeout.ms = 6000
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 20000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $brokers
a1.sinks.k1.kafka.topic = once-out
a1.sinks.k1.allowTopicOverride = false
a1.sinks.k1.partitionIdHeader = partition
a1.sinks.k1.penstock.guarantee = exactly-once
a1.sinks.k1.penstock.transaction.id = $1
a1.sinks.k1.penstock.transaction.interval = 300
a1.sinks.k1.penstock.transaction.timeout = 10000
a1.sinks.k1.channel = c1
EOF_
}

# Counts the committed records; sets total.
look() {
    kcat -C -q -e -b "$brokers" -t once-out -o beginning -X isolation.level=read_committed -f '%p %s\n' >"$work/out"
    total=$(wc -l <"$work/out")
}
distinct() { # of the last look; sets unique
    unique=$(cut -d' ' -f2 "$work/out" | sort -un | wc -l)
}
is_complete() {
    look
    ((total >= records)) && distinct && ((unique == records)) # sorting takes as long as reading
}
has() { # RECORDS
    look
    ((total >= $1))
}

step "input: $records records, half of them before the agents start"
# It goes on while brokers are away, and writes nothing twice.
write() { # FROM TO
    local partition
    for partition in 0 1 2 3; do
        seq "$1" "$2" | awk -v p=$partition '$1 % 4 == p' | kcat -E -P -q -X enable.idempotence=true -b "$brokers" -t once-in -p $partition
    done
}
write 1 $((records / 2))
agent a1
agent a2
agent_start a1
agent_start a2
(
    for ((first = records / 2 + 1; first <= records; first += records / 40)); do
        write "$first" $((first + records / 40 - 1))
        sleep $((cluster > 1 ? 2 : 1))
    done
) &
load=$!
children[$load]=load

for ((kill = 1; kill <= kills; kill++)); do
    look
    before=$total
    await 60 has $((before + records / 40 < records ? before + records / 40 : records)) || fail "no records arrive"
    name=a$((1 + kill % 2))
    case $((kill % 3)) in
        0) # its group gives its partitions away meanwhile
            kill -STOP "${agents[$name]}"
            sleep 9
            kill -CONT "${agents[$name]}"
            ;;
        1)
            agent_kill $name
            agent_start $name
            ;;
        2)
            agent_stop $name
            agent_start $name
            ;;
    esac
    if ((cluster > 1)); then
        kafka_kill $((1 + kill % cluster))
        sleep 3
        kafka_start
    fi
    step "disturbance $kill ($name): $total committed records were out"
done
wait $load || fail "the load ends with $?"
unset "children[$load]"

await 90 is_complete || true
if ((cluster > 1)); then
    step "brokers have closed the connections that were idle, those to coordinators among them"
    sleep 7
    write $((records + 1)) $((records + 1000))
    records=$((records + 1000))
    await 30 is_complete || fail "committed $total of $records"
fi
agent_stop a1
agent_stop a2
look
distinct
step "sent $records, committed $total, lost $((records - unique)), twice $((total - unique))"
((unique == records)) || fail "records are lost"
((total == unique)) || fail "records are there twice"
awk '{if ($2 <= last[$1]) {print "partition " $1 ": " $2 " after " last[$1]; exit 1} last[$1] = $2}' "$work/out" || fail "the order changed"

lag=$(consumer_groups once | awk '$2 == "once-in" {lag += $6; n++} END {print n == 4 ? lag + 0 : "unknown"}')
step "lag after the clean stop: $lag"
[[ $lag == 0 ]] || fail "the last offsets are not committed"

# With the second protocol of transactions each commit gives the producer a new epoch, so each marker of a partition has an epoch
# of its own; with the first one only a new producer has one.
features=$("$kafka" run org.apache.kafka.tools.FeatureCommand --bootstrap-server "$brokers" describe 2>"$work/features") || features=''
level=$(sed -n 's/.*transaction\.version.*FinalizedVersionLevel: *\([0-9]*\).*/\1/p' <<<"$features")
segment=$(find "$kafka_dir" -path '*/once-out-0/*.log' | head -1)
"$kafka" run org.apache.kafka.tools.DumpLogSegments --files "$segment" >"$work/segment" 2>&1 || fail "no dump of $segment"
awk '/isControl: true/ {match($0, /producerId: [0-9]+ producerEpoch: [0-9]+/); print substr($0, RSTART, RLENGTH)}' "$work/segment" >"$work/markers"
markers=$(wc -l <"$work/markers") epochs=$(sort -u "$work/markers" | wc -l)
step "transaction.version of the cluster: ${level:-none}; partition 0 has $markers markers of $epochs epochs"
((markers >= 8)) || fail "too few transactions"
if ((${level:-0} >= 2)); then
    ((epochs == markers)) || fail "the second protocol of transactions was not used"
else
    ((epochs < markers)) || fail "the first protocol of transactions was not used"
fi

java_reads_committed once-out "$records"
seq 1 "$records" | diff -q - <(sort -n "$work/java") >/dev/null || fail "Java's consumer reads something else"

step "an event that the broker refuses goes to the dead letters, the others are committed"
kafka_topic large-in 2
kafka_topic large-out 2 --set max.message.bytes=100000
agent large
sed -i -e 's/once-/large-/; s/group.id = once/group.id = large/' -e "\$aa1.sinks.k1.penstock.deadletter = $work/dead" "$work/large.properties"
head -c 300000 /dev/zero | tr '\0' L >"$work/large"
{ seq 1 1000 | kcat -E -P -X enable.idempotence=true -q -b "$brokers" -t large-in; kcat -E -P -X enable.idempotence=true -q -b "$brokers" -t large-in "$work/large"; } || fail "no input"
seq 1001 2000 | kcat -E -P -X enable.idempotence=true -q -b "$brokers" -t large-in
agent_start large
large_is_there() {
    kcat -C -q -e -b "$brokers" -t large-out -o beginning -X isolation.level=read_committed | sort -n >"$work/large.out"
    seq 1 2000 | diff -q - "$work/large.out" >/dev/null
}
await 60 large_is_there || fail "committed: $(wc -l <"$work/large.out") of 2000"
agent_stop large
(($(find "$work/dead" -type f -exec cat {} + | wc -l) == 1)) || fail "not one dead letter"
