#!/usr/bin/env bash
# Needs: kafka flume
# The Kafka source compared with a real Flume's: one file of many sources, the same topics read by both; events with all
# their headers and the committed offsets are compared. Both share a group. Then each continues from the other's offsets.
export FLUME_LOG=INFO # Flume logs assigned partitions at this level
# shellcheck source=tests/real/kafka_oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/kafka_oracle.sh"

step "broker"
kafka_share
create_topics src.a src.b src.event src.late src.shared src.txn src.many

# ---- input ----

step "input"
seq 1 200 | produce src.a
for ((i = 0; i < 30; i++)); do printf 'key %d é|keyed %d 𝄞\n' $i $i; done | produce src.a -K'|'
printf 'with headers\n' | produce src.a -H origin=first -H other=x -H 'größe=10 µm' -H origin=last -H empty= -H stray=none
printf 'with others\n' | produce src.a -H topic=own -H time=7 -H hash=h -H other=
printf '|under an empty key\nk|\n' | produce src.a -K'|'
printf 'gone|\n|\n' | produce src.a -K'|' -Z # no value: one record with a key, one without
for codec in gzip snappy lz4 zstd; do seq 1 20 | sed "s/^/$codec /" | produce src.b -z $codec; done
for ((i = 0; i < 3; i++)); do seq 1 5 | produce src.txn -p 0 -X transactional.id=one; done
seq 1 5000 | produce src.many
produce src.late <<<'too early'

mkdir "$work/events"
datum() { # NAME: stores an event from standard input
    cat >"$work/events/$1"
}
avro_event 'no headers' | datum 01
avro_event 'own headers' topic=own timestamp=12 partition=x offset= key=mine a=1 | datum 02
printf '\377\377\377' | datum 03   # not an event: ends within a number
avro_event '' 'größe=10 µm' | datum 04
printf '\002\001a\002b\000' | datum 05 # a length below 0
{ avro_event 'with something behind it'; printf 'xyz'; } | datum 06
avro_event 'cut off' a=1 | head -c 9 | datum 07
printf '\001\010\002c\002d\000\012block' | datum 08  # a block with its size
printf '\002\002a\0021\002\002b\0022\000\014blocks' | datum 09
printf '\004\002a\0021\002a\0022\000\012twice' | datum 10
avro_event "$(printf 'long %.0s' {1..3000})" "$(printf 'n%.0s' {1..300})=$(printf 'v%.0s' {1..700})" | datum 11
produce src.event -p 0 "$work"/events/0*
produce src.event -p 0 -K'|' -Z <<<'gone|'
produce src.event -p 0 "$work"/events/1*
avro_event 'under a key' key=mine b=2 | produce src.event -p 1 -k theirs -H origin=record -D '\t\t'
avro_event 'mapped' from=event | produce src.event -p 1 -H origin=record -D '\t\t'
of_a=236 of_b=80 of_event=10 of_txn=15 of_many=5000

# ---- the agent ----

swapped=''
kafka_source() { # ENGINE NAME KEY=VALUE...: a source, its channel and its sink
    local engine=$1 name=$2 directory=$work/out/$1/$2 group=$1.source.$2 pair
    [[ ! $swapped ]] || group=$([[ $engine == flume ]] && echo penstock || echo flume).source.$name
    [[ $name != shared ]] || directory=$work/shared/$engine
    mkdir -p "$directory"
    shift 2
    printf "a1.sources.$name.%s\n" type=org.apache.flume.source.kafka.KafkaSource "kafka.bootstrap.servers=$brokers" "channels=$name"
    case $name in
    old) echo "a1.sources.$name.groupId = $group" ;;
    shared) ;; # the default group, "flume"
    *) echo "a1.sources.$name.kafka.consumer.group.id = $group" ;;
    esac
    echo "a1.sources.$name.kafka.consumer.session.timeout.ms = 30000" # nobody is removed who waits for a CPU
    [[ $name == late ]] || echo "a1.sources.$name.kafka.consumer.auto.offset.reset = earliest"
    for pair; do echo "a1.sources.$name.${pair%%=*} = ${pair#*=}"; done
    printf "a1.channels.$name.%s\n" type=memory capacity=10000 transactionCapacity=1000
    printf "a1.sinks.$name.%s\n" type=file_roll "channel=$name" "sink.directory=$directory" sink.rollInterval=0 sink.serializer=header_and_text
}

