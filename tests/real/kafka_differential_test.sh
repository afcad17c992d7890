#!/usr/bin/env bash
# Needs: kafka
# The same events through both engines of the sink: Java's consumer reads the same records from both topics, with the same
# keys, headers, timestamps and partitions, in the same order of each partition.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v curl >/dev/null || skip "no curl"
events=${EVENTS:-5000} seed=${PENSTOCK_SEED_BASE:-$RANDOM}

step "a broker, seed $seed"
kafka_start --set log.retention.ms=-1 # the broker would delete records of old times
create_topics native librdkafka

# Batches of JSON: a record has a key, or names its partition, so that no engine chooses; some have headers and times.
python3 - "$events" "$seed" "$work" <<'EOF_'
import json, random, sys
events, draw, work = int(sys.argv[1]), random.Random(int(sys.argv[2])), sys.argv[3]
text = lambda most: "".join(draw.choice("abcxyz0189 _-äß€☃") for _ in range(draw.randint(0, most)))
for number in range(0, events, 500):
    batch = []
    for each in range(number, min(number + 500, events)):
        headers = {}
        if draw.random() < 0.6:
            headers["key"] = text(20)
        else:
            headers["to"] = str(draw.randint(0, 1))
        if draw.random() < 0.5:
            headers["time"] = str(draw.randint(1500000000000, 1750000000000))
        for name in ("one", "two"):
            if draw.random() < 0.4:
                headers[name] = text(40)
        size = draw.choice((0, 1, 20, 300, 20000)) if draw.random() < 0.3 else 100
        batch.append({"headers": headers, "body": f"{each} {text(size)}"})
    json.dump(batch, open(f"{work}/batch-{number:06d}.json", "w"))
EOF_

cat >"$work/both.properties" <<-EOF_
	a1.sources = r1
	a1.channels = native librdkafka
	a1.sinks = native librdkafka
	a1.sources.r1.type = http
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $load_port
	a1.sources.r1.channels = native librdkafka
EOF_
for engine in native librdkafka; do
    cat >>"$work/both.properties" <<-EOF_
	a1.channels.$engine.type = memory
	a1.channels.$engine.capacity = 100000
	a1.channels.$engine.transactionCapacity = 1000
	a1.sinks.$engine.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.$engine.channel = $engine
	a1.sinks.$engine.kafka.bootstrap.servers = $brokers
	a1.sinks.$engine.kafka.topic = $engine
	a1.sinks.$engine.partitionIdHeader = to
	a1.sinks.$engine.timestampHeader = time
	a1.sinks.$engine.header.one = first
	a1.sinks.$engine.header.two = second
	a1.sinks.$engine.kafka.producer.compression.type = ${CODEC:-lz4}
	a1.sinks.$engine.penstock.engine = $engine
	EOF_
done

step "$events events to both"
agent_start both
for batch in "$work"/batch-*.json; do
    code=$(curl -s --retry 60 --retry-connrefused --retry-delay 1 -o "$work/answer" -w '%{http_code}' --data-binary "@$batch" -H 'Content-Type: application/json; charset=UTF-8' \
        "http://127.0.0.1:$load_port/") || true
    [[ $code == 200 ]] || fail "the source answers with $code: $(cat "$work/answer")"
done
agent_stop both
says_nothing both ' (WARN|ERROR) '
(($(accounted delivered) == 2 * events)) || fail "the account is wrong: $account"

step "what Java's consumer reads"
for engine in native librdkafka; do
    "$kafka" run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic $engine --from-beginning \
        --max-messages "$events" --property print.timestamp=true --property print.partition=true --property print.offset=true \
        --property print.key=true --property print.headers=true >"$work/$engine.read" 2>"$work/$engine.reader.log" ||
        fail "Java's consumer ends with $?: $(tail -3 "$work/$engine.reader.log")"
    # A record without a time of its own has that of its engine, which is later than all those that are drawn.
    sed -E 's/^CreateTime:1(76[4-9]|7[7-9][0-9]|[89][0-9]{2})[0-9]{9}\t/CreateTime:now\t/' "$work/$engine.read" | sort -t $'\t' -k2,2 -k3.8,3n -s >"$work/$engine.sorted"
    (($(wc -l <"$work/$engine.sorted") == events)) || fail "$engine: $(wc -l <"$work/$engine.sorted") records"
done
cmp "$work/native.sorted" "$work/librdkafka.sorted" || {
    diff "$work/native.sorted" "$work/librdkafka.sorted" | head -6 | cut -c1-200
    fail "the records differ"
}
echo "    $(sort -u "$work/native.sorted" | wc -l) records are the same, $(grep -c 'first:' "$work/native.sorted") with the first header"
