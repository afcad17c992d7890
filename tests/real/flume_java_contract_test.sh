#!/usr/bin/env bash
# Needs: flume
# Flume's contract with a class, tested by classes that run in a real Flume 1.11 and in penstock with the same file: the states of a transaction and
# the message of each refusal, as in Flume's own TestBasicChannelSemantics and TestBasicTransactionSemantics; a source's calls into required and optional
# channels, as in TestChannelProcessor; names (NamedComponent); batch sizes (BatchSizeSupported) above and at the transactionCapacity of a channel.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

lines=300
seq 1 $lines | sed 's/.*/line &/' >"$work/input"
agent_file() { # DIR
    printf 'a1.%s\n' 'sources = r1 r2 r3' 'channels = c1 c2 c3 c4 c5 c6' 'sinks = k1 k2 k3 k4 k5 k6'
    printf 'a1.sources.r1.%s\n' 'type = example.ProcessorCalls' 'channels = c1 c2 c3 c4 c6' 'selector.optional = c3 c4 c6' "path = $1/calls"
    printf 'a1.sources.r2.%s\n' 'type = example.SizedSource' 'channels = c2 c5' "path = $work/input" 'batchSize = 101' # above that of c5
    printf 'a1.sources.r3.%s\n' 'type = example.SizedSource' 'channels = c5' "path = $work/input" 'batchSize = 100'
    printf 'a1.channels.%s\n' 'c1.type = memory' 'c2.type = memory' 'c2.transactionCapacity = 200' 'c2.capacity = 1000' 'c3.type = memory' \
        'c4.type = memory' 'c5.type = memory' 'c5.capacity = 1000' 'c6.type = memory'
    for k in 1 2 3 4 5 6; do printf "a1.channels.c$k.%s\n" 'capacity = 1000'; done
    printf 'a1.sinks.k1.%s\n' 'type = example.TransactionRules' 'channel = c1' "path = $1/rules"
    for k in 2 3 4; do printf "a1.sinks.k$k.%s\n" 'type = example.FileSink' "channel = c$k" "path = $1/k$k"; done
    printf 'a1.sinks.k5.%s\n' 'type = example.SizedSink' 'channel = c5' "path = $1/k5" 'batchSize = 100'
    printf 'a1.sinks.k6.%s\n' 'type = example.SizedSink' 'channel = c6' "path = $1/k6" 'batchSize = 101'
}
arrived() { # DIR: all of it, and the last answers
    local others
    others=$(find "$1" -name 'k[1-6]' -exec cat {} + | wc -l)
    echo $((others + $(find "$1" -name rules -exec cat {} + | grep -c '^end$' || true)))
}
both $((3 * 101 + lines + 1))

same "transactions" "$work/flume/rules" "$work/penstock/rules"
(($(wc -l <"$work/penstock/rules") > 180)) || fail "the sink did not get to the end of its questions"
same "calls of a source" "$work/flume/calls" "$work/penstock/calls"
for k in 2 3 4 5; do
    same "events of k$k" "$work/flume/k$k" "$work/penstock/k$k"
done
for engine in flume penstock; do
    [[ ! -s $work/$engine/k6 ]] || fail "$engine: a sink runs whose batch size is above the channel's transactionCapacity"
    grep -q "batch size = 101, channel c6, transaction capacity = 100" "$work/$engine.log" || fail "$engine does not say why k6 does not run"
    grep -q "batch size = 101, channel c5, transaction capacity = 100" "$work/$engine.log" || fail "$engine does not say why r2 does not run"
    ! grep -q "line 1$" "$work/$engine/k2" || fail "$engine: a source runs whose batch size is above the transactionCapacity of one of its channels"
done

# ---- check --probe reports the batch sizes before anything runs ----

"$PENSTOCK" check --probe -n a1 -f "$work/penstock.properties" >"$work/probe" 2>&1 || true
for part in 'source: r2, batch size = 101, channel c5' 'sink: k6, batch size = 101, channel c6'; do
    grep -q "$part, transaction capacity = 100" "$work/probe" || fail "check --probe does not say it: $(cat "$work/probe")"
done
