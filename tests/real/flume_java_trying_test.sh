#!/usr/bin/env bash
# Needs: flume
# A sink in Java whose far end fails: it takes all events, rolls back and returns BACKOFF rests 1, 2, 3 s, though its last take found the channel
# empty.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

log=$work/trying.log
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 5' 'batchSize = 5' 'channels = c1'
    printf 'a1.channels.%s\n' 'c1.type = memory'
    printf 'a1.sinks.k1.%s\n' "type = example.TryingSinks\$GivesBack" 'channel = c1'
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

stop TERM
