#!/usr/bin/env bash
# Needs: kafka
# A Kafka source after a crash (SIGKILL): with librdkafka its group waits for the dead member until the session time-out, unless
# kafka.consumer.group.instance.id names the member (native: kafka_kill_standstill_test.sh). Two agents, one with the id and two workers,
# are killed and started again at the same time; RESTART_SESSION_MS is the time-out of the other one. Then a second agent with the same id displaces the first, which
# fails, opens its source again and goes on; nothing is lost. The times are printed; docs/stages/source_kafka.md has some.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

step "a broker"
kafka_share
kafka_topic restart 4

config() { # NAME [LINE]...
    local name=$1 line
    shift
    cat >"$work/$name.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = restart
	a1.sources.r1.kafka.consumer.group.id = restart-${name%-*}
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/$name.out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.channel = c1
	EOF_
    mkdir -p "$work/$name.out"
    for line in "$@"; do echo "a1.sources.r1.$line" >>"$work/$name.properties"; done
}

# The records are numbers; each agent writes them into a folder of its own.
send() { # FIRST LAST
    seq "$1" "$2" | kcat -P -q -b "$brokers" -t restart
}
count() { # NAME: distinct records of the agents NAME-*
    cat "$work/$1"-*.out/* 2>/dev/null | sort -un | wc -l
}
has() { # NAME RECORDS
    (($(count "$1") >= $2))
}

session_ms=${RESTART_SESSION_MS:-30000}
config plain-1 "kafka.consumer.session.timeout.ms = $session_ms"
config static-1 "kafka.consumer.group.instance.id = one" "penstock.workers = 2"
send 1 1000
agent_start plain-1
agent_start static-1
await 60 has plain 1000 || fail "no records"
await 60 has static 1000 || fail "no records, with two workers and a group.instance.id"
step "both agents run; they are killed"
agent_kill plain-1
agent_kill static-1
send 1001 2000
agent_start plain-1
agent_start static-1
began=${EPOCHREALTIME/[.,]/}
await 60 has static 2000 || fail "the agent with an instance id reads nothing"
static_ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
await 120 has plain 2000 || fail "the agent without an instance id reads nothing"
plain_ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
step "from the restart to the records: $static_ms ms with group.instance.id, $plain_ms ms without"
says_nothing static-1 "cannot continue" # the two workers have ids of their own
agent_stop plain-1
agent_stop static-1

step "two agents with one group.instance.id"
config same-1 "kafka.consumer.group.instance.id = one"
config same-2 "kafka.consumer.group.instance.id = one"
agent_start same-1
await 60 has same 2000 || fail "no records"
agent_start same-2
await_log same-1 "source r1: Kafka: the consumer cannot continue: .*FENCED_INSTANCE_ID.*retrying every 3 s" 60
agent_stop same-2
send 2001 3000
await 60 has same 3000 || fail "the source that failed is not opened again"
await 30 grep -q 3000 "$work"/same-1.out/* || fail "the second agent has read the last records"
agent_stop same-1
