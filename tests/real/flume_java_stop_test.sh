#!/usr/bin/env bash
# Needs: flume
# Stops of an agent whose Java classes hang or throw. Where a source, a sink and an interceptor hang, those that stop later have less time than one that
# hangs alone. A flow in Java whose file channel is full and whose sink throws does not wait for the sink. One whose source and sink hang in stop(),
# another source in start(), with a memory channel that does not become empty, ends in time, and names the two; its other sources stop.
# A Java process that a signal has stopped costs no more than classes that hang.
# Stops while the Java process of an interceptor is down: one that cannot start costs seconds, not the whole drain; one that was killed starts again, and
# the events go through it.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes
port=$(ports_reserve)
attempt=0

logged() { grep -q "$1" "$work/agent.log"; }
hung_s() { # COMPONENT: after so many seconds it was left alone
    sed -n "s/.* WARN $1: .* has not stopped \([0-9]*\) s after it was asked to, and is in example.NeverStops.hang(.*/\1/p" "$work/agent.log"
}
begin() { # EXPECTED-LINE...: starts the agent with agent.properties, and waits until all have been logged
    local line
    rm -rf "$work/channel"
    start "$work/agent" "$PENSTOCK"
    for line in "$@"; do await 90 logged "$line" || fail "the log never has: $line"; done
}
file_channel() {
    printf 'a1.channels.c1.%s\n' 'type = file' "checkpointDir = $work/channel/checkpoint" "dataDirs = $work/channel/data" 'capacity = 1000' 'transactionCapacity = 100'
}

# ---- one of each kind hangs ----

# The seconds are of the usual clock, and a busy machine may take some more: several attempts, of which each fails if the interceptor has its whole time.
for ((attempt = 0; attempt < 5; attempt++)); do
    {
        printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1' 'sinks = k1'
        printf 'a1.sources.r1.%s\n' 'type = example.HangsInStop' 'events = 5' 'channels = c1'
        printf 'a1.sources.r2.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1' 'interceptors = i1' \
            "interceptors.i1.type = example.NeverStops\$Builder" "interceptors.i1.exited = $work/exited"
        file_channel
        printf 'a1.sinks.k1.%s\n' 'type = example.NeverStops' 'channel = c1'
    } >"$work/agent.properties"
    begin 'HangsInStop: has put its events' 'Null sink k1 started'
    await 90 listens "$port" || fail "the interceptor's source does not listen"
    { exec {connection}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null
    echo line >&"$connection"
    read -r -t 120 -u "$connection" answer || fail "the interceptor gives no event back"
    exec {connection}>&-
    [[ $answer == OK ]] || fail "the interceptor's source answers $answer"
    stop TERM
    logged 'INFO agent: stopped:.* not delivered 0' || fail "the agent did not stop in order"
    hung="$(hung_s 'source r1') $(hung_s 'sink k1') $(hung_s 'interceptor i1 of source r2')"
    [[ $hung =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]] || fail "the log does not name all three that hang: $hung"
    read -r source_s sink_s interceptor_s <<<"$hung"
    ((sink_s >= source_s || interceptor_s >= 4)) || break
done
((attempt < 5)) || fail "the sink had $sink_s s behind a source that hung for $source_s s, and the interceptor $interceptor_s s"
echo "a source, a sink and an interceptor hang: $hung s"

# ---- a flow with a durable channel ----

{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 50' 'channels = c1'
    file_channel
    echo 'a1.channels.c1.penstock.engine = java'
    printf 'a1.sinks.k1.%s\n' "type = example.HangsInStop\$Sink" 'channel = c1'
} >"$work/agent.properties"
begin 'the far end is down'
stop TERM
logged 'INFO source in-java: channel c1 stops with [1-9][0-9]* events' || fail "the stop of a flow waited for a sink that throws, though its channel keeps the events"
logged 'INFO agent: stopped:' || fail "the agent did not stop in order"
echo "a flow with a file channel does not wait for a sink that throws"

# ---- a flow in which everything hangs ----

{
    printf 'a1.%s\n' 'sources = r0 r1 r2 r3' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = example.HangsInStop' 'events = 50' 'channels = c1'
    for source in r0 r3; do printf "a1.sources.$source.%s\n" "type = example.HangsInStop\$Neighbour" 'channels = c1'; done
    printf 'a1.sources.r2.%s\n' "type = example.Hanging\$Source" "until = $work/never" 'channels = c1'
    printf 'a1.channels.c1.%s\n' 'type = memory' 'capacity = 100' 'penstock.engine = java'
    printf 'a1.sinks.k1.%s\n' "type = example.HangsInStop\$Sink" 'hangs = true' 'channel = c1'
} >"$work/agent.properties"
begin 'HangsInStop: has put its events' 'the far end is down'
stop TERM
for part in 'source r1' 'sink k1'; do
    logged "WARN source in-java: $part has not stopped .* and is in example.NeverStops.hang(NeverStops.java:" || fail "the log does not name the $part that hangs"
done
(($(grep -c 'its neighbour has stopped' "$work/agent.log") == 2)) || fail "a source that hangs kept another one from its stop"
logged 'WARN source in-java: channel c1 stops with 50 events' || fail "the log does not say which events are lost"
logged 'agent: stopped:' || fail "the agent did not stop in order"
echo "a flow whose source and sink hang ends in its time"

# ---- the Java process is stopped by a signal ----

# The sink has 5 s, and the process itself 3 s behind it: 8 s in all beyond the drain, which waits for nothing here. Where the process has its usual 5 s
# behind the sink, a stop takes 10 s, never less; below that a busy machine may take its time. As above, of several attempts one must be in time.
for ((attempt = 0; attempt < 5; attempt++)); do
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
        printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1'
        printf 'a1.channels.c1.%s\n' 'type = memory'
        printf 'a1.sinks.k1.%s\n' 'type = example.NeverStops' 'channel = c1'
    } >"$work/agent.properties"
    begin 'Null sink k1 started'
    pkill -STOP -P "$agent" java || fail "no Java process"
    began_ms=$(date +%s%3N)
    stop TERM
    took_ms=$(($(date +%s%3N) - began_ms))
    logged 'INFO agent: stopped:.* not delivered 0' || fail "the agent did not stop in order"
    ((took_ms >= 9950)) || break
