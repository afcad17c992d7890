#!/usr/bin/env bash
# Agents join and leave a consumer group of a real broker under load, by the eager and by the cooperative protocol: what
# changes hands was delivered and committed first, so nothing is lost and nothing comes twice.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
penstock=${PENSTOCK:-$here/../../build/release/penstock}
kafka=$here/kafka

for tool in java mvn kcat; do
    command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
[[ -x $penstock ]] || { echo "SKIP: no program at $penstock"; exit 77; }

chunks=60 chunk=2000
records=$((chunks * chunk))
port=${PORT:-19570}
work=$(mktemp -d)
agents=()
cleanup() {
    local pid
    for pid in "${agents[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    "$kafka" stop --dir "$work/kafka" --wipe >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

"$kafka" start --dir "$work/kafka" --port "$port" >"$work/start.log" 2>&1 || { echo "SKIP: no Kafka: $(tail -1 "$work/start.log")"; exit 77; }
broker=127.0.0.1:$port

configure() { # NAME STRATEGY
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $broker
	a1.sources.r1.kafka.topics = in-$1
	a1.sources.r1.kafka.consumer.group.id = g-$1
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.kafka.consumer.partition.assignment.strategy = org.apache.kafka.clients.consumer.$2
	a1.sources.r1.penstock.workers = 2
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.k1.kafka.bootstrap.servers = $broker
	a1.sinks.k1.kafka.topic = out-$1
	a1.sinks.k1.allowTopicOverride = false
	a1.sinks.k1.channel = c1
	EOF_
}

agent() { # NAME LOG: starts one, pid in $!
    "$penstock" agent -n a1 -f "$work/$1.properties" >"$work/$2.log" 2>&1 &
    agents+=($!)
}

stop() { # PID LOG
    kill -TERM "$1"
    wait "$1" || { echo "agent $2: exit $?"; tail -5 "$work/$2.log"; exit 1; }
}

run() { # NAME STRATEGY
    local name=$1 first second load i unique=0 total
    "$kafka" topic "in-$name" 8 --dir "$work/kafka" >/dev/null
    "$kafka" topic "out-$name" 4 --dir "$work/kafka" >/dev/null
    configure "$name" "$2"
    (
        for ((i = 0; i < chunks; i++)); do
            seq $((i * chunk + 1)) $(((i + 1) * chunk)) | kcat -P -q -b "$broker" -t "in-$name"
            sleep 0.25
        done
    ) &
    load=$!
    agent "$name" "$name-1"
    first=$!
    sleep 6
    agent "$name" "$name-2"
    second=$!
    sleep 7
    stop "$first" "$name-1"
    wait "$load"
    for ((i = 0; i < 30; i++)); do
        kcat -C -q -e -b "$broker" -t "out-$name" -o beginning >"$work/out"
        unique=$(sort -un "$work/out" | wc -l)
        ((unique < records)) || break
        sleep 1
    done
    stop "$second" "$name-2"
    kcat -C -q -e -b "$broker" -t "out-$name" -o beginning >"$work/out"
    total=$(wc -l <"$work/out")
    grep -h 'assigned\|given up\|committed\|WARN\|ERROR' "$work/$name-1.log" "$work/$name-2.log" | sort | sed 's/^/    /'
    echo "$name: sent $records, out $total, lost $((records - unique)), twice $((total - unique))"
    ((unique == records && total == unique))
}

run eager RangeAssignor
run cooperative CooperativeStickyAssignor
