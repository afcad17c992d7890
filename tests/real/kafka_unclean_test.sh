#!/usr/bin/env bash
# Needs: kafka
# An unclean election of a real cluster: a replica that was frozen becomes leader, without records that the native source has read,
# and gets others at their offsets, and more. The source asks the new leader where its log differs (KIP-320), and reads all that
# it has from there on.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
export KAFKA_HEAP=384m

step "three brokers, a topic with two replicas"
kafka_start --brokers 3 --set unclean.leader.election.enable=true --set replica.lag.time.max.ms=3000
kafka_topic torn 1 2
kafka_topic torn-out 1 3

replicas() { # leader|replicas|isrs: of the topic, as the brokers say that answer
    kcat -L -b "$brokers" -t torn 2>/dev/null | sed -nE 's/^ *partition 0, leader ([0-9]+), replicas: ([0-9,]+), isrs: ([0-9,]+).*/leader \1\nreplicas \2\nisrs \3/p' |
        sed -n "s/^$1 //p"
}
is_leader() { [[ $(replicas leader) == "$1" ]]; }
is_alone() { [[ $(replicas isrs) == "$1" ]]; }
write() { # WORD FIRST LAST
    seq -f "$1 %.0f" "$2" "$3" | kcat -P -b "$brokers" -t torn -p 0 -X message.timeout.ms=60000 || fail "kcat writes nothing"
}
has_delivered() { # LINES
    kcat -C -q -e -b "$brokers" -t torn-out -o beginning >"$work/out" 2>/dev/null
    (($(wc -l <"$work/out") >= $1))
}
has_two() { [[ $(replicas isrs) == *,* ]]; }

await 60 has_two || fail "the replicas are not in sync"
first=$(replicas leader)
second=$(replicas replicas | tr ',' '\n' | grep -vx "$first")
agent_file torn torn-out sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
    sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics=torn sources.r1.kafka.consumer.group.id=torn \
    sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.penstock.engine=native sinks.k1.allowTopicOverride=false
agent_start torn
write both 1 100
await 60 has_delivered 100 || fail "the first records do not arrive"

step "broker $second is frozen; $first alone gets records, which are read"
kafka_signal STOP "$second"
await 60 is_alone "$first" || fail "broker $second stays in sync: $(replicas isrs)"
write lost 101 200
await 60 has_delivered 200 || fail "the records of the old leader do not arrive"

step "broker $first is killed; $second leads, and gets other records"
kafka_kill "$first"
kafka_signal CONT "$second"
await 120 is_leader "$second" || fail "broker $second does not lead"
write new 101 250
await 60 has_delivered 350 || step "$(wc -l <"$work/out") records arrived"
agent_stop torn
has_delivered 0
# The group's offsets may be lost in an unclean election, too: then records come twice.
new=$(grep '^new' "$work/out" | sort -u | wc -l)
step "of 150 records of the new leader $new arrived, $(sort "$work/out" | uniq -d | wc -l) twice"
((new == 150)) || fail "records are lost"
# A source that loses its membership, with the group's coordinator, begins at the committed offset, which may be below.
grep -q 'given up: the group has removed this member' "$work/torn.log" ||
    grep -q 'the new leader does not have all records that were read, up to offset 200: .*goes on from offset 100' "$work/torn.log" ||
    fail "the agent does not say that the cluster has lost records"
