#!/usr/bin/env bash
# The spillable memory channel of a running agent: with the sink down memory fills, the rest goes to disk, and all comes in
# order, once, when the sink is up; then memory is used again. What is on disk survives SIGKILL and comes first; a stop
# writes what is in memory to disk; a reload keeps the order.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
metrics_port=$(free_port)
memory=1000

configuration() { # OUT: writes the agent's file; its sink writes into $work/OUT, which may not be there
    cat >"$work/agent.properties" <<END
a1.penstock.drain.timeout = 1000
a1.penstock.reload.timeout = 1000
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = SPILLABLEMEMORY
a1.channels.c1.memoryCapacity = $memory
a1.channels.c1.overflowTimeout = 1
a1.channels.c1.checkpointDir = $work/state
a1.channels.c1.dataDirs = $work/data
a1.channels.c1.minimumRequiredSpace = 1048576
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/$1
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END
}

agent_options=(-Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port")


answers() { # FROM TO: sends these numbers, one line each, and prints how many were acknowledged
    python3 - "$port" "$1" "$2" <<'END'
import socket, sys
port, first, last = map(int, sys.argv[1:])
with socket.create_connection(("127.0.0.1", port)) as connection:
    connection.settimeout(300)
    connection.sendall(b"".join(b"%d\n" % n for n in range(first, last + 1)))
    answers = connection.makefile("rb")
    print(sum(answers.readline() == b"OK\n" for _ in range(first, last + 1)))
END
}

send() { # FROM TO: all must be acknowledged
    [[ $(answers "$1" "$2") == $(($2 - $1 + 1)) ]] || fail "not all of $1..$2 were acknowledged"
}

delivered() { find "$work/$1" -type f -exec cat {} + 2>/dev/null; } # OUT
has_delivered() { [[ $(delivered "$1" | wc -l) -ge $2 ]]; }        # OUT COUNT
assert_in_order() { # OUT FROM TO: exactly these were delivered, in order
    await "$2..$3 are delivered" has_delivered "$1" $(($3 - $2 + 1))
    diff <(delivered "$1") <(seq "$2" "$3") >"$work/diff.err" || fail "not $2..$3 in order, once"
}

echo "== the sink is down: memory, then disk; then it is up"
configuration first
start_agent
send 1 20000
[[ $(cat "$work"/data/* | wc -c) -gt 50000 ]] || fail "nothing is on disk"
mkdir "$work/first"
assert_in_order first 1 20000
send 20001 24000
assert_in_order first 1 24000
stop_agent TERM

echo "== a reload with the sink down keeps the order: memory first, then the disk"
configuration second
start_agent
send 1 6000
echo "a1.channels.c1.overflowDeactivationThreshold = 6" >>"$work/agent.properties"
kill -HUP "$agent"
reloaded() { [[ $(grep -c "events are waiting" "$work/agent.err") -ge 2 ]]; }
await "the agent reloads" reloaded
await "the reload" grep -q "agent: reloaded; " "$work/agent.err"
send 6001 7000
mkdir "$work/second"
assert_in_order second 1 7000
stop_agent TERM

echo "== SIGKILL: what is on disk survives, and comes first"
configuration third
start_agent
send 1 6000
stop_agent KILL
mkdir "$work/third"
start_agent
send 6001 7000
await "all is delivered" grep -rqx 7000 "$work/third"
delivered third >"$work/third.list"
sort -c -n -u "$work/third.list" || fail "not in order, or doubled"
lost=$((7000 - $(wc -l <"$work/third.list")))
((lost >= memory && lost <= memory + memory / 4)) || fail "$lost events were lost: not what fits into memory"
tail -n 1000 "$work/third.list" | diff - <(seq 6001 7000) >"$work/diff.err" || fail "6001..7000 are not the last"
stop_agent TERM

account_says() { # TEXT: in the last line of the log
    tail -n 1 "$work/agent.err" | grep -q " stopped: .*$1" || fail "the last line does not say: $1"
}

echo "== a stop with the sink down writes memory to disk, and is clean"
configuration fourth
start_agent
send 1 600
stop_agent TERM 0
account_says "accepted 600, delivered 0, .* not delivered 0, kept in durable channels 600,"
grep -q "closed: 600 events stay on disk" "$work/agent.err" || fail "600 events are not on disk"
mkdir "$work/fourth"
start_agent
assert_in_order fourth 1 600
settled() { [[ $(metric penstock_sink_events_delivered_total k1) == 600 ]]; }
await "the sink has settled what is in its file" settled # a stop waits for a second only
stop_agent TERM 0
account_says "delivered 600, .* kept in durable channels 0,"
grep -q "closed: 0 events stay on disk" "$work/agent.err" || fail "something is left on disk"
