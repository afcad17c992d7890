#!/usr/bin/env bash
# Thousands of clients, most of them silent, some slow, half-closed, or not reading, at the sources avro, thrift, http, netcat and syslogtcp:
# a good client is served as if it were alone, memory stays bounded, and all descriptors come back. Then with limits: penstock.connections.max holds,
# and penstock.idle.timeout and penstock.request.timeout end the others.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
has python3 "the clients" || exit 77

kinds=(avro thrift http netcat syslogtcp)
each=640 budget=64 limit=150
(($(ulimit -Hn) >= each * ${#kinds[@]} + 500)) || { echo "SKIP: this process may open only $(ulimit -Hn) files"; exit 77; }
declare -A target=([avro]="avro://127.0.0.1:%d?batch=100" [http]="http://127.0.0.1:%d/?batch=100" [netcat]="netcat://127.0.0.1:%d"
    [syslogtcp]="tcp://127.0.0.1:%d") ports
metrics=$(free_port)
names=()
for kind in "${kinds[@]}"; do names+=("$kind" "limited_$kind"); done
{
    echo "a1.sources = ${names[*]}"
    echo "a1.channels = c1"
    echo "a1.sinks = k1"
    for name in "${names[@]}"; do
        ports[$name]=$(free_port)
        host=bind
        [[ $name != *syslogtcp ]] || host=host
        cat <<-EOF_
	a1.sources.$name.type = ${name#limited_}
	a1.sources.$name.$host = 127.0.0.1
	a1.sources.$name.port = ${ports[$name]}
	a1.sources.$name.channels = c1
	EOF_
        [[ $name != limited_* ]] || cat <<-EOF_
	a1.sources.$name.penstock.idle.timeout = 1
	a1.sources.$name.penstock.connections.max = $limit
	EOF_
    done
    cat <<-EOF_
	a1.sources.http.penstock.idle.timeout = 0
	a1.sources.limited_http.penstock.request.timeout = 2
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = null
	a1.sinks.k1.channel = c1
	a1.penstock.memory.budget = ${budget}m
	EOF_
} >"$work/agent.properties"
# The agent raises the limit of descriptors by itself.
(ulimit -Sn 256 && exec "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics") \
    >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
all_listen() { (($(grep -c "listening on 127.0.0.1" "$work/agent.err") == ${#names[@]})); }
await "the sources listen" all_listen

count() { # SOURCE COUNTER
    curl -s --noproxy '*' --max-time 60 "http://127.0.0.1:$metrics/metrics" | jq -r ".\"SOURCE.$1\".$2"
}
descriptors() { find "/proc/$agent/fd" -mindepth 1 | wc -l; }
descriptors_are() { (($(descriptors) <= $1)); }
metrics_are_there() { [[ $(count avro EventReceivedCount) == 0 ]]; }
await "the metrics are there" metrics_are_there
before=$(descriptors)

clients_start() { # COUNT [PREFIX]: of each kind
    local kind where=()
    for kind in "${kinds[@]}"; do where+=("$kind:${ports[${2-}$kind]}"); done
    coproc CLIENTS { exec "$(dirname "$0")/many_clients.py" "$1" "${where[@]}" 2>"$work/clients.err"; }
    clients=$CLIENTS_PID
    children[$clients]=1
    read -r -t 120 answer <&"${CLIENTS[0]}" || fail "the clients do not connect"
    [[ $answer == "open $(($1 * ${#kinds[@]}))" ]] || fail "the clients: $answer"
}
clients_stop() {
    local input=${CLIENTS[1]}
    exec {input}>&-
    wait "$clients" || fail "the clients end with $?"
    unset "children[$clients]"
}
good_client() { # SOURCE
    local url again=0
    [[ $1 != limited_* ]] || again=20
    if [[ $1 == *thrift ]]; then
        "$(dirname "$0")/many_clients.py" thrift "${ports[$1]}" 1000 $again 2>"$work/load.err" || fail "the good client of $1"
        return
    fi
    # shellcheck disable=SC2059
    printf -v url "${target[${1#limited_}]}" "${ports[$1]}"
    "$PENSTOCK" load --wait --target "$url" --events 2000 --connections 2 --settle 60s --pace sleep --json >"$work/load.json" 2>"$work/load.err" ||
        fail "the good client of $1: exit $?: $(tail -n 1 "$work/load.json" | cut -c 1-500)"
}

clients_start $each
for kind in "${kinds[@]}"; do
    good_client "$kind"
    # Those that were shut are gone, all others are open: neither is affected by the other.
    open=$(count "$kind" OpenConnectionCount)
    ((open >= each * 9 / 10 - 3)) || fail "$kind: only $open connections are open"
done
peak=$(awk '/^VmHWM:/ {print int($2 / 1024)}' "/proc/$agent/status")
((peak < budget + 100)) || fail "the agent has used $peak MiB, its budget is $budget MiB"
clients_stop
await "all descriptors come back" descriptors_are "$before"

clients_start $((2 * limit)) limited_
for kind in "${kinds[@]}"; do
    good_client "limited_$kind"
    open=$(count "limited_$kind" OpenConnectionCount)
    ((open <= limit)) || fail "limited_$kind: $open connections are open"
done
all_ended() {
    echo ended >&"${CLIENTS[1]}"
    read -r -t 120 _ ended _ waiting <&"${CLIENTS[0]}"
    ((ended == waiting))
}
await "the silent ones are ended" all_ended
only_slow_ones_are_open() { # SOURCE NUMBER
    (($(count "$1" OpenConnectionCount) <= $2))
}
slow=$((2 * limit / 20)) # many_clients.py
for kind in "${kinds[@]}"; do
    await "limited_$kind: all others are ended" only_slow_ones_are_open "limited_$kind" "$([[ $kind == http ]] && echo 0 || echo $slow)"
done
grep -q "as many as penstock.connections.max allows" "$work/agent.err" || fail "nothing is said about the limit"
clients_stop
await "all descriptors come back" descriptors_are "$before"
kill -TERM "$agent"
wait "$agent" || fail "the agent ends with $?"
unset "children[$agent]"
echo "ok: $((each * ${#kinds[@]})) clients, $peak MiB at most"
