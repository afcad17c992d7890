#!/usr/bin/env bash
# A reload takes a Kafka channel's consumer away while the brokers answer nothing (SIGSTOP): it does not leave its group in
# time, and perhaps owes a commit. The other flow goes on all the while, the reload ends, and every acknowledged event arrives.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

broker_port=$(free_port)
other_port=$(free_port)
port=$(free_port)
file=$work/agent.properties
mkdir "$work/out"

# Each answer takes its time, so a commit is nearly always under way while there is traffic.
"$PENSTOCK" mock-broker --port "$broker_port" --topic events:2 --round-trip 300ms >"$work/brokers" 2>"$work/broker.err" &
broker=$!
children[$broker]=1
has_brokers() { [[ -s $work/brokers ]]; }
await "the mock broker has no address" has_brokers

# The session is longer than a reload: the mock broker names members by their address, so a member that comes after the old one's
# session would have its name, and leave the group in its place.
config() { # SINK: of the Kafka channel; with another name its consumer is another one
    cat <<EOF_
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 $1
a1.penstock.drain.timeout = 2000
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $other_port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sources.r2.type = netcat
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = $port
a1.sources.r2.channels = c2
a1.channels.c2.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c2.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.channels.c2.kafka.topic = events
a1.channels.c2.kafka.consumer.auto.offset.reset = earliest
a1.channels.c2.kafka.consumer.session.timeout.ms = 20000
a1.sinks.$1.type = file_roll
a1.sinks.$1.sink.directory = $work/out
a1.sinks.$1.sink.rollInterval = 0
a1.sinks.$1.channel = c2
EOF_
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Sends one event after the other, each when the one before is answered, until the file NAME.stop is there. NAME.acked has a line
# for each answer: the time, and the event.
client() { # NAME PORT
    local number=0 answer
    exec 3<>"/dev/tcp/127.0.0.1/$2"
    while [[ ! -e $work/$1.stop ]]; do
        echo "$1-$((++number))" >&3
        read -r answer <&3 || return 0
        [[ $answer == OK ]] && echo "$((${EPOCHREALTIME/./} / 1000)) $1-$number" >>"$work/$1.acked"
        pause 0.01
    done
}
listens() { (($(grep -c ": listening on" "$work/agent.err") == 2)); }
acked() { # NAME COUNT
    [[ -e $work/$1.acked ]] && (($(wc -l <"$work/$1.acked") >= $2))
}
arrived() { cat "$work/out"/* 2>/dev/null | grep -c . || true; }
more_arrived() { (($(arrived) >= $1)); }

config "k2" >"$file"
"$PENSTOCK" agent -n a1 -f "$file" --no-reload-conf 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "it does not listen" listens
client other "$other_port" &
children[$!]=1
await "the other flow has no answers" acked other 10
kafka_clients=()
for name in one two three four; do
    client $name "$port" &
    children[$!]=1
    kafka_clients+=($!)
done

reloads=0
has_reloaded() { (($(grep -c 'agent: reloaded' "$work/agent.err") >= reloads)); }
uncommitted() { grep -c "the last offsets could not be committed" "$work/agent.err" || true; }
silent_reload() { # SINK: sets paused to how long the other flow paused, or to nothing; also a client or agent without a CPU pauses
    local from to gap owed
    kill -STOP "$broker"
    from=$(now_ms)
    config "$1" >"$file"
    ((++reloads))
    kill -HUP "$agent"
    await "a reload does not end while the brokers are silent" has_reloaded
    to=$(now_ms)
    acked_before=$(wc -l <"$work/other.acked")
    await "the other flow does not go on after the reload" acked other $((acked_before + 5))
    gap=$(awk -v from="$from" -v to="$to" '
        $1 < from { last = from; next }
        { gap = $1 - (last ? last : from); if (gap > most) most = gap; last = $1; if ($1 > to) exit }
        END { print most + 0 }' "$work/other.acked")
    kill -CONT "$broker"
    owed=$(uncommitted)
    echo "reload $reloads: $((to - from)) ms, the longest pause of the other flow $gap ms, commits owed in $owed reloads"
    # The brokers are waited for: a reload that does not do so shows nothing.
    ((to - from > 3000)) || fail "reload $reloads did not wait for the brokers"
    paused=
    ((gap * 2 < to - from)) || paused="$gap ms of the reload's $((to - from)) ms"
}

# With a commit under way: tried again when the brokers stopped between two commits, or the other flow paused, as it does on a busy machine. A
# reload that holds the other flow does so each time, or each time that a commit is under way: no turn then shows both.
shown=0 pauses=0 known=0
for ((turn = 1; turn <= 20 && shown == 0; turn++)); do
    before=$(arrived)
    await "turn $turn: nothing arrives" more_arrived $((before + 20))
    silent_reload "k$((turn + 2))"
    if [[ $paused ]]; then
        known=$(uncommitted)
        ((++pauses))
        last_pause=$paused
    elif (($(uncommitted) > known)); then
        shown=1
    fi
done
((shown)) || fail "no commit was under way in a reload in which the other flow went on; it paused in $pauses of $reloads, the last time for ${last_pause:-nothing}"

# With nothing to commit, only the request to leave the group has no answer.
touch "$work"/{one,two,three,four}.stop
wait "${kafka_clients[@]}"
all_arrived() { [[ -z $(comm -13 <(cat "$work/out"/* | sort -u) <(cut -d ' ' -f 2 "$work"/{one,two,three,four}.acked | sort -u)) ]]; }
await "acknowledged events are missing" all_arrived
assignments() { grep -c "assigned by the group" "$work/agent.err" || true; }
more_members() { (($(assignments) > members)); }
for ((turn = 1; turn <= 20; turn++)); do
    members=$(assignments)
    silent_reload "k-last$turn"
    [[ $paused ]] || break
    await "no member after the reload" more_members
done
[[ -z $paused ]] || fail "the other flow paused in each of $((turn - 1)) reloads, in the last one for $paused"
kill -TERM "$agent"
touch "$work/other.stop"
wait "$agent" || fail "it ends with $?"
unset "children[$agent]"
echo "all $(cat "$work"/{one,two,three,four}.acked | wc -l) acknowledged events arrived; $(arrived) lines in all"
