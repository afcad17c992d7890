#!/usr/bin/env bash
# Needs: flume
# Java classes that wait for long or fail, in one Java process with others, which must go on: a sink that holds the monitor of its channel; an MBean
# whose getter never returns (a process without a sign of life is ended after 60 s, and this one must not be); an event whose body waits for another
# thread; lists that grow while they are put; a source whose start() and stop() throw (the log has the reason of start()); a flow in Java with a source
# that lacks a class. At the end the sink is interrupted, as Flume does it.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes
silent_s=${SILENT_S:-65} # a process without a sign of life is killed after 60 s

mkdir "$work/late"
log=$work/late.log
{
    printf 'a1.%s\n' 'sources = r1 r2 r3 r4 r5 r6' 'channels = c1 c2 c3 c4' 'sinks = k1 k2 k3 k4'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 10' 'channels = c1'
    printf 'a1.sinks.k1.%s\n' 'type = example.Stubborn' 'channel = c1'
    printf 'a1.sources.r2.%s\n' 'type = exec' 'shell = /bin/bash -c' 'channels = c2' \
        "command = while [[ ! -e $work/go ]]; do sleep 0.1; done; seq 1 1000"
    printf 'a1.sinks.k2.%s\n' 'type = example.FileSink' 'channel = c2' "path = $work/late/lines"
    printf 'a1.sources.r3.%s\n' 'type = example.Entangled' 'channels = c3'
    printf 'a1.sinks.k3.%s\n' 'type = example.FileSink' 'channel = c3' "path = $work/late/entangled"
    printf 'a1.sources.r4.%s\n' 'type = example.Unstartable' 'channels = c1'
    printf 'a1.sources.r5.%s\n' 'type = seq' 'totalEvents = 100' 'channels = c4'
    printf 'a1.sources.r6.%s\n' 'type = example.Unstartable' 'lacks = true' 'channels = c4'
    printf 'a1.sinks.k4.%s\n' 'type = example.FileSink' 'channel = c4' "path = $work/late/flow"
    for name in c1 c2 c3; do printf "a1.channels.$name.%s\n" 'type = memory' 'capacity = 10000' 'transactionCapacity = 10000'; done
    printf 'a1.channels.c4.%s\n' 'type = example.OwnChannel' 'capacity = 1000'
} >"$work/late.properties"

logged() { grep -q "$1" "$log"; }

start "$work/late" "$PENSTOCK"
await 90 logged 'Stubborn: holds its channel' || fail "the sink has not begun"
await 90 logged 'Stubborn: was asked for its figure' || fail "its figure was not asked for"
since=$SECONDS
touch "$work/go"
await 90 has_lines "$work/late/lines" 1000 || fail "the sink beside the stubborn one does not go on"
await 90 logged 'Entangled: has put all' || fail "the entangled source does not go on"
logged 'the other thread has put its event' || fail "a body that waits for another call never came"
await 90 has_lines "$work/late/entangled" 6302 || fail "events of the entangled source are missing"
await 90 has_lines "$work/late/flow" 100 || fail "the flow in Java does not go on"
await 90 logged 'source r4.*java.lang.IllegalStateException: it cannot start' || fail "nobody says why the source cannot start"
while ((SECONDS - since < silent_s)); do sleep 1; done
! logged 'java: the Java host was ended' || fail "the Java process was killed"
for file in 'lines 1000' 'entangled 6302' 'flow 100'; do
    (($(wc -l <"$work/late/${file% *}") == ${file#* })) || fail "${file% *} has $(wc -l <"$work/late/${file% *}") events"
done
(($(grep -c 'Unable to start .*Unstartable' "$log") == 1)) || fail "the source that lacks a class was started again"
stop TERM
logged 'Stubborn: stops' || fail "the sink was not interrupted"
