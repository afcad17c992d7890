#!/usr/bin/env bash
# Needs: flume
# Sinks in Java whose far end fails. One that takes all events, rolls back and returns BACKOFF rests 1, 2, 3 s, though its last take found the channel
# empty. One whose start() throws is stopped, so that the next instance gets the port that it had opened; the log has the reason while stop() still waits.
# One that waits in start() is interrupted when the agent stops.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

port=$(ports_reserve)
log=$work/trying.log
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1 c2' 'sinks = k1 k2 k3'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 5' 'batchSize = 5' 'channels = c1'
    printf 'a1.channels.%s\n' 'c1.type = memory' 'c2.type = memory'
    printf 'a1.sinks.k1.%s\n' "type = example.TryingSinks\$GivesBack" 'channel = c1'
    printf 'a1.sinks.k2.%s\n' "type = example.TryingSinks\$OpensPort" "port = $port" "awaited = $work/awaited" 'channel = c2'
    printf 'a1.sinks.k3.%s\n' "type = example.TryingSinks\$WaitsInStart" 'channel = c2'
} >"$work/trying.properties"
logged() { grep -q "$1" "$log"; }
rest_ms() { # ATTEMPT
    sed -n "s/.* INFO sink k1: .*attempt $1 after \([0-9]*\) ms.*/\1/p" "$log"
}

start "$work/trying" "$PENSTOCK"
await 120 logged 'attempt 4 after' || fail "the sink does not deliver"
for attempt in 2 3 4; do
    (($(rest_ms $attempt) >= (attempt - 1) * 1000)) || fail "the sink rested $(rest_ms $attempt) ms before attempt $attempt, not $((attempt - 1)) s"
done
echo "a sink that gives its events back rests before each attempt"

await 120 logged 'WARN sink k2: start() has failed: .*the far end is down.*; its stop() is called' || fail "the reason of a failed start() is not in the log"
! logged 'the class has thrown an exception' || fail "the agent heard of the failed start() before stop() returned"
: >"$work/awaited"
await 120 logged 'the port is open' || fail "the sink does not get its port"
! logged 'the port is taken' || fail "the instance whose start() threw kept its port"
echo "a sink whose start() throws is stopped"

await 120 logged 'waits for the far end' || fail "the sink does not begin to wait"
stop TERM
logged 'no longer waits for the far end' || fail "the sink was not interrupted in start()"
logged 'the sink that waited is stopped' || fail "the sink that waited in start() was not stopped"
! logged 'sink k3: .*has not stopped' || fail "the sink was left alone in start()"
echo "a sink that waits in start() is interrupted"
