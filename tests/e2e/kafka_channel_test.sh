#!/usr/bin/env bash
# The Kafka channel in whole agents: a source only, a sink only, both; agents killed with SIGKILL at random while clients
# get answers. Every event that was acknowledged to its client arrives; over orderly stops and reloads each arrives once.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_draws

"$PENSTOCK" mock-broker --topic split:3 --topic whole:2 >"$work/brokers" 2>"$work/broker.err" &
children[$!]=1
has_brokers() { [[ -s $work/brokers ]]; }
await "the mock broker has no address" has_brokers
brokers=$(<"$work/brokers")

channel() { # AGENT TOPIC SESSION-MS: prints the lines of its channel c
    echo "$1.channels = c"
    echo "$1.channels.c.type = org.apache.flume.channel.kafka.KafkaChannel"
    echo "$1.channels.c.kafka.bootstrap.servers = $brokers"
    echo "$1.channels.c.kafka.topic = $2"
    echo "$1.channels.c.kafka.consumer.group.id = $2"
    echo "$1.channels.c.kafka.consumer.session.timeout.ms = $3"
}
source_lines() { # AGENT PORT
    printf '%s\n' "$1.sources = r" "$1.sources.r.type = netcat" "$1.sources.r.bind = 127.0.0.1" "$1.sources.r.port = $2" \
        "$1.sources.r.channels = c"
}
sink_lines() { # AGENT FOLDER
    mkdir -p "$2"
    printf '%s\n' "$1.sinks = k" "$1.sinks.k.type = file_roll" "$1.sinks.k.sink.directory = $2" "$1.sinks.k.sink.rollInterval = 0" \
        "$1.sinks.k.channel = c"
}
in_port=$(free_port) whole_port=$(free_port)
{ channel in split 3500; source_lines in "$in_port"; } >"$work/in.conf"
{ channel out split 3500; sink_lines out "$work/out"; } >"$work/out.conf"
{ channel whole whole 20000; source_lines whole "$whole_port"; sink_lines whole "$work/whole"; } >"$work/whole.conf"

declare -A agents=()
start() { # AGENT
    "$PENSTOCK" agent --conf-file "$work/$1.conf" --name "$1" >>"$work/$1.err" 2>&1 &
    agents[$1]=$!
    children[$!]=1
}
kill_agent() { # AGENT
    kill -KILL "${agents[$1]}"
    wait "${agents[$1]}" 2>/dev/null || true
    unset "children[${agents[$1]}]"
}
stop() { # AGENT: in an orderly way
    kill -TERM "${agents[$1]}"
    wait "${agents[$1]}" || fail "agent $1 stops with exit status $?"
    unset "children[${agents[$1]}]"
}

# No warning of a channel with one end: the other end is elsewhere.
for name in in out whole; do
    "$PENSTOCK" check --conf-file "$work/$name.conf" --name $name >"$work/check" 2>&1 || fail "check of $name: $(<"$work/check")"
    ! grep -qi warning "$work/check" || fail "check of $name warns: $(<"$work/check")"
done

# Sends lines FIRST, FIRST + 1, .. of the client in groups of ten, and notes those that were answered OK, until its file
# `stop` is there. A connection that breaks is opened again; what was not answered is not sent again.
client() { # NAME PORT
    local number=0 answer i sent
    trap '' PIPE
    while [[ ! -e $work/$1.stop ]]; do
        if ! exec 3<>"/dev/tcp/127.0.0.1/$2"; then
            sleep 0.1
            continue
        fi 2>/dev/null
        while [[ ! -e $work/$1.stop ]]; do
            sent=$number
            for ((i = 0; i < 10; i++)); do echo "$1-$((number++))"; done >&3 || break
            for ((i = 0; i < 10; i++)); do
                IFS= read -r -t 60 answer <&3 || break 2
                [[ $answer != OK ]] || echo "$1-$((sent + i))" >>"$work/$1.acked"
            done
        done 2>/dev/null
        exec 3<&- 3>&-
    done
}

