#!/usr/bin/env bash
# Needs: kafka flume
# The tests of the source kafka with its native engine: members that join and leave, beside Flume's own (Java's consumer) in one
# group; every form of event and header; the agent killed; exactly once. Results must be those of librdkafka. Those that share a
# broker share one of this script's own: the other one keeps the offsets that their groups committed when they ran with librdkafka.
# Three scripts run at a time, because they wait most of the time; the longest ones come first.
#   kafka_native_source_test.sh [TEST]...
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")
export KAFKA_SOURCE_ENGINE=native
(($#)) || set -- kafka_source_rebalance kafka_source_slow_sink kafka_exactly_once flume_kafka_source kafka_restart kafka_group kafka_to_kafka_kill

PENSTOCK_SHARED=$(mktemp -d "${TMPDIR:-/tmp}/penstock-native.XXXXXX")
export PENSTOCK_SHARED
declare -A running=() # process -> name
finish() {
    local code=$? process
    for process in "${!running[@]}"; do kill -TERM "$process" 2>/dev/null || true; done
    wait
    [[ ! -e $PENSTOCK_SHARED/kafka ]] || "$folder/kafka" stop --dir "$PENSTOCK_SHARED/kafka" >/dev/null 2>&1 || true
    rm -rf "$PENSTOCK_SHARED"
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

ended() { # waits for one of the scripts, and prints what it said; ends this one if it failed
    local process code=0
    wait -n -p process "${!running[@]}" || code=$?
    echo "==> ${running[$process]}"
    cat "$PENSTOCK_SHARED/${running[$process]}.out"
    unset "running[$process]"
    ((code == 0)) || exit $code
}
for name; do
    ((${#running[@]} < 3)) || ended
    bash "$folder/${name}_test.sh" >"$PENSTOCK_SHARED/$name.out" 2>&1 &
    running[$!]=$name
done
while ((${#running[@]} > 0)); do ended; done
