#!/usr/bin/env bash
# Two tiers: avro source -> file channel -> avro sink -> avro source -> file channel -> file_roll. Each side is killed with
# SIGKILL under load and started again: every event that was acknowledged arrives.
#
#   LINK=thrift   thrift sink -> thrift source between the tiers (thrift_two_tiers_test.sh)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

link=${LINK:-avro}
leaf_port=$(free_port)
collector_port=$(free_port)
mkdir "$work/out"

tier() { # NAME PORT TYPE: source and channel
    mkdir "$work/$1"
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = $3
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $2
	a1.sources.r1.channels = c1
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/$1/checkpoint
	a1.channels.c1.dataDirs = $work/$1/data
	a1.channels.c1.capacity = 100000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.channel = c1
	EOF_
}
{
    tier leaf "$leaf_port" avro
    echo "a1.sinks.k1.type = $link"
    echo "a1.sinks.k1.hostname = 127.0.0.1"
    echo "a1.sinks.k1.port = $collector_port"
} >"$work/leaf.properties"
{
    tier collector "$collector_port" "$link"
    echo "a1.sinks.k1.type = file_roll"
    echo "a1.sinks.k1.sink.directory = $work/out"
    echo "a1.sinks.k1.sink.rollInterval = 0"
} >"$work/collector.properties"

declare -A tiers=()
start() { # NAME PORT
    : >"$work/$1.err"
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" 2>>"$work/$1.err" &
    tiers[$1]=$!
    children[${tiers[$1]}]=1
    await "$1 listens" grep -q "listening on 127.0.0.1:$2" "$work/$1.err"
}
end() { # NAME SIGNAL
    local code=0
    kill "-$2" "${tiers[$1]}"
    wait "${tiers[$1]}" || code=$?
    unset "children[${tiers[$1]}]"
    [[ $2 == KILL || $code == 0 ]] || fail "$1 ends with $code: $(tail -n 2 "$work/$1.err")"
}
lines() { cat "$work"/out/* 2>/dev/null | wc -l; }
have_arrived() { (($(lines) >= $1)); } # COUNT
arrive() { # WHAT COUNT: waits until so many more lines are there
    await "$1" have_arrived $(($(lines) + $2))
}

start collector "$collector_port"
start leaf "$leaf_port"
# It ends after the last kill: a load of a given length could be delivered before. What is due while a tier is away, or slow, is sent then.
"$PENSTOCK" load --target "avro://127.0.0.1:$leaf_port" --wait --rate 2k --format rfc3164 --settle 600s --tolerance 1 --json \
    --manifest "$work/manifest" >"$work/load.json" 2>"$work/load.err" &
loader=$!
children[$loader]=1
arrive "the first events" 1000
end collector KILL
start collector "$collector_port"
arrive "events after the collector's end" 2000
end leaf KILL
start leaf "$leaf_port"
arrive "events after the leaf's end" 2000
end collector KILL
start collector "$collector_port"
kill -TERM $loader
wait $loader || fail "the load ends with $?"
unset "children[$loader]"

# A stop leaves in the file channels what is not delivered yet, so the agents run until everything is there.
all_is_there() {
    "$PENSTOCK" verify --from "file://$work/out" --manifest "$work/manifest" --json >"$work/verify.json" 2>"$work/verify.err" || true
    summary=$(tail -n 1 "$work/verify.json")
    [[ $summary == *'"lost":0,'* ]]
}
await "every event" all_is_there
end leaf TERM
end collector TERM
all_is_there || fail "something was lost: $summary"
[[ $summary == *'"corrupted":0,'* ]] || fail "something was changed: $summary"
echo ok
