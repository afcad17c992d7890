#!/usr/bin/env bash
# penstock avro-client, which is libpenstock-client, with failover and load balancing while its sources die and come back: what is
# acknowledged arrives, through SIGTERM (each line once) and through SIGKILL with a file channel (no line is missing).
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
declare -A port=() running=()
for name in a b; do port[$name]=$(free_port); done

agent_begin() { # NAME: waits until it listens
    local name=$1
    mkdir -p "$name/out"
    cat >"$name/agent.properties" <<EOF_
$name.sources = r1
$name.channels = c1
$name.sinks = k1
$name.sources.r1.type = avro
$name.sources.r1.bind = 127.0.0.1
$name.sources.r1.port = ${port[$name]}
$name.sources.r1.channels = c1
$name.channels.c1.type = file
$name.channels.c1.checkpointDir = $work/$name/checkpoint
$name.channels.c1.dataDirs = $work/$name/data
$name.channels.c1.capacity = 100000
$name.sinks.k1.type = file_roll
$name.sinks.k1.channel = c1
$name.sinks.k1.sink.directory = $work/$name/out
$name.sinks.k1.sink.rollInterval = 0
EOF_
    : >"$name.err"
    # Not the pipe to the client: it would never end.
    "$PENSTOCK" agent -n "$name" -f "$name/agent.properties" >"$name.out" 2>>"$name.err" 3>&- &
    running[$name]=$!
    children[$!]=1
    await "agent $name listens" grep -q "listening on 127.0.0.1:${port[$name]}" "$name.err"
}
agent_end() { # NAME SIGNAL
    kill "-$2" "${running[$1]}"
    wait "${running[$1]}" || true
    unset "children[${running[$1]}]"
}
lines() { cat "$1"/out/* 2>/dev/null | wc -l; }                                  # NAME
distinct_are() { (($(cat a/out/* b/out/* 2>/dev/null | sort -u | wc -l) >= $1)); } # COUNT
has_lines() { (($(lines "$1") >= $2)); }                                          # NAME COUNT

client_begin() { # KIND FILE
    printf 'client.type = %s\nhosts = a b\nhosts.a = 127.0.0.1:%s\nhosts.b = 127.0.0.1:%s\nbatch-size = 10\nbackoff = true\n' \
        "$1" "${port[a]}" "${port[b]}" >rpc.properties
    "$PENSTOCK" avro-client -P rpc.properties -F "$2" >client.out 2>client.err &
    client=$!
    children[$client]=1
}
client_end() { # COUNT
    wait "$client" || fail "avro-client ends with $?"
    unset "children[$client]"
    grep -q "^$(grouped "$1") events are acknowledged" client.out || fail "avro-client says: $(<client.out)"
}

# ---- failover, to and fro, with a pause at each death: every line once ----

agent_begin a
agent_begin b
mkfifo pipe
client_begin default_failover pipe
exec 3>pipe
seq 1 100 >&3
await "the first host gets the lines" has_lines a 100
agent_end a TERM
seq 101 200 >&3
await "the second host gets the lines" has_lines b 100
agent_begin a
agent_end b TERM
seq 201 300 >&3
await "the first host gets the lines again" distinct_are 300
exec 3>&-
client_end 300
grep -q "127.0.0.1:${port[b]}: Connection refused" client.err || fail "a host that is gone is not told: $(<client.err)"
cat a/out/* b/out/* | sort -n | diff - <(seq 1 300) >diff.err || fail "not each line once"

# ---- SIGKILL in the middle of it: nothing that is acknowledged is missing ----

for kind in default_failover default_loadbalance; do
    agent_end a TERM
    rm -rf a b
    agent_begin a
    agent_begin b
    [[ $kind != default_loadbalance ]] || seq 1 6000 >numbers
    [[ $kind == default_loadbalance ]] || seq 1 4000 >numbers
    count=$(wc -l <numbers)
    client_begin $kind pipe
    exec 3>pipe
    head -n 1000 numbers >&3
    await "$kind: lines flow" has_lines a 100
    agent_end a KILL
    tail -n +1001 numbers >&3
    exec 3>&-
    client_end "$count"
    await "$kind: the second host gets lines" has_lines b 1
    agent_begin a # what is in its channel
    await "$kind: all lines arrive" distinct_are "$count"
    cat a/out/* b/out/* | sort -nu | diff - numbers >diff.err || fail "$kind: other lines"
    agent_end b TERM
done
echo "failover and load balancing: as expected"
