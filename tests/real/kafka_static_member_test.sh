#!/usr/bin/env bash
# Needs: kafka
# Static members (group.instance.id) that come back within their session: the group keeps its assignment. Partitions that were added
# while the agent was away, and later, are read; with other topics in the file only these are read; and where nothing has changed, the
# group does not rebalance.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

step "a broker"
kafka_share
for topic in static-a static-b static-c static-d; do kafka_topic $topic 1; done

config() { # NAME TOPICS GROUP
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = $2
	a1.sources.r1.kafka.consumer.group.id = $3
	a1.sources.r1.kafka.consumer.group.instance.id = $1
	a1.sources.r1.kafka.consumer.session.timeout.ms = 120000
	a1.sources.r1.kafka.consumer.metadata.max.age.ms = 500
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/$1.out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
	a1.sinks.k1.channel = c1
	EOF_
    mkdir -p "$work/$1.out"
}
send() { # TOPIC PARTITION LINE
    echo "$3" | kcat -P -q -b "$brokers" -t "$1" -p "$2"
}
got() { # NAME TOPIC LINE: the agent has the line, with this topic in its header
    cat "$work/$1.out"/* 2>/dev/null | grep -qE "topic=$2[,}].* $3\$"
}
expect() { # NAME TOPIC LINE
    await 60 got "$@" || fail "agent $1 does not read \"$3\" of topic $2"
}
widen() { # TOPIC PARTITIONS
    "$kafka" run org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" --alter --topic "$1" --partitions "$2" >>"$work/kafka.log" 2>&1 ||
        fail "topic $1 gets no partitions"
    await 60 has_topic "$1" || fail "topic $1 has no leaders"
}

step "partitions are added while the agent is away, and later"
config one static-a static-group
agent_start one
send static-a 0 first
expect one static-a first
agent_kill one
widen static-a 2
agent_start one
send static-a 1 "of the second partition"
expect one static-a "of the second partition"
agent_kill one
agent_start one
send static-a 0 "after a restart"
expect one static-a "after a restart"
widen static-a 3
send static-a 2 "of the third partition"
expect one static-a "of the third partition"

step "it comes back with another topic, and with one more"
agent_kill one
config one static-b static-group
send static-a 0 "of a topic that is not read any more"
send static-b 0 "another topic"
agent_start one
expect one static-b "another topic"
agent_kill one
config one "static-b, static-c" static-group
agent_start one
send static-c 0 "one more topic"
expect one static-c "one more topic"
send static-b 0 "and the first"
expect one static-b "and the first"
! cat "$work"/one.out/* | grep -q "not read any more" || fail "a topic is read that is not in the file"
agent_kill one

step "two members: each of them comes back, and the other one notices only a change"
kafka_topic static-e 4
config two static-e static-pair
config three static-e static-pair
agent_start two
await_log two "4 partition.* assigned"
agent_start three
await_log two "2 partition.* assigned"
await_log three "2 partition.* assigned"
for partition in 0 1 2 3; do send static-e $partition "start $partition"; done
both_have() { # LINE: in each of the partitions
    local partition
    for partition in 0 1 2 3; do got two static-e "$1 $partition" || got three static-e "$1 $partition" || return 1; done
}
await 60 both_have start || fail "the pair does not read"
either_has() { # TOPIC LINE
    got two "$@" || got three "$@"
}
given_up() { cat "$work"/{two,three}.log | grep -c "given up" || true; }
before=$(given_up)
for name in two three; do
    agent_kill $name
    agent_start $name
    for partition in 0 1 2 3; do send static-e $partition "again $name $partition"; done
    await 60 both_have "again $name" || fail "the pair does not read after a restart of $name"
done
(($(given_up) == before)) || fail "a restart without a change makes the group rebalance"
for name in two three; do
    agent_kill $name
    config $name "static-e, static-d" static-pair
    agent_start $name
    send static-d 0 "with $name"
    await 60 either_has static-d "with $name" || fail "nobody reads the topic that $name has come back with"
done
agent_stop two
agent_stop three
