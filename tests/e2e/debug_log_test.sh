#!/usr/bin/env bash
# The log at DEBUG says what the agent decides: a source waits and goes on, why batches are closed, a sink rests, the phases of
# a reload; at INFO it does not.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)

# k2 opens when its directory is there: until then c2 is full. k1 loses its directory before its second file.
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sources.r2.type = stress
a1.sources.r2.maxEventsPerSecond = 1000
a1.sources.r2.channels = c2
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.channels.c2.capacity = 100
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/one
a1.sinks.k1.sink.rollInterval = 1
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/two
a1.sinks.k2.channel = c2
EOF_
has() { grep -qE -- "$1" "$work/agent.err"; }
awaits() { await "no line like \"$1\" in the log" has "$1"; }
run_agent() { # LEVEL
    rm -rf "$work/one" "$work/two"
    mkdir "$work/one"
    : >"$work/agent.err" # the copy of this shell that becomes the agent empties it too late: lines of the agent before would be found
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" --no-reload-conf "-Dflume.root.logger=$1,console" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    awaits "source r1: listening on 127.0.0.1:$port"
    awaits 'sink k2: cannot write in '
    rm -r "$work/one"
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    cannot_create() { echo hello >&3; has 'sink k1: cannot create '; }
    await 'k1 has its directory' cannot_create
}
end_agent() {
    exec 3<&- 3>&-
    kill -TERM "$agent"
    wait "$agent" || true
    unset "children[$agent]"
}

run_agent DEBUG
awaits 'DEBUG source r2: waits: channel c2 is full$'
awaits 'DEBUG source r2: batches closed: [0-9,]+ because they were full, [0-9,]+ because a sink had nothing left, .* [0-9,]+ events?$'
awaits 'DEBUG sink k1: gives [0-9]+ events? back to channel c1 and rests 1 s: failure 1 in a row$'
awaits 'DEBUG sink k1: gives [0-9]+ events? back to channel c1 and rests 2 s: failure 2 in a row$'
has 'DEBUG source r2: continues' && fail 'it continues though c2 is full'
mkdir "$work/two"
awaits 'DEBUG source r2: continues after a wait of [0-9.]+ (us|ms|s)$'
mkdir "$work/one"
sed -i 's/rollInterval = 1$/rollInterval = 60/' "$work/agent.properties"
kill -HUP "$agent"
awaits 'INFO agent: reloaded; '
for phase in 'every channel stays' 'closing the components that change: each drains and gives back its events' 'the new components open' \
    'the components that stay are reading their files again'; do
    has "DEBUG agent: reload: $phase; the step before took [0-9.]+ (ns|us|ms|s)\$" || fail "no phase \"$phase\""
done
has ' parks' && fail 'a worker says that it parks'
end_agent

# Equal lines of which most are held back: they are counted before the last line of the log.
run_agent INFO
for ((i = 0; i < 40; i++)); do
    kill -HUP "$agent"
    sleep 0.02
done
end_agent
has ' DEBUG ' && fail 'DEBUG at INFO'
tail -n 1 "$work/agent.err" | grep -q ' agent: stopped: ' || fail 'the account is not the last line'
