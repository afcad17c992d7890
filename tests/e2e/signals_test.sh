#!/usr/bin/env bash
# Signals (SIGQUIT, SIGUSR1, SIGUSR2: tests/scenarios/signal_dump.scn): SIGALRM and SIGXFSZ do not end the agent; it dumps during a reload and before it has
# started. Commands that run for a while end in order.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

port=$(free_port)
config() { # MORE: the agent's file
    cat >"$work/fresh" <<END
$1
a1.penstock.drain.timeout = 200
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sources.r2.type = seq
a1.sources.r2.channels = c2
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.channels.c2.capacity = 100
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/missing
a1.sinks.k2.channel = c2
END
    mv "$work/fresh" "$work/a1.properties"
}
start_agent() { # OPTION...
    "$PENSTOCK" agent -n a1 -f "$work/a1.properties" "$@" >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
logged() { grep -qE -- "$1" "$work/agent.err"; }
dumped() { # REGEX: asks for a dump; whether any so far has the line
    kill -QUIT $agent 2>/dev/null
    sleep 0.1
    logged "$1"
}
end_agent() { # STATUS
    local code=0
    kill -TERM $agent
    wait $agent || code=$?
    unset "children[$agent]"
    ((code == $1)) || fail "exit status $code, not $1"
}

config ""
start_agent
await "the agent does not listen" logged 'listening on'
kill -ALRM $agent
await "nothing about SIGALRM" logged "WARN agent: SIGALRM is ignored: SIGTERM stops .*SIGHUP reads .*SIGQUIT writes"
kill -XFSZ $agent

# During a reload: reading the file takes as long as the filter's command, which may take 10 s.
printf '#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do [ -e %s/dumped ] || sleep 1; done\necho 1000\n' "$work" >"$work/slow"
chmod +x "$work/slow"
config "a1.configfilters = f1
a1.configfilters.f1.type = external
a1.configfilters.f1.command = $work/slow
a1.sources.r2.backoffSleepIncrement = \${f1['slow']}"
kill -HUP $agent
reloads=1
dumped_in_reload() { # a reload that ended before the look is begun again
    dumped "dump: control: reads the configuration again" && return
    (($(grep -cE 'agent: reloaded|is not used|nothing changed' "$work/agent.err") < reloads)) || { reloads=$((reloads + 1)); kill -HUP $agent; }
    return 1
}
await "no dump during the reload" dumped_in_reload
touch "$work/dumped"
await "no reload" logged 'INFO agent: reloaded'
end_agent 3

# Before it has started it has nothing to show, and lives.
mv "$work/a1.properties" "$work/later.properties"
start_agent -Dflume.called.from.service=1
await "it does not wait" logged 'waits for it'
kill -QUIT $agent
await "no answer before the start" logged 'dump: the agent has not started yet'
kill -USR2 $agent
mv "$work/later.properties" "$work/a1.properties"
await "it does not start" logged 'starts agent a1'
await "it does not listen" logged 'listening on'
await "no full channel" dumped "dump: source r2 .*waits for a full channel for" # the exit status is that of events which are left
end_agent 3

# While the server of the first configuration says nothing.
has python3 "first_configuration" && {
    python3 -c '
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(server.accept())
    print("accepted", flush=True)' >"$work/silent.out" &
    children[$!]=1
    await "no server" test -s "$work/silent.out"
    "$PENSTOCK" agent -n a1 -u "http://127.0.0.1:$(head -n 1 "$work/silent.out")/a1.properties" >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "it does not ask for the configuration" grep -q accepted "$work/silent.out"
    kill -QUIT $agent
    await "no answer while it reads" logged 'dump: the agent has not started yet'
    end_agent 0
    logged 'asked to stop: the agent has not started' || fail "a stop while the first configuration is read"
}

# Commands that run for a while: ^\ is as ^C.
"$PENSTOCK" load --target "file://$work/load.txt" --rate 1000 --duration 600s --json >"$work/load.json" 2>"$work/load.err" &
load=$!
children[$load]=1
await "load does not write" test -s "$work/load.txt"
for name in USR1 USR2 ALRM XFSZ; do kill -$name $load; done
kill -QUIT $load
code=0
wait $load || code=$?
unset "children[$load]"
((code < 128)) || fail "load: exit status $code"
tail -n 1 "$work/load.json" | jq -e '.completed > 0' >"$work/jq.out" || fail "load wrote no result"

"$PENSTOCK" mock-broker >"$work/broker.out" 2>"$work/broker.err" &
broker=$!
children[$broker]=1
await "no broker" test -s "$work/broker.out"
kill -QUIT $broker
wait $broker || fail "mock-broker: exit status $?"
unset "children[$broker]"
echo "ok: load and mock-broker end in order"