acked() { # NAME: prints how many lines were answered
    [[ ! -e $work/$1.acked ]] || wc -l <"$work/$1.acked"
}
grows() { # NAME COUNT
    local now
    now=$(acked "$1")
    ((${now:-0} >= $2))
}
missing() { # NAME FOLDER: prints acknowledged lines that did not arrive
    comm -23 <(sort -u "$work/$1.acked") <(sort -u "$2"/*)
}
all_arrived() { [[ ! $(missing "$1" "$2") ]]; }

# ---- a source here, a sink there; both are killed again and again ----

start in
start out
client split "$in_port" 2>"$work/split.err" &
client=$!
children[$client]=1
for ((turn = 1; turn <= 4; turn++)); do
    before=$(acked split)
    await "in round $turn nothing is acknowledged" grows split $((${before:-0} + 50))
    sleep "0.$((RANDOM % 10))"
    kill_agent in
    ((turn % 2 == 0)) && kill_agent out
    start in
    ((turn % 2 == 0)) && start out
done
before=$(acked split)
await "after the last round nothing is acknowledged" grows split $((before + 50))
touch "$work/split.stop"
wait $client || true
unset "children[$client]"
await "acknowledged lines are missing: $(missing split "$work/out" | head -3)" all_arrived split "$work/out"
stop in
stop out
echo "two agents: $(acked split) acknowledged, $(sort -u "$work/out"/* | wc -l) arrived, $(cat "$work/out"/* | wc -l) with doubled ones"

# ---- both ends in one agent: an orderly stop and start between two lots ----

start whole
lot() { # FIRST: sends 100 lines and waits for their answers
    local answers
    ports_wait() { exec 3<>"/dev/tcp/127.0.0.1/$whole_port"; } 2>/dev/null
    await "agent whole does not listen" ports_wait
    for ((i = $1; i < $1 + 100; i++)); do echo "$i"; done >&3
    answers=$(head -n 100 <&3 | grep -c OK)
    exec 3<&- 3>&-
    ((answers == 100)) || fail "$answers of 100 lines are acknowledged"
}
arrived() { (($(cat "$work/whole"/* | wc -l) >= $1)); }
lot 0
await "the first lot does not arrive" arrived 100
stop whole
start whole
lot 100
await "the second lot does not arrive" arrived 200
stop whole
# ---- reloads under load: the channel leaves its group and joins it again; nothing is lost, nothing comes twice ----

# It stays a member however long it waits for a CPU: otherwise what it has not committed would come twice. A start that follows a stop takes this long
# with the mock brokers, and none follows here.
sed -i 's/session.timeout.ms = .*/session.timeout.ms = 300000/' "$work/whole.conf"
start whole
client whole "$whole_port" 2>"$work/client.err" &
client=$!
children[$client]=1
reloads() { (($(grep -c 'agent: reloaded' "$work/whole.err") >= $1)); }
for ((turn = 1; turn <= 3; turn++)); do
    before=$(acked whole)
    await "before reload $turn nothing is acknowledged" grows whole $((${before:-0} + 30))
    sed -i "s/^whole.sinks.k.sink.batchSize.*//; \$a whole.sinks.k.sink.batchSize = $((turn + 100))" "$work/whole.conf"
    kill -HUP "${agents[whole]}"
    await "reload $turn is not done" reloads "$turn"
done
touch "$work/whole.stop"
wait $client || true
unset "children[$client]"
await "acknowledged lines are missing after reloads: $(missing whole "$work/whole" | head -3)" all_arrived whole "$work/whole"
stop whole
diff <(grep -h whole "$work/whole"/* | sort) <(sort "$work/whole.acked") >"$work/diff" ||
    fail "over reloads, what arrived is not what was acknowledged: $(head -5 "$work/diff")"
echo "reloads: $(acked whole) acknowledged, each arrived once"
diff <(grep -hv whole "$work/whole"/* | sort -n) <(seq 0 199) >"$work/diff" || fail "what arrived is not what was sent: $(head -5 "$work/diff")"
echo "one agent: 200 sent, each arrived once over a stop and a start"
