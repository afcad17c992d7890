#!/usr/bin/env bash
# Needs: kafka
# A partition of a real broker's group moves while the sink behind the source stands still. The group waits for what was
# read to be delivered and committed, so nothing comes twice. A sink that stands still for longer than the time limit of a
# revocation does not hold the group: others read again what was not committed, and nothing is lost.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

chunk=1000

# The sink's broker is librdkafka's mock: stopping it does not stop the group.
"$PENSTOCK" mock-broker --with-parent >"$work/far" 2>"$work/far.log" &
far=$!
children[$far]="mock broker"
await 10 test -s "$work/far" || fail "no mock broker"
far_brokers=$(<"$work/far")

configure() { # NAME CASE STRATEGY [KEY=VALUE]...
    agent_file "$1" "out-$2" sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
        sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics="slow-$2" sources.r1.kafka.consumer.group.id="g-slow-$2" \
        sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.kafka.consumer.session.timeout.ms=60000 \
        sinks.k1.kafka.bootstrap.servers="$far_brokers" \
        sources.r1.kafka.consumer.partition.assignment.strategy="org.apache.kafka.clients.consumer.$3" \
        sinks.k1.allowTopicOverride=false channels.c1.capacity=5000 "${@:4}"
}

look() { # TOPIC: sets `total` and `unique`
    kcat -C -q -e -b "$far_brokers" -t "$1" -o beginning >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -un "$work/out" | wc -l)
}
is_complete() { # TOPIC
    look "$1"
    ((unique == records))
}
reads_on() { # ACCEPTED: the first agent has read more events than these, or its sink has some to deliver, as the channel may be full
    local metrics
    metrics=$(curl -fs --noproxy '*' --max-time 120 "http://127.0.0.1:$metrics_port/metrics") || return 1
    (($(counter SOURCE.r1 EventAcceptedCount "$metrics") > $1 ||
        $(counter SOURCE.r1 EventAcceptedCount "$metrics") > $(counter SINK.k1 EventDrainSuccessCount "$metrics")))
}
counter() { # COMPONENT NAME METRICS
    sed -nE 's/.*"'"$1"'":\{[^}]*"'"$2"'":"([0-9]+)".*/\1/p' <<<"$3"
}
has_assigned() { # AGENT TIMES
    (($(grep -c 'assigned by the group' "$work/$1.log" || true) >= $2))
}

run() { # CASE STRATEGY STILL_S [KEY=VALUE]...: the sink stands still for so long while the second agent joins
    local name=$1 load i before records
    rm -f "$work/enough"
    step "$name"
    kafka_topic "slow-$name" 6
    configure "$name-1" "$name" "$2" "${@:4}"
    configure "$name-2" "$name" "$2" "${@:4}"
    (
        for ((i = 0; ; i++)); do # there are records to read as long as the case lasts
            [[ ! -e $work/enough ]] || { echo $((i * chunk)) >"$work/records"; break; }
            seq $((i * chunk + 1)) $(((i + 1) * chunk)) | kcat -P -q -b "$brokers" -t "slow-$name"
            sleep 0.25
        done
    ) &
    load=$!
    children[$load]=load
    agent_start "$name-1" "${monitored[@]}"
    await 30 has_assigned "$name-1" 1 || fail "the first agent gets no partitions"
    await 60 has_accepted $chunk || fail "the first agent reads nothing"
    kill -STOP "$far"
    before=$(accepted_now) || fail "no metrics"
    await 60 reads_on "$before" || fail "the first agent reads nothing more" # this waits for its sink
    agent_start "$name-2"
    sleep "$3"
    if [[ $name == late ]]; then
        # Whichever comes first: the source's own limit, or the group's, which began when the second agent joined.
        await_log "$name-1" 'were not delivered in time|the group has removed this member' 5
    else
        says_nothing "$name-1" 'given up'
    fi
    kill -CONT "$far"
    await 30 has_assigned "$name-2" 1 || fail "the second agent gets no partitions"
    await_log "$name-1" 'given up'
    [[ $name == late ]] || await_log "$name-1" 'given up: all records that were read are delivered and committed'
    sleep 2
    agent_stop "$name-2" # the same partitions come again
    touch "$work/enough"
    wait $load || fail "the load ends with $?"
    records=$(<"$work/records")
    unset "children[$load]"
    await 60 is_complete "out-$name" || true
    agent_stop "$name-1"
    look "out-$name"
    step "$name: sent $records, out $total, lost $((records - unique)), twice $((total - unique))"
    ((unique == records)) || fail "$name: records are lost"
    [[ $name == late ]] || ((total == unique)) || fail "$name: records came twice"
}

kafka_share
run eager RangeAssignor 6
run cooperative CooperativeStickyAssignor 6
run late RangeAssignor 9 sources.r1.kafka.consumer.max.poll.interval.ms=8000 sources.r1.kafka.consumer.session.timeout.ms=6000
