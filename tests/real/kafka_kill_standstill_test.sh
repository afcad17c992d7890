#!/usr/bin/env bash
# Needs: kafka
# Kafka -> memory channel -> Kafka, at least once and exactly once: an agent that is killed with SIGKILL and started again goes on
# at once. The session of its member and the timeout of its transaction are ten minutes, so that no test would see an
# event before that if the next life waited for either. No key names an id: the agent's state directory has them.
# A second agent with a copy of that directory disturbs nobody.
#
#   KILLS=6   in each mode
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

kills=${KILLS:-6}
step "a broker"
kafka_share
export HOME=$work/home STATE_DIRECTORY=
mkdir "$HOME"

agent() { # NAME GROUP GUARANTEE [KEY=VALUE]...
    local name=$1 group=$2 guarantee=$3
    shift 3
    cat >"$work/$name.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r1.kafka.bootstrap.servers = $brokers
a1.sources.r1.kafka.topics = $group-in
a1.sources.r1.kafka.consumer.group.id = $group
a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
a1.sources.r1.kafka.consumer.session.timeout.ms = 600000
a1.sources.r1.kafka.consumer.heartbeat.interval.ms = 500
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $brokers
a1.sinks.k1.kafka.topic = $group-out
a1.sinks.k1.allowTopicOverride = false
a1.sinks.k1.penstock.guarantee = $guarantee
a1.sinks.k1.penstock.transaction.timeout = 600000
a1.sinks.k1.channel = c1
$(printf '%s\n' "$@")
EOF_
}

# Writes the numbers from $next on, some at a time, until the file $work/GROUP.calm is there. The last one is in $work/GROUP.last.
load() { # GROUP
    local next=1
    until [[ -e $work/$1.calm ]]; do
        seq "$next" $((next + 19)) | kcat -P -q -X enable.idempotence=true -X linger.ms=1 -b "$brokers" -t "$1-in"
        next=$((next + 20))
        echo $((next - 1)) >"$work/$1.last"
        sleep 0.1
    done
}
passes() { # GROUP COUNT: the reader has seen more records than that
    (($(wc -l <"$work/$1.out") > $2))
}
is_complete() { # GROUP
    (($(sort -nu "$work/$1.out" | wc -l) == $(<"$work/$1.last")))
}
go_on() { # GROUP WHAT: waits for new records
    await 60 passes "$1" "$(wc -l <"$work/$1.out")" || fail "$1: nothing comes after $2"
}

for guarantee in at-least-once exactly-once; do
    kafka_topic $guarantee-in 2
    kafka_topic $guarantee-out 1 # all readers wait for each open transaction
    for topic in $guarantee-in $guarantee-out; do await 60 has_topic "$topic" || fail "topic $topic is not there"; done
    agent $guarantee $guarantee $guarantee
    load $guarantee &
    loads=$!
    children[$loads]=load
    command kcat -C -q -u -b "$brokers" -t $guarantee-out -o beginning -X isolation.level=read_committed >"$work/$guarantee.out" &
    reader=$!
    children[$reader]="reader of committed records"
    agent_start $guarantee
    go_on $guarantee "the start"
    for ((kill = 1; kill <= kills; kill++)); do
        agent_kill $guarantee
        if ((kill % 3 == 0)); then # again, before or while it joins
            agent_start $guarantee
            await_log $guarantee 'source r1 \(kafka\)'
            agent_kill $guarantee
        fi
        agent_start $guarantee
        go_on $guarantee "kill $kill"
        step "$guarantee: kill $kill: $(wc -l <"$work/$guarantee.out") records"
    done

    step "$guarantee: a second agent, with a copy of the state directory"
    state=$(dirname "$(find "$HOME/.flume/penstock-state" -name source-r1-0 -newer "$work/$guarantee.properties")")
    cp -a "$state" "$work/$guarantee.copy"
    before=$(wc -l <"$work/$guarantee.log")
    agent $guarantee-2 $guarantee $guarantee "a1.penstock.state.dir = $work/$guarantee.copy"
    agent_start $guarantee-2
    await_log $guarantee-2 '1 partition.* assigned by the group'
    go_on $guarantee "the second agent"
    agent_kill $guarantee-2
    agent_start $guarantee-2
    go_on $guarantee "the end of the second agent"
    await_log $guarantee-2 'an earlier life of this agent'
    (($(grep -c 'an earlier life of this agent' "$work/$guarantee-2.log") == 1)) || fail "the second agent made the first one leave"
    tail -n +$((before + 1)) "$work/$guarantee.log" >"$work/$guarantee-1.log"
    says_nothing $guarantee-1 'removed this member|newer producer|fenced'
    says_nothing $guarantee-2 'removed this member|newer producer|fenced'

    touch "$work/$guarantee.calm"
    wait "$loads" || fail "the load ends with $?"
    unset "children[$loads]"
    await 60 is_complete $guarantee || fail "$guarantee: $(sort -nu "$work/$guarantee.out" | wc -l) of $(<"$work/$guarantee.last") came"
    agent_stop $guarantee
    agent_stop $guarantee-2
    await 60 is_complete $guarantee || fail "the reader has not seen all"
    kill "$reader"
    wait "$reader" 2>/dev/null || true
    unset "children[$reader]"
    total=$(wc -l <"$work/$guarantee.out")
    step "$guarantee: sent $(<"$work/$guarantee.last"), came $total"
    [[ $guarantee == at-least-once ]] || ((total == $(<"$work/$guarantee.last"))) || fail "records came twice"
done
