#!/usr/bin/env bash
# Needs: kafka
# Agents join and leave a consumer group of a real broker under load, with the eager and with the cooperative protocol:
# the events of a partition are delivered and committed before it moves, so none is lost or duplicated. A stop may end
# before the group took the last commit, as on a very busy machine: the agent says how many events are read again, and the round is run
# again.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

chunks=60 chunk=2000
records=$((chunks * chunk))

configure() { # NAME PROTOCOL STRATEGY
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = in-$2
	a1.sources.r1.kafka.consumer.group.id = g-$2
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.kafka.consumer.session.timeout.ms = 60000
	a1.sources.r1.kafka.consumer.partition.assignment.strategy = org.apache.kafka.clients.consumer.$3
	a1.sources.r1.penstock.workers = 2
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.k1.kafka.bootstrap.servers = $brokers
	a1.sinks.k1.kafka.topic = out-$2
	a1.sinks.k1.allowTopicOverride = false
	a1.sinks.k1.channel = c1
	EOF_
}

look() { # TOPIC: sets `total` and `unique`
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -un "$work/out" | wc -l)
}
is_complete() { # TOPIC
    look "$1"
    ((unique == records))
}

has_joined() { # AGENT TIMES: its workers were assigned partitions so often
    (($(grep -c 'assigned by the group' "$work/$1.log" || true) >= $2))
}

read_again() { # PROTOCOL: the agents say at their stop that so many events are read again
    local all
    all=$(sed -nE 's/.*INFO agent: stopped: .*read again at the next start ([0-9,]+), .*/\1/p' "$work/$1"-[12].log | tr -d , | paste -sd +)
    ((total - unique <= ${all:-0}))
}

run() { # PROTOCOL STRATEGY: sets `counts`
    local protocol=$1 load i
    kafka_topic "in-$protocol" 8
    kafka_topic "out-$protocol" 4
    configure "$protocol-1" "$protocol" "$2"
    configure "$protocol-2" "$protocol" "$2"
    (
        for ((i = 0; i < chunks; i++)); do
            seq $((i * chunk + 1)) $(((i + 1) * chunk)) | kcat -P -q -b "$brokers" -t "in-$protocol"
            sleep 0.25
        done
    ) &
    load=$!
    children[$load]=load
    agent_start "$protocol-1"
    await 30 has_joined "$protocol-1" 2 || fail "the first agent gets no partitions"
    sleep 3
    agent_start "$protocol-2"
    await 30 has_joined "$protocol-2" 2 || fail "the second agent gets no partitions"
    sleep 2
    agent_stop "$protocol-1"
    wait $load || fail "the load ends with $?"
    unset "children[$load]"
    await 60 is_complete "out-$protocol" || true
    agent_stop "$protocol-2"
    look "out-$protocol"
    step "$protocol: sent $records, out $total, lost $((records - unique)), twice $((total - unique))"
    ((unique == records)) || fail "$protocol: records are lost"
    counts=yes
    if ((total != unique)); then
        read_again "$protocol" || fail "$protocol: not every record arrived exactly once"
        step "$protocol: a stop ended before the last commit"
        counts=no
    fi
}

kafka_share
for protocol in eager:RangeAssignor cooperative:CooperativeStickyAssignor; do
    for round in '' -again -last; do
        run "${protocol%:*}$round" "${protocol#*:}"
        [[ $counts == no ]] || break
    done
    [[ $counts == yes ]] || fail "${protocol%:*}: each of three rounds had doubles"
done
