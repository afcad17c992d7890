#!/usr/bin/env bash
# The Kafka source beside a real Flume's: the same topics read by both, events and all their headers compared. Keys, record
# headers (several of a name, empty ones), tombstones, empty bodies, topics by expression, Flume's own event format.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v kcat >/dev/null || skip "no kcat"

stop_kafka() {
    "$here/kafka" stop --dir "$work/kafka" --wipe >/dev/null 2>&1 || true
}
trap 'stop_kafka; finish' EXIT
export KAFKA_HEAP=${KAFKA_HEAP:-512m}
for ((try = 0; try < 5; try++)); do
    port=$((12000 + RANDOM % 300 * 60))
    "$here/kafka" start --dir "$work/kafka" --port $port >"$work/kafka.log" 2>&1 && break
    stop_kafka
done
((try < 5)) || skip "no Kafka: $(tail -1 "$work/kafka.log")"
broker=127.0.0.1:$port

topic() { "$here/kafka" topic "$1" "$2" --dir "$work/kafka" >/dev/null; }
send() { kcat -P -q -b "$broker" "$@"; }

topic plain.one 2
topic plain.two 1
topic plain.other-3 1
topic format 1
seq 1 500 | send -t plain.one
for ((i = 0; i < 30; i++)); do printf 'key %d|keyed %d é\n' $i $i; done | send -t plain.one -K'|'
echo 'with headers' | send -t plain.two -H origin=first -H other=x -H origin=last -H empty=
printf '|no key, empty body\nk|\n' | send -t plain.two -K'|'
printf 'gone|\n' | send -t plain.two -K'|' -Z # a tombstone, and a key
seq 1 20 | send -t plain.other-3

# AvroFlumeEvent: {"topic": "own", "a": "1"} "body"; no headers; not such a datum; a body behind two blocks of the map
printf '\x04\x0atopic\x06own\x02a\x021\x00\x08body' >"$work/good"
printf '\x00\x06two' >"$work/bare"
printf '\xff\xff\xff' >"$work/bad"
printf '\x02\x02a\x021\x01\x08\x02b\x022\x00\x0ablock' >"$work/blocks"
for datum in good bare bad good blocks; do send -t format "$work/$datum"; done

keys='' # lines of the source's section
agent_file() { # DIR
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $broker
	a1.sources.r1.kafka.consumer.group.id = ${1##*/}-$RANDOM$RANDOM
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	$keys
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $1
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.sink.serializer = header_and_text
	a1.sinks.k1.channel = c1
	EOF_
}

# Flume's maps are of two sizes, and print their headers in two orders: with its event format they are put in order.
by_name() {
    awk -F'[{}]' '{
        count = split($2, headers, ", ")
        for (i = 2; i <= count; i++)
            for (j = i; j > 1 && headers[j] < headers[j - 1]; j--) { one = headers[j]; headers[j] = headers[j - 1]; headers[j - 1] = one }
        for (i = 1; i <= count; i++) printf "%s ", headers[i]
        print $3
    }' | sort
}

filter='sort'
compare() { # WHAT EVENTS KEY...
    local what=$1 events=$2
    shift 2
    keys=$(printf 'a1.sources.r1.%s\n' "$@")
    rm -rf "$work/flume" "$work/penstock"
    both "$events"
    same_content "$what" . $filter
}

compare "two topics, mapped headers" 534 'kafka.topics = plain.one, plain.two' 'header.from = origin' 'header.none = empty' \
    'header.offset = other'
compare "an expression, no topic header" 534 'kafka.topics.regex = plain\\.\\w+' 'setTopicHeader = false' 'batchSize = 7'
compare "the old keys, a topic header of another name" 20 'topic = plain.other-3' 'topicHeader = where'
filter='by_name'
compare "Flume's event format" 4 'kafka.topics = format' 'useFlumeEventFormat = true'