done
((attempt < 5)) || fail "a stop takes $took_ms ms when the Java process is stopped by a signal, not 8 s"
echo "a stop takes 8 s when the Java process is stopped by a signal: $took_ms ms"

# ---- the Java process is down ----

down_file() { # OUT COMMAND: of an agent whose drain lasts an hour
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = c1' 'penstock.drain.timeout = 1h'
    printf 'a1.sources.r1.%s\n' 'type = exec' "command = $2" 'shell = /bin/bash -c' 'channels = c1' 'interceptors = i1' "interceptors.i1.type = example.Misbehave\$Builder"
    into_files c1 "$1" 1000
}
has_ended() { ! kill -0 "$agent" 2>/dev/null; }
stop_in_time() { # WHAT STATUS: the clock of the patient stands still while the machine is busy
    local status=0
    kill -TERM "$agent"
    patient_await 60 has_ended || fail "$1: the stop does not end"
    wait "$agent" || status=$?
    agent=''
    ((status == $2)) || fail "$1: the exit status is $status, not $2"
}
has_received() { # EVENTS
    curl -s "http://127.0.0.1:$metrics/metrics" | grep -q "\"EventReceivedCount\":\"$1\""
}

metrics=$(ports_reserve)
begin_monitored() {
    : >"$work/agent.log" # before the first look at it
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics" >"$work/agent.log" 2>&1 </dev/null &
    agent=$!
}
down_file "$work/none" 'seq 10' >"$work/agent.properties"
JAVA_OPTS=-Xmx1k begin_monitored
await 90 logged 'the Java host ended with exit code 1: .* it is started again in 2 s' || fail "the log does not say that the Java process ended"
await 90 has_received 10 || fail "the source does not read what its command writes"
stop_in_time "a Java process that cannot start" 3
logged 'WARN source r1: 10 events are given up: an interceptor has not finished them' || fail "the log does not say that the events are given up"
logged 'INFO agent: stopped: events accepted 0, .* dropped 10,' || fail "the account of events that are given up is wrong"
echo "a stop does not wait for a Java process that cannot start"

down_file "$work/again" "while [[ ! -e $work/go ]]; do sleep 0.1; done; seq 10; exec sleep 3600" >"$work/agent.properties"
begin_monitored
await 90 logged 'INFO agent: flow' || fail "the agent does not start"
kill_java
await 90 logged 'the Java host was killed by signal 9' || fail "nobody says that the Java process was killed"
touch "$work/go"
await 90 has_received 10 || fail "the source does not read what its command writes"
stop_in_time "a Java process that starts again" 0
(($(arrived "$work/again") == 10)) || fail "$(arrived "$work/again") events arrived behind a Java process that was killed before a stop, not 10"
logged 'INFO agent: stopped: events accepted 10, delivered 10, dropped 0,' || fail "the account of events that came through is wrong"
echo "a stop waits for a Java process that starts again"
