#!/usr/bin/env bash
# Needs: kafka
# Kafka -> memory channel -> Kafka, at least once and exactly once; and from a Kafka channel: an agent that is killed with SIGKILL and started again goes on
# at once. The session of its member and the timeout of its transaction are ten minutes, so that no test would see an
# event before that if the next life waited for either. No key names an id: the agent's state directory has them.
# A second agent with a copy of that directory disturbs nobody.
#
#   KILLS=3   in each mode
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

kills=${KILLS:-3}
step "a broker"
kafka_share
export HOME=$work/home STATE_DIRECTORY=
mkdir "$HOME"

agent() { # NAME MODE [KEY=VALUE]...
    local name=$1 mode=$2 guarantee=at-least-once
    shift 2
    [[ $mode != exactly-once ]] || guarantee=exactly-once
    if [[ $mode == channel ]]; then
        cat <<EOF_
a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c1.kafka.bootstrap.servers = $brokers
a1.channels.c1.kafka.topic = standstill-$mode-in
a1.channels.c1.kafka.consumer.group.id = standstill-$mode
a1.channels.c1.kafka.consumer.session.timeout.ms = 600000
a1.channels.c1.kafka.consumer.heartbeat.interval.ms = 500
a1.channels.c1.parseAsFlumeEvent = false
EOF_
    else
        cat <<EOF_
a1.sources = r1
a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r1.kafka.bootstrap.servers = $brokers
a1.sources.r1.kafka.topics = standstill-$mode-in
a1.sources.r1.kafka.consumer.group.id = standstill-$mode
a1.sources.r1.kafka.consumer.auto.offset.reset = earliest
a1.sources.r1.kafka.consumer.session.timeout.ms = 600000
a1.sources.r1.kafka.consumer.heartbeat.interval.ms = 500
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
EOF_
    fi >"$work/$name.properties"
    cat >>"$work/$name.properties" <<EOF_
a1.channels = c1
a1.sinks = k1
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $brokers
a1.sinks.k1.kafka.topic = standstill-$mode-out
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
        seq "$next" $((next + 19)) | kcat -P -q -X enable.idempotence=true -X linger.ms=1 -b "$brokers" -t "standstill-$1-in"
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

members() { # MODE: the members that the agent's next life must end, each with a tab behind it
    local place
    place=$(find "$HOME/.flume/penstock-state" \( -name "source-*" -o -name "channel-*" \) -exec grep -lxF "group standstill-$1" {} + | head -1)
    [[ ! $place ]] || sed -n '/^end$/q; s/^members //p' "$place"
}
is_noted() { # MODE MEMBERS-BEFORE: its own member is noted
    local now
    now=$(members "$1")
    [[ $now && ${now%%$'\t'*} != "${2%%$'\t'*}" ]]
}

for mode in at-least-once exactly-once channel; do
    kafka_topic standstill-$mode-in 2
    kafka_topic standstill-$mode-out 1 # all readers wait for each open transaction
    for topic in standstill-$mode-in standstill-$mode-out; do await 60 has_topic "$topic" || fail "topic $topic is not there"; done
    agent $mode $mode
    load $mode &
    loads=$!
    children[$loads]=load
    : >"$work/$mode.out"
    command kcat -C -q -u -b "$brokers" -t standstill-$mode-out -o beginning -X isolation.level=read_committed >"$work/$mode.out" &
    reader=$!
    children[$reader]="reader of committed records"
    agent_start $mode
    go_on $mode "the start"
    for ((kill = 1; kill <= kills; kill++)); do
        agent_kill $mode
        # Again, before or while it joins.
        if ((kill % 3 == 0)) && [[ $mode == *-once ]]; then
            agent_start $mode
            await_log $mode 'source r1 \(kafka\)'
            agent_kill $mode
        fi
        # And twice more while it joins: each time its member is known, and the one before it may not have left.
        if ((kill == 1)); then
            for life in 2 3; do
                known=$(members $mode)
                agent_start $mode
                await 60 is_noted $mode "$known" || fail "$mode: life $life does not note its member beside $known"
                agent_kill $mode
            done
        fi
        agent_start $mode
        go_on $mode "kill $kill"
        step "$mode: kill $kill: $(wc -l <"$work/$mode.out") records"
    done

    step "$mode: a second agent, with a copy of the state directory"
    state=$(find "$HOME/.flume/penstock-state" -name '*-0' -printf '%T@ %h\n' | sort -n | tail -1 | cut -d' ' -f2)
    cp -a "$state" "$work/$mode.copy"
    before=$(wc -l <"$work/$mode.log")
    agent $mode-2 $mode "a1.penstock.state.dir = $work/$mode.copy"
    agent_start $mode-2
    await_log $mode-2 '1 partition.* assigned by the group'
    go_on $mode "the second agent"
    agent_kill $mode-2
    agent_start $mode-2
    go_on $mode "the end of the second agent"
    await_log $mode-2 'an earlier life of this agent'
    (($(grep -c 'an earlier life of this agent' "$work/$mode-2.log") == 1)) || fail "the second agent made the first one leave"
    tail -n +$((before + 1)) "$work/$mode.log" >"$work/$mode-1.log"
    says_nothing $mode-1 'removed this member|newer producer|fenced'
    says_nothing $mode-2 'removed this member|newer producer|fenced'

    touch "$work/$mode.calm"
    wait "$loads" || fail "the load ends with $?"
    unset "children[$loads]"
    await 60 is_complete $mode || fail "$mode: $(sort -nu "$work/$mode.out" | wc -l) of $(<"$work/$mode.last") came"
    agent_stop $mode
    agent_stop $mode-2
    for place in "$state"/* "$work/$mode.copy"/*; do # what is behind the line "end" is of longer texts
        ! sed '/^end$/q' "$place" | grep '^members .' || fail "$mode: a member that has left is remembered in $place"
    done
    await 60 is_complete $mode || fail "the reader has not seen all"
    kill "$reader"
    wait "$reader" 2>/dev/null || true
    unset "children[$reader]"
    total=$(wc -l <"$work/$mode.out")
    step "$mode: sent $(<"$work/$mode.last"), came $total"
    [[ $mode != exactly-once ]] || ((total == $(<"$work/$mode.last"))) || fail "records came twice"
done
