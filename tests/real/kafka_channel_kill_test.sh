#!/usr/bin/env bash
# Needs: kafka
# netcat -> Kafka channel -> file_roll with three real brokers, three replicas, two of which must be in sync. The agent is
# killed with SIGKILL several times, a broker is killed and restarted, then another one is killed, while clients get
# answers. Every event whose client got OK arrives. (Events may be doubled.)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
export KAFKA_HEAP=384m

step "three brokers"
kafka_start --brokers 3 --set min.insync.replicas=2 --set offsets.topic.replication.factor=3
kafka_topic channel 4 3
mkdir "$work/out"
cat >"$work/a.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $load_port
a1.sources.r1.channels = c1
a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c1.kafka.bootstrap.servers = $brokers
a1.channels.c1.kafka.topic = channel
a1.channels.c1.kafka.consumer.group.id = channel
a1.channels.c1.kafka.consumer.session.timeout.ms = 6000
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
EOF_

# Sends lines in groups of ten and notes those that were answered OK, until the file `stop` is there. What was not answered
# is not sent again.
client() { # NAME
    local number=0 answer i sent
    trap '' PIPE
    while [[ ! -e $work/stop ]]; do
        if ! exec 3<>"/dev/tcp/127.0.0.1/$load_port"; then
            sleep 0.1
            continue
        fi 2>/dev/null
        while [[ ! -e $work/stop ]]; do
            sent=$number
            for ((i = 0; i < 10; i++)); do echo "$1-$((number++))"; done >&3 || break
            for ((i = 0; i < 10; i++)); do
                IFS= read -r -t 60 answer <&3 || break 2
                [[ $answer != OK ]] || echo "$1-$((sent + i))" >>"$work/acked.$1"
            done
        done 2>/dev/null
        exec 3<&- 3>&-
    done
}
acked() { cat "$work"/acked.* 2>/dev/null | wc -l; }
grows() { (($(acked) >= $1)); }
missing() { comm -23 <(sort -u "$work"/acked.*) <(sort -u "$work"/out/*); }
all_arrived() { [[ ! $(missing) ]]; }
are_in_sync() { # whether each of the brokers says that the three replicas of every partition are in sync
    local node partitions
    for node in 1 2 3; do
        partitions=$(kcat -m 20 -L -b "$(cut -d , -f $node <<<"$brokers")" 2>/dev/null | grep '^ *partition ') || return 1
        ! grep -qvE 'isrs: [123],[123],[123]$' <<<"$partitions" || return 1
    done
}
goes_on() { # WHAT: a hundred more are acknowledged
    await 90 grows $(($(acked) + 100)) || fail "$1: nothing is acknowledged any more"
}

agent_start a
clients=()
for name in x y z; do
    client $name 2>/dev/null &
    clients+=($!)
    children[$!]="client $name"
done
goes_on "at the start"
for ((kill = 1; kill <= 3; kill++)); do
    step "the agent is killed: $(acked) are acknowledged"
    agent_kill a
    agent_start a
    goes_on "after kill $kill"
done
step "a broker is killed and restarted, another one is killed"
kafka_kill 2
goes_on "without broker 2"
kafka_start
await 60 are_in_sync || fail "broker 2 does not catch up" # before that broker 1 alone would be in sync without broker 3, too few for an answer
kafka_kill 3
goes_on "without broker 3"
agent_kill a
agent_start a
goes_on "after a kill without broker 3"
touch "$work/stop"
for pid in "${clients[@]}"; do
    wait "$pid" || true
    unset "children[$pid]"
done
await 90 all_arrived || fail "acknowledged events are lost: $(missing | wc -l), for example $(missing | sed -n '1,3p' | tr '\n' ' ')"
agent_stop a
step "$(acked) acknowledged, $(sort -u "$work"/out/* | wc -l) arrived, $(cat "$work"/out/* | wc -l) with doubled ones"
