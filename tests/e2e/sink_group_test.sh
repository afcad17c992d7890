#!/usr/bin/env bash
# Sink groups of a whole agent. failover: file_roll sinks whose directories go and come back; Kafka sinks whose broker stops
# answering under load: nothing is lost, and events go on within seconds of the sink's own error. load_balance: each
# of two Kafka sinks gets half. /metrics, /readyz and the dump say who is left out; a reload changes the group.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)
metrics=$(free_port)
near=$(free_port)
far=$(free_port)

agent_start() { # NAME
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics" 2>>"$work/$1.err" &
    agent=$!
    children[$agent]=1
    await "$1: no source" nc_open
}
agent_stop() {
    local code=0
    kill -TERM "$agent"
    wait "$agent" || code=$?
    unset "children[$agent]"
    ((code == 0)) || fail "the agent exits with $code"
}
nc_open() { (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null; }
page() { curl -s "http://127.0.0.1:$metrics/$1"; }
shows() { # REGEX: a line of the metrics
    page metrics/prometheus >"$work/page" || return 1
    grep -qE "^$1" "$work/page"
}

# ---- file_roll: a sink that cannot open its file rolls back ----
common() { # TYPE OF SOURCE, ITS KEY OF THE ADDRESS
    cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sources.r1.type = $1
a1.sources.r1.$2 = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 200000
a1.sinks.k1.channel = c1
a1.sinks.k2.channel = c1
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k1 k2
END
}
{
    common netcat bind
    for sink in k1 k2; do
        mkdir "$work/$sink"
        echo "a1.sinks.$sink.type = file_roll"
        echo "a1.sinks.$sink.sink.directory = $work/$sink"
        echo "a1.sinks.$sink.sink.rollInterval = 1"
    done
    echo "a1.sinkgroups.g1.processor.type = failover"
    echo "a1.sinkgroups.g1.processor.priority.k1 = 10"
    echo "a1.sinkgroups.g1.processor.priority.k2 = 5"
    echo "a1.sinkgroups.g1.processor.maxpenalty = 3000"
} >"$work/files.properties"
send() { # PREFIX COUNT
    local i
    exec {lines}<>"/dev/tcp/127.0.0.1/$port"
    for ((i = 1; i <= $2; i++)); do
        echo "$1$i" >&"$lines"
        read -r -t 60 -u "$lines" || fail "no answer to $1$i" # closed before, it would lose lines
    done
    exec {lines}>&-
}
content() { # FOLDER
    find "$work/$1" "$work/$1.gone" -type f -exec cat {} + 2>/dev/null || true
}
has_lines() { # FOLDER PREFIX COUNT
    local count
    count=$(content "$1" | grep -c "^$2" || true)
    ((count == $3))
}

closed() { # FOLDER: whether the sink's file, which takes events after its folder has gone, has ended
    ! find "/proc/$agent/fd" -lname "$work/$1*" | grep -q .
}

agent_start files
send a 20
await 'k1 does not get the first events' has_lines k1 a 20
await 'k1 is not active' shows 'penstock_sink_group_active\{group="g1",component="k1"\} 1'
shows 'penstock_sink_group_active\{group="g1",component="k2"\} 0' || fail 'k2 does not stand by'
mv "$work/k1" "$work/k1.gone"
await 'the file of k1 does not end' closed k1
send b 20
await 'k2 does not get what k1 cannot write' has_lines k2 b 20
shows 'penstock_sink_group_active\{group="g1",component="k2"\} 1' || fail 'k2 is not active'
page readyz >"$work/ready.json"
grep -qF 'sink k1 is left out of group g1, because the sink failed; another sink of the group delivers' "$work/ready.json" || fail '/readyz does not name k1'
tail -n 1 "$work/ready.json" | grep -qx ok || fail '/readyz: not ready, although k2 delivers'
kill -QUIT "$agent"
await 'no dump' grep -q 'sink k1 .*in group g1: left out, because it failed' "$work/files.err"
mv "$work/k1.gone" "$work/k1"
probes=0
returns() { # k1 is tried with an event when its penalty is over
    send p 1
    probes=$((probes + 1))
    (($(content k1 | grep -c '^p' || true) > 0)) || { sleep 0.5; return 1; }
}
await 'k1 does not come back' returns
send c 20
await 'k1 does not get events again' has_lines k1 c 20
mv "$work/k1" "$work/k1.gone"
mv "$work/k2" "$work/k2.gone"
await 'the file of k1 does not end' closed k1
await 'the file of k2 does not end' closed k2
send d 20
sleep 1
mv "$work/k2.gone" "$work/k2"
await 'k2 does not get what both could not write' has_lines k2 d 20
mv "$work/k1.gone" "$work/k1"

# A reload turns the group round, and then dissolves it.
sed -i 's/priority.k2 = 5/priority.k2 = 50/' "$work/files.properties"
kill -HUP "$agent"
reloaded() { shows "penstock_reloads_total.*ok.* $1"; }
await 'no reload' reloaded 1
await 'the reload does not turn the group round' shows 'penstock_sink_group_active\{group="g1",component="k2"\} 1'
send e 20
await 'k2 does not get events after the reload' has_lines k2 e 20
sed -i '/sinkgroups/d' "$work/files.properties"
kill -HUP "$agent"
dissolved() { shows penstock_component_up && ! shows penstock_sink_group; }
await 'no second reload' reloaded 2
await 'the reload does not dissolve the group' dissolved
agent_stop
for folder in k1 k2; do content "$folder"; done | sort >"$work/all"
for letter in a b c d e; do
    (($(grep -c "^$letter" "$work/all") == 20)) || fail "$(grep -c "^$letter" "$work/all") events $letter, not 20"
done
(($(grep -c '^p' "$work/all") == probes)) || fail "$(grep -c '^p' "$work/all") events p, not $probes"

# ---- kafka: a broker that stops answering, under load ----
broker() { # NAME PORT
    "$PENSTOCK" mock-broker --port "$2" --topic t:2 >"$work/$1.out" 2>"$work/$1.err" &
    brokers[$1]=$!
    children[$!]=1
    await "no broker $1" test -s "$work/$1.out"
}
declare -A brokers
broker near "$near"
broker far "$far"
kafka_sinks() {
    echo "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink"
    echo "a1.sinks.k2.type = org.apache.flume.sink.kafka.KafkaSink"
    echo "a1.sinks.k1.kafka.topic = t"
    echo "a1.sinks.k2.kafka.topic = t"
    echo "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$near"
    echo "a1.sinks.k2.kafka.bootstrap.servers = 127.0.0.1:$far"
}
{
    common syslogtcp host
    kafka_sinks
    echo "a1.sinkgroups.g1.processor.type = failover"
    echo "a1.sinkgroups.g1.processor.priority.k1 = 10"
} >"$work/kafka.properties"
agent_start kafka
# The brokers keep 5 MB of a partition, so verify reads beside the load.
"$PENSTOCK" verify --from "kafka://127.0.0.1:$near/t" --from "kafka://127.0.0.1:$far/t" --manifest "$work/run.manifest" --idle 300s --json \
    >"$work/verify.json" 2>"$work/verify.err" &
verifier=$!
children[$verifier]=1
await 'verify is not ready' grep -q '"type":"ready"' "$work/verify.json"
"$PENSTOCK" load --wait --rate 1000 --tolerance 1 --settle 60s --format rfc3164 --target "tcp://127.0.0.1:$port" --manifest "$work/run.manifest" --json \
    >"$work/load.json" 2>"$work/load.err" &
load=$!
children[$load]=1
await 'k1 does not deliver' shows 'penstock_sink_events_delivered_total\{component="k1"\} [1-9]'
kill -STOP "${brokers[near]}"
stopped_ns=$(date +%s%N)
await 'events do not go on' shows 'penstock_sink_events_delivered_total\{component="k2"\} [1-9]'
echo "events went on $((($(date +%s%N) - stopped_ns) / 1000000)) ms after the broker stopped; the sink itself waits 10 s for an answer"
await 'k2 does not go on' shows 'penstock_sink_events_delivered_total\{component="k2"\} [1-9][0-9]{3}'
kill -TERM "$load"
wait "$load" || fail "load: exit $?"
unset "children[$load]"
kill -CONT "${brokers[near]}"
agent_stop
wait "$verifier" || (($? == 1)) || fail "verify" # events that the first broker took without an answer are there twice
unset "children[$verifier]"
tail -n 1 "$work/verify.json" | jq -e '.lost == 0' >/dev/null || fail "events are lost"
