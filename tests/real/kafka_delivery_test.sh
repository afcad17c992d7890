#!/usr/bin/env bash
# Needs: kafka
# One real broker, the real agent, default settings: every event arrives once and in order after faults of the broker
# (SIGKILL, SIGSTOP) and of the connection (cut between append and reply), and the account is right after SIGTERM and
# SIGKILL of the agent. librdkafka's mock cannot prove this, since it does not deduplicate.
#
#   STALL_S=30   seconds that the broker is stopped (default 10)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

stall_s=${STALL_S:-10}
proxied=$((port + 30)) proxy=$((port + 31)) # a listener that is reached only through the proxy

step "a broker"
listeners=PLAIN://127.0.0.1:$port
kafka_start --set "listeners=$listeners,PROXIED://127.0.0.1:$proxied,CONTROLLER://127.0.0.1:$((port + 10))" \
    --set "advertised.listeners=$listeners,PROXIED://127.0.0.1:$proxy" \
    --set listener.security.protocol.map=PLAIN:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT

step "a million numbers of source seq: each one once, in order, over four partitions"
agent_file seq numbers sources.r1.type=seq sources.r1.host= sources.r1.port= sources.r1.totalEvents=1000000
agent_start seq
check numbers 1000000 1 --no-headers
(($(field partitions "$found") == 4)) || fail "not over all partitions"
agent_stop seq
[[ $account == "events accepted 1,000,000, delivered 1,000,000, dropped 0, refused by the far end 0, possibly doubled 0, not delivered 0, kept in durable channels 0, read again at the next start 0, dropped by the kernel (UDP) 0, dead letters 0" ]] ||
    fail "the account is wrong: $account"
segment=$(echo "$work"/kafka/1/data/numbers-0/*.log)
"$kafka" run org.apache.kafka.tools.DumpLogSegments --files "$segment" >"$work/segment" 2>&1 || fail "no dump of $segment"
grep -q 'producerId: [0-9]' "$work/segment" || fail "not an idempotent producer: $(grep -m1 producerId "$work/segment")"

step "the broker is killed under load and restarted"
agent_file killed killed
agent_start killed "${monitored[@]}"
load_start --events "$endless" --rate 30000
await 60 has_accepted 50000 || fail "no load"
kafka_kill 1
sleep 1
kafka_start
sleep 2
load_stop
check_sent killed killed
await_log killed 'brokers are down.*Events wait, none is lost'
await_log killed 'Kafka accepts events again'

metric() { # NAME: prints the value of a metric without labels
    curl -fs --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics/prometheus" | awk -v name="$1" '$1 == name {print $2}'
}
is_held_back() { # the source waits for room
    curl -fs --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics/prometheus" |
        grep -q '^penstock_source_blocked_seconds_total{component="r1"} .*[1-9]'
}
is_half_used() { # sets used
    used=$(metric penstock_memory_used_bytes)
    ((${used:-0} > 32 * 1048576))
}
step "the broker is stopped for $stall_s s under load, with 64 MiB for events"
agent_file stalled stalled penstock.memory.budget=64m channels.c1.capacity=10000000
agent_start stalled "${monitored[@]}"
await_log stalled 'listening on'
base=$(memory_mib stalled VmRSS)
load_start --events "$endless" --rate 40000 --bytes 400
await 60 has_accepted 50000 || fail "no load"
kafka_signal STOP
sleep "$stall_s"
await 60 is_held_back || fail "the source was not held back"
# A slow broker may have held it back before, too.
await 60 is_half_used || fail "$used bytes of the budget of 64 MiB are used"
((used <= 64 * 1048576)) || fail "$used bytes of the budget of 64 MiB are used"
kafka_signal CONT
sleep 3
high=$(memory_mib stalled VmHWM)
load_stop
check_sent stalled stalled
echo "    memory $base MiB at first, $high MiB at most"
# librdkafka's line (16 MiB here) is part of the budget. 8 MiB more are code and buffers of connections, which the load uses for the first time, and
# pages that the allocator has not given back yet: 60 to 67 MiB more than at first were seen.
((high <= base + 64 + 8)) || fail "the agent used up to $high MiB, $base MiB of them before the load"
(($(accounted dropped) == 0)) || fail "the account is wrong: $account"

step "connections are cut between append and reply"
has_cut() { # TIMES: a slow sink makes fewer and larger requests, of which fewer are cut
    (($(wc -l <"$work/cuts") >= $1))
}
cut() { # NAME EVERY [KEY=VALUE]...
    local name=$1 every=$2
    shift 2
    "$PENSTOCK_TOOLS/cut_proxy" --listen "$proxy" --to "127.0.0.1:$proxied" --cut-every "$every" >"$work/cuts" 2>"$work/proxy.log" &
    local pid=$!
    children[$pid]=proxy
    agent_file "$name" "$name" sinks.k1.kafka.bootstrap.servers="127.0.0.1:$proxy" "$@"
    agent_start "$name" "${monitored[@]}"
    load_start --events "$endless" --rate 50000
    await 60 has_accepted 150000 || fail "no load"
    await 60 has_cut 3 || fail "too few cuts"
    load_stop
    agent_stop "$name"
    kill -TERM "$pid"
    wait "$pid" || fail "the proxy ended with $?"
    unset "children[$pid]"
    cuts=$(tail -n 1 "$work/cuts")
    echo "    $cuts"
}
cut cut 20
check cut "$endless" 4 --only "$(field sent "$sent")"

step "the same without idempotence (acks=1): the cuts make duplicates, and sequence_check finds them"
cut control 20 sinks.k1.kafka.producer.acks=1
found=$("$PENSTOCK_TOOLS/sequence_check" --brokers "$brokers" --topics control --events "$endless" --streams 4 \
    --only "$(field sent "$sent")") && fail "cuts make no duplicates: $found"
echo "    control: $found"
(($(field duplicated "$found") > 0 && $(field lost "$found") == 0)) || fail "cuts must duplicate and not lose events"

step "the agent is ended under load: all accepted events are delivered"
agent_file ended ended
agent_start ended "${monitored[@]}"
load_start --events "$endless" --rate 50000
await 60 has_accepted 100000 || fail "no load"
agent_stop ended
load_stop
accepted=$(accounted 'events accepted')
((accepted > 50000 && accepted == $(accounted delivered))) || fail "counts differ: $account"
check ended "$endless" 4 --only "$accepted"

has_clients() { # NUMBER: of source r1
    curl -fs --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics" | grep -qE "\"SOURCE.r1\":\{[^}]*\"OpenConnectionCount\":\"$1\""
}
step "the agent is killed under load: answered events may be lost (memory channel), none is duplicated"
agent_file answers answers sources.r1.type=netcat sources.r1.host= sources.r1.bind=127.0.0.1
agent_start answers "${monitored[@]}"
load_start --events "$endless" --rate 20000 --format line --answers
await 60 has_accepted 20000 || fail "no load"
agent_kill answers
agent_start answers "${monitored[@]}"
await 60 has_accepted 100000 || fail "the load does not go on"
await 60 has_clients 4 || fail "not all streams go on"
load_stop
agent_stop answers # all that it has taken is in the topic
echo "    $sent"
(($(field reconnects "$sent") >= 4)) || fail "no reconnects: $sent"
check answers "$endless" 4 --only "$(field sent "$sent")" --lost-below "$(field resumed "$sent")" --idle-s 30