sources="list regex named old event event2 txn many late shared"
agent_text() { # ENGINE
    printf "a1.%s = $sources\n" sources channels sinks
    kafka_source "$1" list 'kafka.topics=src.a , src.b' header.from=origin header.none=empty header.offset=other 'header.gr\u00f6\u00dfe=gr\u00f6\u00dfe' \
        header.topic=topic header.timestamp=time header.key=hash
    kafka_source "$1" regex 'kafka.topics.regex=src\\.[a-b]|other' kafka.topics=src.many setTopicHeader=false batchSize=7 batchDurationMillis=100
    kafka_source "$1" named kafka.topics=src.b topicHeader=where kafka.consumer.fetch.min.bytes=1
    kafka_source "$1" old topic=src.a zookeeperConnect=127.0.0.1:1 migrateZookeeperOffsets=false
    kafka_source "$1" event kafka.topics=src.event useFlumeEventFormat=true header.from=origin backoffSleepIncrement=20
    kafka_source "$1" event2 kafka.topics=src.event useFlumeEventFormat=true topicHeader=a backoffSleepIncrement=20
    kafka_source "$1" txn kafka.topics=src.txn kafka.consumer.isolation.level=read_committed
    kafka_source "$1" many kafka.topics=src.many batchSize=1000
    kafka_source "$1" late kafka.topics=src.late
    kafka_source "$1" shared kafka.topics=src.shared
}

topics_of() { :; } # its sinks write files

step "both agents"
both_start
expected=$((2 * (of_a + of_b) + of_b + of_a + 2 * of_event + of_txn + of_many))
both_reach $expected

step "records that come later"
await_log penstock 'source shared: 2 partition' 60
await_log penstock 'source late: [0-9]+ partition'
await_log flume 'src\.late - partition 3 assigned'
patient_rest 2 # until both know where the partitions end: neither says so
seq 1 10 | produce src.late
for ((i = 0; i < 4; i++)); do seq 1 25 | sed "s/^/$i /" | produce src.shared -p $i; done
expected=$((expected + 10))
both_reach $expected
shared_lines() { cat "$work/shared"/*/* | wc -l; }
is_shared() { (($(shared_lines) >= 100)); }
await 60 is_shared || fail "$(shared_lines) lines of 100 came to the group of both"
both_stop

step "compare"
# Flume commits the offset behind the last record, and so leaves a lag of one, which is the end of its transaction. Penstock
# goes past it; the last number is the log's end.
same_offsets() {
    local engine end='s/^\(txn src\.txn 0\) 18 18$/\1 17 18/'
    committed
    for engine in $engines; do sed -n "s/^$engine\.source\.//p" "$work/offsets" | sed "$end" >"$work/$engine.offsets"; done
    same "committed offsets" "$work/flume.offsets" "$work/penstock.offsets"
}
same_lines() {
    local engine name
    for name in $sources; do
        [[ $name != shared ]] || continue
        for engine in $engines; do
            lines "$engine" "$name" >"$work/$engine.lines"
            [[ $name != event* ]] || { by_name <"$work/$engine.lines" >"$work/by_name" && mv "$work/by_name" "$work/$engine.lines"; }
        done
        same "source $name" "$work/flume.lines" "$work/penstock.lines"
    done
}
same_lines
same_offsets
cat "$work/shared"/*/* | sed 's/.*} //' | LC_ALL=C sort >"$work/shared.read"
for ((i = 0; i < 4; i++)); do seq 1 25 | sed "s/^/$i /"; done | LC_ALL=C sort >"$work/shared.sent"
same "a group of both" "$work/shared.sent" "$work/shared.read"
for engine in $engines; do
    (($(cat "$work/shared/$engine"/* | wc -l) == 50)) || fail "the shared group did not give $engine two partitions of four"
done

step "each engine continues where the other one stopped"
seq 1 40 | produce src.a
swapped=1
both_start
both_reach $((expected + 3 * 40))
both_stop
same_lines
same_offsets
all_same
