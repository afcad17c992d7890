#!/usr/bin/env bash
# Needs: nothing
# An agent that cannot note anything for its next life says so, in check and in its log, where a Kafka component needs it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
broker=$(free_port)
metrics=$(free_port)
unset STATE_DIRECTORY

write_agent() { # NAME SOURCE CHANNEL [KEY=VALUE]...
    cat >"$work/$1.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = $2
a1.sources.r1.channels = c1
a1.channels.c1.type = $3
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
$(printf 'a1.%s\n' "${@:4}")
EOF_
}
kafka_channel=(channels.c1.kafka.{bootstrap.servers=127.0.0.1:$broker,topic=t,consumer.group.id=g})
kafka_source=(sources.r1.{batchSize=100,kafka.{bootstrap.servers=127.0.0.1:$broker,topics=t,consumer.group.id=g}})
netcat=(sources.r1.bind=127.0.0.1 "sources.r1.port=$(free_port)")
write_agent source org.apache.flume.source.kafka.KafkaSource memory "${kafka_source[@]}"
write_agent channel netcat org.apache.flume.channel.kafka.KafkaChannel "${netcat[@]}" "${kafka_channel[@]}"
write_agent static org.apache.flume.source.kafka.KafkaSource memory "${kafka_source[@]}" \
    sources.r1.kafka.consumer.group.instance.id=me
write_agent plain netcat memory "${netcat[@]}"

check() { # NAME: exits 0
    "$PENSTOCK" check -n a1 -f "$work/$1.properties" >"$work/out" 2>&1 || fail "check $1: $? $(<"$work/out")"
}
: >"$work/file"
mkdir "$work/home"
for home in here "$work/file" /proc; do # no path, below a file, not writable for anybody
    export HOME=$home
    for name in source channel; do
        check $name
        grep -q 'notes nothing for its next life.*' "$work/out" || fail "HOME=$home: check of $name says nothing"
        grep -q 'penstock.state.dir' "$work/out" || fail "HOME=$home: check of $name does not name the key"
    done
    for name in static plain; do
        check $name
        ! grep -q 'next life' "$work/out" || fail "HOME=$home: check of $name: $(<"$work/out")"
    done
done
export HOME=$work/home
check source
! grep -q 'next life' "$work/out" || fail "check warns of a directory that can be made"

"$PENSTOCK" mock-broker --port "$broker" --topic t:1 --with-parent >"$work/broker" 2>"$work/broker.err" &
children[$!]=1
is_there() { [[ -s $work/broker ]]; }
await 'no mock broker' is_there
for name in source channel; do
    for home in here "$work/file"; do
        : >"$work/log"
        HOME=$home "$PENSTOCK" agent -n a1 -f "$work/$name.properties" \
            -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics" >"$work/log" 2>&1 &
        agent=$!
        children[$agent]=1
        warns() { grep -q 'WARN.*waits for time-outs of the brokers; set penstock.state.dir' "$work/log"; }
        await "HOME=$home: the log of $name says nothing" warns
        kill "$agent"
        wait "$agent" || fail "$name ends with $?: $(<"$work/log")"
        unset "children[$agent]"
    done
done
