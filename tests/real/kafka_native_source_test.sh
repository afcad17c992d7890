#!/usr/bin/env bash
# Needs: kafka flume
# The tests of the source kafka with its native engine: members that join and leave, beside Flume's own (Java's consumer) in one
# group; every form of event and header; the agent killed; exactly once. Results must be those of librdkafka. Each script has a
# broker of its own: a shared one keeps the offsets that the groups of these scripts committed when they ran with librdkafka.
#   kafka_native_source_test.sh [TEST]...
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")
export KAFKA_SOURCE_ENGINE=native
(($#)) || set -- flume_kafka_source kafka_source_rebalance kafka_source_slow_sink kafka_restart kafka_group kafka_to_kafka_kill kafka_exactly_once
for name; do
    echo "==> $name"
    code=0
    env -u PENSTOCK_SHARED bash "$folder/${name}_test.sh" || code=$?
    ((code == 0)) || exit $code
done
