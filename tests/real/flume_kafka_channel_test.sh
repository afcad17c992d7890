#!/usr/bin/env bash
# Needs: kafka flume
# The Kafka channel compared with a real Flume's: the same file for both. Each writes events into topics of its own (in
# Flume's format, and bodies alone), and reads what the other one wrote; both are in one group of one topic. Records, events
# and committed offsets are compared.
# shellcheck source=tests/real/kafka_oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/kafka_oracle.sh"

step "broker"
kafka_start # its own: the topics of a shared one that begin with flume. and penstock. belong to flume_kafka_sink_test.sh
create_topics kc.in flume.kc penstock.kc flume.body penstock.body flume.plain penstock.plain kc.shared

step "input"
mkdir "$work/events"
count=0
event() { # BODY [NAME=VALUE]...
    local file
    printf -v file '%s/%03d' "$work/events" $((++count))
    avro_event "$@" >"$file"
}
event 'no headers'
event 'two' a=1 'größe=10 µm'
event '' empty=
event 'keyed é 𝄞' key=k1 part=0
for ((i = 0; i < 40; i++)); do event "event $i" part=$((i % 4)) number=$i; done
event "$(printf 'long %.0s' {1..3000})" part=2 "$(printf 'n%.0s' {1..300})=$(printf 'v%.0s' {1..700})"
for ((i = 0; i < 20; i++)); do event "key $i" key=key-$i; done
produce kc.in -p 0 "$work"/events/*

channel() { # NAME TOPIC GROUP KEY=VALUE...
    local name=$1 pair
    printf "a1.channels.$name.%s\n" type=org.apache.flume.channel.kafka.KafkaChannel "kafka.bootstrap.servers=$brokers" \
        "kafka.topic=$2" "kafka.consumer.group.id=$3" kafka.consumer.session.timeout.ms=60000 # nobody is removed who waits for a CPU
    shift 3
    for pair; do echo "a1.channels.$name.${pair%%=*} = ${pair#*=}"; done
}
sink() { # NAME CHANNEL FOLDER
    mkdir -p "$3"
    printf "a1.sinks.$1.%s\n" type=file_roll "channel=$2" "sink.directory=$3" sink.rollInterval=0 sink.serializer=header_and_text
}
agent_text() { # ENGINE
    local other
    other=$([[ $1 == flume ]] && echo penstock || echo flume)
    echo "a1.sources = r1"
    echo "a1.channels = write body plain cross crossbody shared"
    echo "a1.sinks = cross crossbody shared"
    printf "a1.sources.r1.%s\n" type=org.apache.flume.source.kafka.KafkaSource "kafka.bootstrap.servers=$brokers" kafka.topics=kc.in \
        useFlumeEventFormat=true "kafka.consumer.group.id=$1.kc" kafka.consumer.auto.offset.reset=earliest \
        "channels=write body plain"
    channel write "$1.kc" none partitionIdHeader=part defaultPartitionId=1
    channel body "$1.body" none parseAsFlumeEvent=false partitionIdHeader=part defaultPartitionId=3
    channel plain "$1.plain" none parseAsFlumeEvent=false kafka.producer.acks=all
    channel cross "$other.kc" "$1.cross"
    channel crossbody "$other.body" "$1.crossbody" parseAsFlumeEvent=false
    channel shared kc.shared kc.shared
    sink cross cross "$work/out/$1/cross"
    sink crossbody crossbody "$work/out/$1/crossbody"
    sink shared shared "$work/shared/$1"
}
# Flume's agent must not end while a transaction waits: everything is awaited before both stop.

step "both agents"
both_start
both_reach $((5 * count)) # three topics of its own, and what the other one wrote into two

step "a group of both"
await_log penstock 'channel shared: 2 partition' 60
for ((i = 0; i < 4; i++)); do produce kc.shared -p $i "$work"/events/*; done
shared_has() { (($(cat "$work"/shared/*/* | wc -l) >= 4 * count)); }
await 60 shared_has || fail "$(cat "$work"/shared/*/* | wc -l) of $((4 * count)) events of the shared topic arrived"
shared_is_committed() { # Flume commits when a take finds nothing more
    committed
    (($(awk '$2 == "kc.shared" && $4 == $5' "$work/offsets" | wc -l) == 4))
}
await 60 shared_is_committed || fail "offsets of the shared group are not committed: $(grep kc.shared "$work/offsets")"
both_stop

step "compare"
# The order of headers in a record is that of a Java map: records are compared without the value here, and with it as read.
same_records kc 's/,"payload":.*//'
same_records body
# Events without a key go to any partition.
same_records plain 's/"partition":[0-9]+,//'
for engine in $engines; do
    kcat -C -q -e -J -b "$brokers" -t "$engine.plain" | LC_ALL=C sed -nE 's/.*"partition":([0-9]+).*"key":("[^"]*").*/\2 \1/p' | LC_ALL=C sort >"$work/$engine.keys"
done
same "partitions of keys" "$work/flume.keys" "$work/penstock.keys"
for folder in cross crossbody; do
    for engine in $engines; do lines "$engine" $folder | by_name >"$work/$engine.lines"; done
    same "events in $folder" "$work/flume.lines" "$work/penstock.lines"
done
for engine in $engines; do cat "$work/shared/$engine"/* | by_name >"$work/$engine.lines"; done
(($(wc -l <"$work/flume.lines") == 2 * count)) || fail "the shared group did not give Flume two partitions of four"
same "a group of both" "$work/flume.lines" "$work/penstock.lines"
committed
for engine in $engines; do
    # a partition without a record has no committed offset
    awk -v engine="$engine" '$1 ~ "^" engine "\\.cross" && $5 > 0 {sub(/^[a-z]+\./, "", $1); sub(/^[a-z]+\./, "", $2); print}' "$work/offsets" >"$work/$engine.offsets"
done
same "committed offsets" "$work/flume.offsets" "$work/penstock.offsets"
awk '$1 == "kc.shared" && $4 != $5' "$work/offsets" >"$work/shared.lag"
[[ ! -s $work/shared.lag ]] || fail "offsets of the shared group are not committed: $(<"$work/shared.lag")"
all_same
