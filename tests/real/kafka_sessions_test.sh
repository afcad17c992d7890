#!/usr/bin/env bash
# Needs: kafka
# Fetch sessions (KIP-227) of the native engine with a real broker: it counts one session with all partitions while an agent
# reads; then the broker is started again, and does not know the session; then it has no room for sessions. Every record arrives
# once. The script prints the bytes of requests and the CPU time with sessions and without; SESSION_PARTITIONS=1000
# SESSION_CHUNKS=40 measures more partitions.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

partitions=${SESSION_PARTITIONS:-100} chunks=${SESSION_CHUNKS:-20} chunk=500
records=$((chunks * chunk))
jmx_port=$((port + 45))
jmx="-Dcom.sun.management.jmxremote.port=$jmx_port -Dcom.sun.management.jmxremote.authenticate=false
    -Dcom.sun.management.jmxremote.ssl=false -Djava.rmi.server.hostname=127.0.0.1"

configure() { # NAME
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.r1.kafka.bootstrap.servers = $brokers
	a1.sources.r1.kafka.topics = in-$1
	a1.sources.r1.kafka.consumer.group.id = g-$1
	a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
	a1.sources.r1.kafka.consumer.session.timeout.ms = 60000
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/out-$1
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.channel = c1
	EOF_
    mkdir -p "$work/out-$1"
}

# With -E kcat goes on while a broker that has just begun to listen closes connections; with idempotence nothing is sent twice by it.
send() { # TOPIC FIRST END: chunks of numbers, spread over the partitions by their keys
    local i
    for ((i = $2; i < $3; i++)); do
        seq $((i * chunk + 1)) $(((i + 1) * chunk)) | sed 's/.*/&:&/' | kcat -E -P -q -X enable.idempotence=true -K : -b "$brokers" -t "$1"
        sleep 0.1
    done
}
received() { # NAME: sets total and unique
    cat "$work/out-$1"/* >"$work/all" 2>/dev/null || true
    total=$(wc -l <"$work/all")
    unique=$(sort -un "$work/all" | wc -l)
}
is_complete() { # NAME
    received "$1"
    ((unique == records))
}

metric() { # NAME: prints a figure of the broker's cache of fetch sessions
    "$kafka" run org.apache.kafka.tools.JmxTool --jmx-url "service:jmx:rmi:///jndi/rmi://127.0.0.1:$jmx_port/jmxrmi" --one-time true \
        --object-name "kafka.server:type=FetchSessionCache,name=$1" --report-format original 2>/dev/null | sed -nE 's/.*Value[^0-9]*([0-9]+).*|^[0-9]+,([0-9]+).*/\1\2/p' | tail -1
}
ticks() { # PID: user and system time
    awk '{print $14 + $15}' "/proc/$1/stat"
}
sent_bytes() { # PID: written to its connections so far
    ss -tinpH | grep -A1 "pid=$1," | grep -oE 'bytes_sent:[0-9]+' | cut -d: -f2 | paste -sd+ | bc
}

run() { # NAME
    local name=$1 pid before broker
    step "$name: $records records in $partitions partitions"
    kafka_topic "in-$name" "$partitions"
    configure "$name"
    agent_start "$name"
    await_log "$name" "$partitions partition\\(s\\) assigned by the group"
    sleep 2
    pid=${agents[$name]} broker=$(<"$kafka_dir/1/pid")
    before=("$(ticks "$pid")" "$(sent_bytes "$pid")" "$(ticks "$broker")")
    send "in-$name" 0 "$chunks"
    await 60 is_complete "$name" || fail "records are missing: $unique of $records"
    echo "agent $(($(ticks "$pid") - before[0])) ticks, $(($(sent_bytes "$pid") - before[1])) bytes in requests; broker $(($(ticks "$broker") - before[2])) ticks"
}

KAFKA_JAVA="$KAFKA_JAVA $jmx" kafka_start --set num.partitions=4
run cached
sessions=$(metric NumIncrementalFetchSessions) cached=$(metric NumIncrementalFetchPartitionsCached)
echo "the broker has ${sessions:-?} session(s) with ${cached:-?} partitions"
[[ $sessions == 1 && $cached == "$partitions" ]] || fail "the broker has no session with all partitions"

step "the broker is started again"
kafka_kill 1
kafka_start
records=$((2 * records))
send in-cached "$chunks" $((2 * chunks))
await 60 is_complete cached || fail "records are missing: $unique of $records"
((total == unique)) || fail "records came twice: $((total - unique))"
says_nothing cached 'FETCH_SESSION|INVALID_FETCH'
agent_stop cached

step "a broker without room for sessions"
"$kafka" stop --dir "$work/kafka" >/dev/null
records=$((chunks * chunk))
kafka_start --set num.partitions=4 --set max.incremental.fetch.session.cache.slots=0
run full
((total == unique)) || fail "records came twice: $((total - unique))"
agent_stop full
