#!/usr/bin/env bash
# What a source lacks is a state: /readyz says it with its reason and time, penstock_component_up and penstock_source_state
# show it, the log names it once, and all of them say when it is over. A source that has nothing to read is ready.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metrics_port=$(free_port) broker_port=$(free_port)
broker() { # PORT: starts brokers there
    "$PENSTOCK" mock-broker --port "$1" --topic t:1 >"$work/brokers" 2>>"$work/brokers.err" &
    broker=$!
    children[$broker]=1
    await 'the brokers' grep -q . "$work/brokers"
}
mkdir "$work/logs" "$work/spool" "$work/there"
sources=(never regex missing well badly again spool tail empty gone)
{
    echo "a1.sources = ${sources[*]}"
    echo 'a1.channels = c1 c2'
    echo 'a1.sinks = k1'
    for source in "${sources[@]}"; do echo "a1.sources.$source.channels = c1"; done
    echo "a1.channels.c1.transactionCapacity = 1000"
    echo "a1.channels.c1.capacity = 1000"
    for source in never regex; do
        echo "a1.sources.$source.type = org.apache.flume.source.kafka.KafkaSource"
        echo "a1.sources.$source.kafka.bootstrap.servers = 127.0.0.1:$broker_port"
        echo "a1.sources.$source.kafka.consumer.group.id = $source"
    done
    cat <<END
a1.sources.never.kafka.topics = t
a1.sources.regex.kafka.topics.regex = nothing-.*
a1.sources.missing.type = exec
a1.sources.missing.command = /no/such/program secret
a1.sources.well.type = exec
a1.sources.well.command = true
a1.sources.badly.type = exec
a1.sources.badly.command = false
a1.sources.again.type = exec
a1.sources.again.command = false
a1.sources.again.restart = true
a1.sources.again.restartThrottle = 50
a1.sources.spool.type = spooldir
a1.sources.spool.spoolDir = $work/later
a1.sources.gone.type = spooldir
a1.sources.gone.spoolDir = $work/there
a1.sources.gone.pollDelay = 50
a1.sources.tail.type = TAILDIR
a1.sources.tail.filegroups = f
a1.sources.tail.filegroups.f = $work/tail-later/.*log
a1.sources.tail.positionFile = $work/tail.json
a1.sources.empty.type = TAILDIR
a1.sources.empty.filegroups = f
a1.sources.empty.filegroups.f = $work/logs/.*log
a1.sources.empty.positionFile = $work/empty.json
a1.channels.c1.type = memory
a1.channels.c2.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c2.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.channels.c2.kafka.topic = t
a1.sinks.k1.type = null
a1.sinks.k1.channel = c2
END
} >"$work/agent.properties"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1

status='' # of the last look
page_has() { # LINE-PATTERN
    status=$(http_get "$metrics_port" /readyz "$work/ready.txt") && grep -qE "^$1" "$work/ready.txt"
}
page_lacks() { # LINE-PATTERN
    status=$(http_get "$metrics_port" /readyz "$work/ready.txt") && ! grep -qE "^$1" "$work/ready.txt"
}
is_in_state() { # SOURCE STATE UP
    http_get "$metrics_port" /metrics/prometheus "$work/metrics.txt" >"$work/status.txt" &&
        grep -qF "penstock_source_state{component=\"$1\",state=\"$2\"} 1" "$work/metrics.txt" &&
        [[ $(grep -F "penstock_source_state{component=\"$1\"," "$work/metrics.txt" | grep -c '} 1$') == 1 ]] &&
        grep -qF "penstock_component_up{kind=\"source\",component=\"$1\"} $3" "$work/metrics.txt"
}
time=' \(since [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z\)$'
expect() { # SOURCE STATE UP LINE
    await "/readyz says of $1: $4" page_has "source $1 $4"
    await "the state of $1 is $2" is_in_state "$1" "$2" "$3"
}

expect never never_reached 0 "has not reached its input yet: .*(brokers are down|Connection refused).*check kafka.bootstrap.servers.*$time"
expect missing gone 0 "misses its input: .*/no/such/program.*$time"
expect well nothing_to_read 1 "has nothing to read: command \[true\] ended with 0, and is not started again.*$time"
expect badly gone 0 "misses its input: command \[false\] ended with 1, and is not started again.*$time"
expect again lost 0 "has lost its input: command \[false\] ended with 1, and is started again.*$time"
await 'the state of spool' is_in_state spool not_open 0
expect tail gone 0 "misses its input: $work/tail-later: No such file or directory; create the directory.*$time"
expect empty nothing_to_read 1 "has nothing to read: no file matches filegroups.*$time"
await '/readyz names the channel' page_has 'channel c2: a consumer does not reach the topic: .*check kafka.bootstrap.servers'
[[ $status == 503 ]] || fail "/readyz is $status"
await 'the channel is down' grep -qF 'penstock_component_up{kind="channel",component="c2"} 0' "$work/metrics.txt"
! grep -q secret "$work/agent.err" || fail 'the log has an argument of the command'
(($(grep -c 'WARN source badly: misses its input' "$work/agent.err") == 1)) || fail 'badly is not said once'

# Everything comes.
await 'the directory is read' is_in_state gone reads 1
mkdir "$work/later" "$work/tail-later"
echo line >"$work/tail-later/a.log"
echo line >"$work/logs/a.log"
broker "$broker_port"
for source in never tail empty spool; do await "$source reads" is_in_state $source reads 1; done
grep -q 'INFO source spool: is open again, after ' "$work/agent.err" || fail "the log does not say that spool is open again"
! grep -q 'No such file.*inotify' "$work/agent.err" || fail "a limit is named that was not reached"
expect regex nothing_to_read 1 "has nothing to read: no topic of the cluster matches kafka.topics.regex.*$time"
await 'the channel reads' page_lacks 'channel c2'
await 'the log says so' grep -qE 'INFO source tail: (reaches its input|has something to read) again, after' "$work/agent.err"
await 'the log says so' grep -q 'WARN source regex: has nothing to read: no topic of the cluster matches' "$work/agent.err"

# It goes again.
mv "$work/there" "$work/away"
expect gone gone 0 "misses its input: $work/there: No such file or directory; create the directory.*$time"
rm -r "$work/tail-later"
expect tail gone 0 "misses its input: $work/tail-later.*$time"
kill -KILL "$broker"
unset "children[$broker]"
expect never lost 0 "has lost its input: .*check kafka.bootstrap.servers.*$time"
mv "$work/away" "$work/there"
await 'the directory is read again' is_in_state gone reads 1
broker "$broker_port"
await "never reads again" is_in_state never reads 1

kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
