#!/usr/bin/env bash
# A stop while no sink takes from a channel, because the file has none: nothing is waited for. A channel on disk keeps its events,
# which come when there is a sink; those in memory are counted, and the exit status says so.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
metrics_port=$(free_port)
number() { tail -n 1 "$work/agent.err" | sed -nE "s/.*[:,] $1 ([0-9,]*[0-9]).*/\1/p" | tr -d ,; } # WORDS: of the account

config() { # SOURCE CHANNEL...: no sink takes from c1
    cat <<END
a1.sources = r1
a1.channels = c1
a1.penstock.drain.timeout = 24h
a1.sources.r1.type = $1
a1.sources.r1.channels = c1
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
END
    shift
    printf 'a1.channels.c1.%s\n' "$@"
}
on_disk=("type = file" "checkpointDir = $work/state" "dataDirs = $work/data")
start() {
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" \
        >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
listens() { { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; }
send() { # COUNT: lines to the netcat source, each answered with OK
    await "the source listens" listens
    local i answer
    for ((i = 0; i < $1; i++)); do
        echo "line $i" >&3
        read -r -t 60 answer <&3 || true
        [[ $answer == OK ]] || fail "line $i was not taken: $answer"
    done
    exec 3>&-
}

# 1. Events in memory: 3 of 3 are lost.
config netcat "type = memory" >"$work/agent.properties"
start
send 3
stop_agent TERM 3
[[ $(number "events accepted") == 3 && $(number "not delivered") == 3 ]] || fail "memory: wrong account"

# 2. A full channel in memory, whose source waits for room.
config seq "type = memory" "capacity = 100" >"$work/agent.properties"
start
await "the source waits for room" is_full 100
stop_agent TERM 3
(($(number "not delivered") > 100)) || fail "full: wrong account"

# 3. On disk, where all is kept, and 4. full.
config netcat "${on_disk[@]}" "capacity = 200" "transactionCapacity = 50" >"$work/agent.properties"
start
send 3
stop_agent TERM 0
[[ $(number "kept in durable channels") == 3 && $(number "not delivered") == 0 ]] || fail "disk: wrong account"
config seq "${on_disk[@]}" "capacity = 200" "transactionCapacity = 50" >"$work/agent.properties"
start
await "the source waits for room" is_full 150
stop_agent TERM 3 # what a source of this kind has read, and found no room, is lost
kept=$(number "kept in durable channels")
((kept >= 150)) || fail "full disk: $kept events are kept"

# 5. With a sink they come.
mkdir "$work/out"
config netcat "${on_disk[@]}" "capacity = 200" "transactionCapacity = 50" >"$work/agent.properties"
printf "a1.%s\n" "sinks = k1" "sinks.k1.type = file_roll" "sinks.k1.channel = c1" "sinks.k1.sink.directory = $work/out" "sinks.k1.sink.batchSize = 50" >>"$work/agent.properties"
all_there() { [[ $(cat "$work/out"/* 2>/dev/null | wc -l) == "$kept" ]]; }
start
await "the kept events come" all_there
stop_agent TERM 0
