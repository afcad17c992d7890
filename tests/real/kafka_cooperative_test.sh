#!/usr/bin/env bash
# Needs: kafka
# One group of an agent with the native engine, a consumer of Java's and one of librdkafka's, all with the assignor
# cooperative-sticky: members, also the leader, join and leave under load, and no record is lost. No record that an agent has read is
# read again by anybody. What the other two consumers have printed and not committed when they end, the next one may read again, and one record that kcat has
# taken when it is ended is not printed by it. The
# first agent gives up only partitions that move to another member, so at most the eight that it had; in the eager protocol it would give
# up more.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

chunk=1000

configure() { # NAME
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = together
	a1.sources.r1.kafka.consumer.group.id = together
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.kafka.consumer.session.timeout.ms = 60000
	a1.sources.r1.kafka.consumer.partition.assignment.strategy = org.apache.kafka.clients.consumer.CooperativeStickyAssignor
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.k1.kafka.bootstrap.servers = $brokers
	a1.sinks.k1.kafka.topic = together-$1
	a1.sinks.k1.allowTopicOverride = false
	a1.sinks.k1.channel = c1
	EOF_
}

java_start() { # sets java_pid
    "$kafka" run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic together --group together \
        --consumer-property auto.offset.reset=earliest \
        --consumer-property partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor \
        >>"$work/java.out" 2>>"$work/java.log" &
    java_pid=$!
    children[$java_pid]=java
}
kcat_start() { # sets kcat_pid: of the program, not of the function's shell
    command kcat -b "$brokers" -u -q -X auto.offset.reset=earliest -X partition.assignment.strategy=cooperative-sticky -G together together \
        >>"$work/kcat.out" 2>>"$work/kcat.log" &
    kcat_pid=$!
    children[$kcat_pid]=kcat
}
member_stop() { # PID
    local pid
    for pid in $(pgrep -P "$1" || true) "$1"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait "$1" 2>/dev/null || true
    unset "children[$1]"
}
look() {
    for agent in first second; do kcat -C -q -e -b "$brokers" -t together-$agent -o beginning >"$work/$agent.out"; done
    unique=$(sort -un "$work"/{first,second,java,kcat}.out | wc -l)
}
# Returns true if one record is missing, and kcat has dropped it. kcat stores the offset of a record when it takes it, and then prints it only if no
# signal has come since (consume_cb in kcat.c); so it commits one record that it has not printed, the one after the last that it printed of the partition.
is_dropped_by_kcat() {
    local missing
    ((unique == records - 1)) || return 1
    missing=$(comm -23 <(seq 1 "$records" | sort) <(sort -u "$work"/{first,second,java,kcat}.out))
    kcat -C -q -e -b "$brokers" -t together -o beginning -f '%p %o %s\n' >"$work/places"
    awk -v missing="$missing" 'FILENAME == ARGV[1] { printed[$1]; next } { at[$1, $2] = $3; if ($3 == missing) { partition = $1; offset = $2 } }
        END { exit !(at[partition, offset - 1] in printed) }' "$work/kcat.out" "$work/places"
}
is_complete() {
    look
    ((unique == records)) || is_dropped_by_kcat
}
twice() { # NAME...: the number of records that these have read more often than once
    sort -n "${@/#/$work/}" | uniq -d | wc -l
}
again() { # the number of records of the first agent that anybody has read, too, and of those that one of the agents has twice
    local other
    for other in second java kcat; do comm -12 <(sort -u "$work/first.out") <(sort -u "$work/$other.out"); done >"$work/again"
    for other in first second; do sort "$work/$other.out" | uniq -d; done >>"$work/again"
    wc -l <"$work/again"
}
reads_more() { # FILE LINES
    (($(wc -l <"$1") > $2))
}

kafka_share
kafka_topic together 8
kafka_topic together-first 4
kafka_topic together-second 4
: >"$work/java.out"
: >"$work/kcat.out"
configure first
configure second
(
    for ((i = 0; ; i++)); do # there are records to read as long as members come and go
        [[ ! -e $work/enough ]] || { echo $((i * chunk)) >"$work/records"; break; }
        seq $((i * chunk + 1)) $(((i + 1) * chunk)) | kcat -P -q -b "$brokers" -t together -X sticky.partitioning.linger.ms=0
        sleep 0.5
    done
) &
load=$!
children[$load]=load
step "the agent leads, and the others join"
agent_start first
await_log first '8 partition\(s\) assigned by the group'
java_start
await 60 reads_more "$work/java.out" 0 || fail "the Java consumer reads nothing"
kcat_start
await 60 reads_more "$work/kcat.out" 0 || fail "the consumer of librdkafka reads nothing"
step "the agent leaves, and comes back"
agent_stop first
agent_start second
await_log second 'partition\(s\) assigned by the group'
step "the Java consumer leaves, then that of librdkafka"
member_stop "$java_pid"
sleep 2
member_stop "$kcat_pid"
touch "$work/enough"
wait $load || fail "the load ends with $?"
records=$(<"$work/records")
unset "children[$load]"
await 90 is_complete || true
agent_stop second
look
given=$(grep -h 'given up' "$work"/first.log | sed 's/.* \([0-9]*\) partition(s) given up.*/\1/' | paste -sd+ | bc)
lines=$(wc -l "$work"/{first,second,java,kcat}.out | awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $1 }')
step "sent $records, read by the two agents, Java, librdkafka and all: $lines; lost $((records - unique)); of an agent read again: $(again), twice by Java and librdkafka $(twice java.out kcat.out), by all $(twice {first,second,java,kcat}.out); the agent gave up $given partitions"
if is_dropped_by_kcat; then
    echo "the missing record is one that kcat has dropped when it was ended"
else
    ((unique == records)) || fail "records are lost"
fi
(($(again) == 0)) || fail "records that an agent has read are read again"
((given > 0 && given <= 8)) || fail "with the cooperative protocol a member keeps what it is not to lose"
