#!/usr/bin/env bash
# Needs: kafka
# Kafka 0.10.2, the oldest broker whose clients are still met (it runs with OpenJDK 17): a source reads what Java's console producer of that version
# writes, with each compression, in message formats 0 and 1; its group commits, rebalances and goes on after a restart and a SIGKILL;
# nothing is lost. A sink, with either engine and each compression, and a channel work without idempotence, which came with Kafka 0.11.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export KAFKA_VERSION=0.10.2.2
"$kafka" fetch >"$work/fetch.log" 2>&1 || skip "Kafka $KAFKA_VERSION cannot be fetched"

step "Kafka $KAFKA_VERSION"
kafka_start --brokers 1
"$kafka" topic zero 2 --dir "$work/kafka" --set message.format.version=0.9.0.1 >>"$work/kafka.log" 2>&1 || fail "no topic"
"$kafka" topic one 2 --dir "$work/kafka" >>"$work/kafka.log" 2>&1 || fail "no topic"

# One console producer of this version for all lines of a topic and codec.
send() { # TOPIC CODEC FIRST LAST: numbers with the topic and the codec before them
    seq -f "$1-$2-%g" "$3" "$4" |
        "$kafka" run kafka.tools.ConsoleProducer --broker-list "$brokers" --topic "$1" --compression-codec "$2" >>"$work/producer.log" 2>&1 ||
        fail "Java's producer fails"
}
config() { # NAME: an agent whose files are in NAME.out
    mkdir -p "$work/$1.out"
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = zero, one
	a1.sources.r1.kafka.consumer.group.id = readers
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.kafka.consumer.session.timeout.ms = 10000
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/$1.out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.channel = c1
	EOF_
}
lines() { cat "$work"/*.out/* 2>/dev/null; }
has() { # EVENTS: distinct ones
    (($(lines | sort -u | wc -l) >= $1))
}
committed() { # TOPIC PARTITION OFFSET END LAG ..
    "$kafka" run kafka.admin.ConsumerGroupCommand --new-consumer --bootstrap-server "$brokers" --describe --group readers 2>/dev/null |
        grep -E '^(zero|one) '
}
is_committed() { # EVENTS: so many in all, and the group has committed them
    [[ $(committed | awk '{committed += $3; lag += $5} END {print committed, lag}') == "$1 0" ]]
}

step "eight producers: formats 0 and 1, each compression"
for codec in none gzip snappy lz4; do
    for topic in zero one; do send $topic $codec 1 500; done
done
config first
agent_start first
await 60 has 4000 || fail "only $(lines | sort -u | wc -l) of 4000 events"
await 60 is_committed 4000 || fail "the group has not committed: $(committed)"
agent_stop first
[[ $(lines | wc -l) == 4000 ]] || fail "$(lines | wc -l) events, and 4000 were sent"
says_nothing first ' (WARN|ERROR) '

step "the agent starts again where it was"
send one lz4 501 600
agent_start first
await 60 has 4100 || fail "only $(lines | sort -u | wc -l) of 4100 events"
[[ $(lines | wc -l) == 4100 ]] || fail "$(lines | wc -l) events, and 4100 were sent"

step "another member joins, and this one is killed"
config second
agent_start second
await_log second '[12] partition\(s\) assigned by the group'
send zero snappy 501 800
await 60 has 4400 || fail "only $(lines | sort -u | wc -l) of 4400 events"
agent_kill first
send one gzip 501 800
await 120 has 4700 || fail "only $(lines | sort -u | wc -l) of 4700 events"
agent_stop second
says_nothing second ' ERROR '
await 60 is_committed 4700 || fail "the group has not committed: $(committed)"
step "nothing is lost: 4,700 events, $(($(lines | wc -l) - 4700)) of them twice"

flow() { # NAME: 1000 numbers; the rest of the agent's file is the standard input
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = seq' 'sources.r1.totalEvents = 1000' 'sources.r1.channels = c1' 'sinks.k1.channel = c1'
        cat
    } >"$work/$1.properties"
}
sink() { # ENGINE CODEC
    local name=$1-$2
    step "a sink: $1, $2"
    "$kafka" topic "$name" 2 --dir "$work/kafka" >>"$work/kafka.log" 2>&1 || fail "no topic"
    flow "$name" <<-EOF_
	a1.channels.c1.type = memory
	a1.channels.c1.transactionCapacity = 1000
	a1.channels.c1.capacity = 10000
	a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.k1.kafka.bootstrap.servers = $brokers
	a1.sinks.k1.kafka.topic = $name
	a1.sinks.k1.kafka.producer.enable.idempotence = false
	a1.sinks.k1.kafka.producer.compression.type = $2
	a1.sinks.k1.penstock.engine = $1
	EOF_
    agent_start "$name"
    "$kafka" run kafka.tools.ConsoleConsumer --new-consumer --bootstrap-server "$brokers" --topic "$name" --from-beginning --max-messages 1000 \
        --timeout-ms 60000 >"$work/java" 2>"$work/java.log" || fail "Java's consumer does not get all events"
    agent_stop "$name"
    says_nothing "$name" ' (WARN|ERROR) '
    (($(sort -u "$work/java" | wc -l) == 1000)) || fail "Java's consumer gets other events"
}
sink librdkafka lz4
for codec in none gzip snappy lz4; do sink native $codec; done

step "a channel"
"$kafka" topic channel 2 --dir "$work/kafka" >>"$work/kafka.log" 2>&1 || fail "no topic"
mkdir "$work/channel.files"
flow channel <<EOF_
a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c1.kafka.bootstrap.servers = $brokers
a1.channels.c1.kafka.topic = channel
a1.channels.c1.kafka.producer.enable.idempotence = false
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/channel.files
a1.sinks.k1.sink.rollInterval = 0
EOF_
agent_start channel
has_numbers() {
    (($(cat "$work"/channel.files/* 2>/dev/null | sort -u | wc -l) == 1000))
}
await 60 has_numbers || fail "the channel gives $(cat "$work"/channel.files/* | sort -u | wc -l) events, and 1000 were put"
agent_stop channel
says_nothing channel ' (WARN|ERROR) '
step "1,000 events through each sink, and through a channel"
