#!/usr/bin/env bash
# Needs: kafka
# Three real brokers in three racks whose leaders name the replica of the consumer's rack (KIP-392): with client.rack a source reads from that
# follower, from the leader while the follower is down, and from the follower again after metadata.max.age.ms. Nothing is lost or doubled.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
command -v ss >/dev/null || skip "no ss"
export KAFKA_HEAP=384m

step "three brokers"
kafka_start --brokers 3 --set replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
kafka_topic racks 1 3
is_complete() { # all replicas are in sync
    kcat -L -b "$brokers" -t racks | grep -q 'partition 0, leader [1-3], .*isrs: [1-3],[1-3],[1-3]'
}
await 60 is_complete || fail "replicas are missing"
leader=$(kcat -L -b "$brokers" -t racks | sed -nE 's/.*partition 0, leader ([1-3]).*/\1/p')
follower=$((leader % 3 + 1))

mkdir "$work/out"
cat >"$work/rack.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = racks
	a1.sources.r1.kafka.consumer.client.rack = rack$follower
	a1.sources.r1.kafka.consumer.metadata.max.age.ms = 3000
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.channel = c1
EOF_
sent=0
send() { # RECORDS of 1,000 bytes
    seq -f "%0999.0f" $((sent + 1)) $((sent + $1)) | kcat -P -q -b "$brokers" -t racks -X batch.num.messages=100
    sent=$((sent + $1))
}
has_all() {
    (($(cat "$work"/out/* | sort -u | wc -l) >= sent))
}
received() { # NODE: bytes that came over the agent's open connections to it
    ss -tinpH state established dport = ":$((port + $1 - 1))" | grep -A1 "pid=${agents[rack]}," |
        sed -nE 's/.*bytes_received:([0-9]+).*/\1/p' | awk '{sum += $1} END {print sum + 0}'
}

step "the follower is node $follower, the leader node $leader"
agent_start rack
send 20000
await 60 has_all || fail "records are missing"
step "bytes from the leader $(received "$leader"), from the follower $(received "$follower")"
(($(received "$follower") > 18000000)) || fail "the follower was not read"
(($(received "$leader") < 2000000)) || fail "the leader was read"

step "the follower is killed"
kafka_kill "$follower"
send 5000
await 60 has_all || fail "the leader is not read"

step "the follower comes back"
kafka_start
await 60 is_complete || fail "replicas are missing"
is_followed() {
    send 100
    (($(received "$follower") > 500000))
}
await 60 is_followed || fail "the follower is not read again"
await 60 has_all || fail "records are missing"
agent_stop rack
(($(cat "$work"/out/* | wc -l) == sent)) || fail "$(cat "$work"/out/* | wc -l) records, and $sent were sent"
step "$sent records, each once"
