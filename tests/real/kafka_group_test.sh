#!/usr/bin/env bash
# Needs: kafka
# A real broker that does not create topics by itself. The log reports a missing topic; after it is created, events flow.
# Then two agents share a consumer group under load, and one is killed: no event is lost, and only events that it had not
# committed are duplicated.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "a broker that creates no topics"
kafka_start --set auto.create.topics.enable=false
kafka_topic in 6 &
makers=($!)
kafka_topic out 4 &
makers+=($!)

step "a missing topic"
agent_file missing late sources.r1.type=seq sources.r1.host= sources.r1.port= sources.r1.totalEvents=20000
agent_start missing
await_log missing 'sink k1: topic late: _UNKNOWN_TOPIC .*the topic does not exist and the broker does not create it'
wait "${makers[@]}" || fail "topics cannot be created"
agent_is_up missing || fail "the agent ended"
kafka_topic late 4
check late 20000 1
agent_stop missing
(($(accounted delivered) == 20000)) || fail "the account is wrong: $account"

member() { # NAME SESSION-MS: from `in` to `out`, as a member of the group
    agent_file "$1" out sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
        sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics=in sources.r1.kafka.consumer.group.id=members \
        sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.kafka.consumer.session.timeout.ms="$2" \
        sources.r1.kafka.consumer.heartbeat.interval.ms=500 sinks.k1.allowTopicOverride=false channels.c1.capacity=5000
    agent_start "$1"
}

step "two agents in one group under load, one is killed"
agent_file feeder in
agent_start feeder
load_start --events "$endless" --rate 20000
has_all() { # TIMES
    (($(grep -c '6 partition.s. assigned by the group' "$work/one.log") >= $1))
}
member one 45000 # it stays a member, however long it waits for a CPU
await 30 has_all 1 || fail "the first gets no partitions"
member two 6000
await_log two '3 partition.s. assigned by the group'
sleep 4
agent_kill two
await 30 has_all 2 || fail "the first does not take over"
sleep 2
load_stop
agent_stop feeder
check in "$endless" 4 --only "$(field sent "$sent")"
check out "$endless" 4 --only "$(field sent "$sent")" --may-repeat
agent_stop one
says_nothing one ' (WARN|ERROR) '
