#!/usr/bin/env bash
# Needs: kafka
# The native engine and a real broker: record batches of every compression are on the broker's disk as such, and Java's
# consumer reads from them what was written.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export KAFKA_ENGINE=native

step "a broker"
kafka_start
events=50000

is_from() { # VERSION: whether the broker is that one or a newer one
    [[ $(printf '%s\n' "$1" "${KAFKA_VERSION:-9}" | sort -V | head -1) == "$1" ]]
}

step "compression: what Java's consumer reads"
codecs=(none gzip snappy lz4 zstd)
create_topics "${codecs[@]}" # a busy machine takes longer for it than the sink waits before it warns
for codec in "${codecs[@]}"; do
    agent_file "$codec" "$codec" sources.r1.type=seq sources.r1.host= sources.r1.port= sources.r1.totalEvents=$events \
        sinks.k1.kafka.producer.compression.type="$codec"
    agent_start "$codec"
    check "$codec" $events 1 --no-headers
    agent_stop "$codec"
    says_nothing "$codec" ' (WARN|ERROR) '
    "$kafka" run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic "$codec" --from-beginning --max-messages $events \
        >"$work/$codec.read" 2>"$work/$codec.reader" || fail "Java's consumer ends with $?: $(tail -3 "$work/$codec.reader")"
    seq 0 $((events - 1)) | diff -q - <(sort -n "$work/$codec.read") || fail "$codec: Java's consumer reads something else"
    segment=$(find "$work"/kafka/1/data/"$codec"-* -name '*.log' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
    "$kafka" run org.apache.kafka.tools.DumpLogSegments --deep-iteration --files "$segment" >"$work/segment" 2>&1 || fail "no dump of $segment"
    stored=$codec
    if [[ $codec == zstd ]] && ! is_from 2.1; then stored=no; fi # that broker does not know it
    grep -qiE "compresscodec: ${stored/none/(none|no)}" "$work/segment" || fail "$codec: on disk it is $(grep -m1 -i compresscodec "$work/segment")"
    ! grep -qi 'isvalid: false' "$work/segment" || fail "$codec: a batch is not valid"
    echo "    $codec: $(stat -c %s "$segment") bytes in the largest partition"
done
