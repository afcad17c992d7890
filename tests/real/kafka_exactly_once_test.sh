#!/usr/bin/env bash
# Needs: kafka
# Kafka -> memory channel -> Kafka with penstock.guarantee = exactly-once and a real broker. Two agents share the group; they
# are killed with SIGKILL, stopped, and frozen until the group has given their partitions away. A reader of committed
# records (kcat, and Java's consumer) sees each record once, and those of one partition in order.
# With BROKERS=3 (kafka_exactly_once_cluster_test.sh) brokers are killed as well, coordinators among them.
#
#   RECORDS=200000   how many      BYTES=0   how long each is at least      KILLS=4   how many disturbances of agents
#   WAYS="kill stop freeze"   what they are, in turn (the agent is killed; stopped; frozen until its partitions are given away)
#   FAULTS="kill move roll freeze controller"   with three brokers: these happen again and again beside the disturbances (kafka_faults.sh),
#                    instead of the death of a broker after each of them
#
# A long run: BYTES=120 RECORDS=10000000 KILLS=50 WAYS=kill FAULTS="kill move roll freeze controller" with kafka_exactly_once_cluster_test.sh
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/kafka_faults.sh
source "$(dirname "${BASH_SOURCE[0]}")/kafka_faults.sh"
command -v kcat >/dev/null || skip "no kcat"

records=${RECORDS:-200000}
of_load=$records
kills=${KILLS:-4}
cluster=${BROKERS:-1}
bytes=${BYTES:-0}
faults=${FAULTS:-}
budget_mib=64
read -ra ways <<<"${WAYS:-kill stop freeze}"
step_records=$((records / (kills < 20 ? 40 : 10 * kills))) # between two disturbances
if ((cluster > 1)); then
    step "$cluster brokers"
    export KAFKA_HEAP=384m
    kafka_start --brokers "$cluster" --set min.insync.replicas=2 --set connections.max.idle.ms=3000
else
    step "a broker"
    kafka_share
fi
kafka_topic once-in 4 $((cluster > 1 ? 3 : 1))
kafka_topic once-out 4 $((cluster > 1 ? 3 : 1)) --set message.timestamp.type=LogAppendTime

# NAME: an agent of its own. Records stay in their partitions, so that their order can be compared.
agent() {
    cat >"$work/$1.properties" <<EOF_
a1.penstock.memory.budget = ${budget_mib}m
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
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

# Reads the committed records into $work/out (partition, time, number); sets total and unique.
look() {
    kcat -C -q -e -b "$brokers" -t once-out -o beginning -X isolation.level=read_committed -f '%p %T %s\n' | cut -d' ' -f1-3 >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(cut -d' ' -f3 "$work/out" | sort -nu | wc -l)
}
total=0
progress() { # sets total: the ends of the output's logs, markers and open transactions included; as it was if a broker that is down should have answered
    local now
    now=$(kcat -m 20 -Q -b "$brokers" -t once-out:0:-1 -t once-out:1:-1 -t once-out:2:-1 -t once-out:3:-1 2>>"$work/kafka.log" |
        awk '{sum += $NF} END {print sum + 0}') || return 0
    total=$now
}
has() { # RECORDS
    progress
    ((total >= $1))
}
is_complete() {
    has "$records" && look && ((unique == records))
}

step "input: $records records, half of them before the agents start"
# It goes on while brokers are away, and writes nothing twice.
write() { # FROM TO
    local partition
    for partition in 0 1 2 3; do
        seq "$(($1 + (partition + 4 - $1 % 4) % 4))" 4 "$2" | awk -v bytes="$bytes" '
            BEGIN {for (i = 0; i < bytes; i++) tail = tail "."}
            {print (bytes > length($0) + 1 ? $0 " " substr(tail, 1, bytes - length($0) - 1) : $0)}' | kcat -E -P -q -z lz4 -X enable.idempotence=true -b "$brokers" -t once-in -p $partition
    done
}
write 1 $((records / 2))
agent a1
agent a2
agent_start a1
agent_start a2
await_log a1 'sink k1 .kafka.'
memory_begins a1
(
    for ((first = records / 2 + 1; first <= records; first += records / 40)); do
        write "$first" $((first + records / 40 - 1))
        sleep $((cluster > 1 ? 2 : 1))
    done
) &
load=$!
children[$load]=load

disturb() { # WAY
    case $1 in
    freeze) # its group gives its partitions away meanwhile
        kill -STOP "${agents[$name]}"
        sleep 9
        kill -CONT "${agents[$name]}"
        ;;
    kill)
        agent_kill $name
        agent_start $name
        ;;
    stop)
        agent_stop $name
        agent_start $name
        ;;
    *) fail "WAYS: there is no $1" ;;
    esac
}
if [[ $faults ]]; then # round and round, until the file is there
    (
        until [[ -e $work/calm ]]; do
            for fault in $faults; do
                [[ -e $work/calm ]] || fault "$fault" once-out 4
                sleep 5
            done
        done
    ) &
    storm=$!
    children[$storm]="faults of the brokers"
fi
for ((kill = 1; kill <= kills; kill++)); do
    progress
    before=$total
    await 60 has $((before + step_records < records ? before + step_records : records)) || fail "no records arrive"
    name=a$((1 + kill % 2))
    memory_ends $name
    disturb "${ways[$(((kill - 1) % ${#ways[@]}))]}"
    if ((cluster > 1)) && [[ ! $faults ]]; then
        kafka_kill $((1 + kill % cluster))
        sleep 3
        kafka_start
    fi
    step "disturbance $kill ($name): $total records were out"
done
if [[ $faults ]]; then
    touch "$work/calm"
    wait "$storm" || fail "a fault of the brokers ends with $?"
    unset "children[$storm]"
fi
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
# A slow machine puts the input into few transactions. These records have eight in each partition: one record and one marker at a time.
for ((piece = 0; piece < 8; piece++)); do
    progress
    before=$total
    write $((records + 1)) $((records + 4))
    records=$((records + 4))
    await 30 has $((before + 8)) || fail "the records up to $records are not committed"
done
memory_ends a1
memory_ends a2
agent_stop a1
agent_stop a2
look
input=$(consumer_groups once | awk '$2 == "once-in" {sum += $5} END {print sum + 0}')
((input == records)) || fail "the input has $input records, not $records: the load is wrong"
step "sent $records, committed $total, lost $((records - unique)), twice $((total - unique))"
((unique == records)) || fail "records are lost"
((total == unique)) || fail "records are there twice"
awk '{if ($3 <= last[$1]) {print "partition " $1 ": " $3 " after " last[$1]; exit 1} last[$1] = $3}' "$work/out" || fail "the order changed"
step "longest pauses: $(awk -v last="$of_load" '$3 <= last {print $2}' "$work/out" | sort -nu | pauses)"
memory_is_right "$budget_mib"

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
seq 1 "$records" | diff -q - <(cut -d' ' -f1 "$work/java" | sort -n) >/dev/null || fail "Java's consumer reads something else"

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
