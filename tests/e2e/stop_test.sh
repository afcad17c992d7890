#!/usr/bin/env bash
# A stop while no sink delivers what came from Kafka: it is not waited for, and read again. The drain's time is a day: a test that waited for it
# would not end. (Other sources and channels: tests/scenarios/stop_promised.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
far=$(free_port)
metrics_port=$(free_port)
accepted() { [[ $(metric penstock_channel_events_put_total c1) == "$1" ]]; } # COUNT
number() { tail -n 1 "$work/agent.err" | sed -nE "s/.*[:,] $1 ([0-9,]*[0-9]).*/\1/p" | tr -d ,; } # WORDS: of the account
config() { # SOURCE_LINE... -- CHANNEL_LINE...: k1 sends to a port at which nobody listens
    local component=sources.r1
    cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.penstock.drain.timeout = 24h
a1.sources.r1.channels = c1
a1.sinks.k1.type = avro
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = $far
a1.sinks.k1.channel = c1
END
    while (($# > 0)); do
        if [[ $1 == -- ]]; then component=channels.c1; else echo "a1.$component.$1"; fi
        shift
    done
}
start() {
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" \
        >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
says() { # NOT_DELIVERED KEPT REREAD
    [[ $(number "not delivered") == "$1" && $(number "kept in durable channels") == "$2" && $(number "read again at the next start") == "$3" ]] ||
        fail "the account: $(tail -n 1 "$work/agent.err")"
}
to_files() { # in the agent's file, k1 writes into $work/out, which is made anew
    rm -rf "$work/out"
    mkdir "$work/out"
    sed -i "s/k1.type = avro/k1.type = file_roll/; s|k1.hostname = .*|k1.sink.directory = $work/out|; s/k1.port = .*/k1.sink.rollInterval = 0/" "$work/agent.properties"
}

# Its records are read again, and not lost: the next life delivers all.
"$PENSTOCK" mock-broker --topic in:2 >"$work/brokers" 2>"$work/broker.err" &
children[$!]=1
await "the mock broker has an address" test -s "$work/brokers"
"$PENSTOCK" load --wait --events 300 --rate 1k --tolerance 1 --target "kafka://$(<"$work/brokers")/in" >"$work/load.out" 2>"$work/load.err" ||
    fail "load: $(<"$work/load.err")"
config "type = org.apache.flume.source.kafka.KafkaSource" "kafka.bootstrap.servers = $(<"$work/brokers")" "kafka.topics = in" \
    "kafka.consumer.auto.offset.reset = earliest" "batchSize = 100" -- "type = memory" "capacity = 1000" >"$work/agent.properties"
start
await "all records are in the channel" accepted 300
stop_agent TERM 0
says 0 0 300
to_files
start
all_records() { [[ $(cat "$work/out"/* 2>/dev/null | wc -l) == 300 && $(cat "$work/out"/* | sort -u | wc -l) == 300 ]]; }
await "every record is delivered once" all_records
stop_agent TERM 0
says 0 0 0
