#!/usr/bin/env bash
# Needs: kafka
# One source reads two topics of a real broker, at least once and then exactly once. One of them is deleted and created again under load, twice,
# and at last deleted for good. The other one must not suffer: each of its records arrives once, those of a partition in order, while the first
# one changes and afterwards, and all of them are committed. Of the first topic everything that its new log has arrives once.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
[[ $(printf '%s\n' 2.8 "${KAFKA_VERSION:-3.9.2}" | sort -V | head -1) == 2.8 ]] || skip "older brokers have no ids of topics: docs/KAFKA.md says what they do"

# ---- the load: numbers that are never used twice. Those of the other topic are odd, and go to the partition of their half. ----

write_on() { # TOPIC: until the file "stop" is there; the file TOPIC.at has the first number that is not written yet
    local first parity=0 partition
    [[ $1 == other ]] && parity=1
    first=$(<"$work/$1.at")
    until [[ -e $work/stop ]]; do
        for partition in 0 1; do
            seq $((first + parity + 2 * partition)) 4 $((first + 399)) | kcat -E -P -q -X message.timeout.ms=5000 -b "$brokers" -t "$1" -p $partition || true
        done # the first topic may be gone just now: the referee says which records it has
        first=$((first + 400))
        echo $first >"$work/$1.at"
        pause 0.05
    done 2>>"$work/kcat.log"
}
writers=()
load_begin() {
    rm -f "$work/stop"
    write_on other &
    writers=($!)
    write_on changing &
    writers+=($!)
    children[${writers[0]}]="the load" children[${writers[1]}]="the load"
}
load_end() {
    touch "$work/stop"
    wait "${writers[@]}"
    unset "children[${writers[0]}]" "children[${writers[1]}]"
}

# ---- what topics have ----

read_topic() { # TOPIC: prints PARTITION NUMBER
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning -X isolation.level=read_committed -X fetch.wait.max.ms=10 -f '%p %s\n' 2>>"$work/kcat.log"
}
look() { # reads the output: its odd numbers, and the sorted even ones
    read_topic "$out" >"$work/out"
    awk '$2 % 2 == 1' "$work/out" >"$work/out.other"
    awk '$2 % 2 == 0 {print $2}' "$work/out" | sort >"$work/out.changing"
}
has_other() { # NUMBER: so many records of the other topic have arrived
    look
    (($(wc -l <"$work/out.other") >= $1))
}
goes_on() { # WHAT: the other topic's records arrive
    look
    await 60 has_other $(($(wc -l <"$work/out.other") + 1000)) || fail "$1: the other topic's records do not arrive: $(wc -l <"$work/out.other")"
    step "$1: the other topic goes on"
}
has_records() { # TOPIC COUNT
    (($(read_topic "$1" | wc -l) >= $2))
}
has_all() {
    look
    missing=$(comm -23 <(sort "$work/other") <(cut -d' ' -f2 "$work/out.other" | sort) | wc -l)
    ((missing == 0)) && missing=$(comm -23 "$work/changing" <(uniq "$work/out.changing") | wc -l) && ((missing == 0))
}
arrives() { # what both topics have is in the output, once
    read_topic other | cut -d' ' -f2 >"$work/other"
    read_topic changing 2>/dev/null | cut -d' ' -f2 | sort >"$work/changing"
    await 60 has_all || fail "$missing records are missing"
    local twice
    twice=$(sort "$work/out.other" | uniq -d | wc -l)
    ((twice == 0)) || fail "$twice records of the other topic arrived twice"
    twice=$(comm -12 "$work/changing" <(uniq -d "$work/out.changing") | wc -l)
    ((twice == 0)) || fail "$twice records of the new topic arrived twice"
    awk '{half = int($2 / 2) % 2; if ($2 <= last[half]) {print $2, "after", last[half]; exit 1} last[half] = $2}' "$work/out.other" ||
        fail "the order of the other topic changed"
    step "all $(wc -l <"$work/other") and $(wc -l <"$work/changing") records arrived"
}
is_committed() { # nothing of the other topic is left
    consumer_groups "$group" | awk '$2 == "other" {lag += $6; n++} END {exit n != 2 || lag != 0}'
}

run() { # GUARANTEE GROUP OUT
    group=$2 out=$3
    agent_file "$2" "$3" sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
        sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics=other,changing sources.r1.kafka.consumer.group.id="$2" \
        sources.r1.kafka.consumer.auto.offset.reset=earliest sinks.k1.allowTopicOverride=false \
        sinks.k1.partitionIdHeader=partition sinks.k1.penstock.guarantee="$1"
    kafka_topic changing 2
    agent_start "$2"
    load_begin
    goes_on "$1: at first"
    await 60 has_records changing 1000 || fail "the load writes nothing"
    local time
    for time in first second; do
        kafka_topic changing 2 --anew
        goes_on "made anew for the $time time"
        await 60 has_records changing 1000 || fail "the load writes nothing to the new topic"
    done
    load_end
    arrives
    await 60 is_committed || fail "not all of the other topic is committed: $(consumer_groups "$group")"

    step "$1: deleted for good"
    load_begin
    goes_on "before it is deleted"
    "$kafka" run org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" --delete --topic changing >>"$work/tools.log" 2>&1 || fail "it is not deleted"
    goes_on "after it was deleted"
    goes_on "long after"
    load_end
    read_topic other | cut -d' ' -f2 >"$work/other"
    : >"$work/changing"
    await 60 has_all || fail "$missing records of the other topic are missing"
    await 60 is_committed || fail "not all of the other topic is committed: $(consumer_groups "$group")"
    agent_stop "$2"
}

step "a broker that creates no topics"
kafka_start --set auto.create.topics.enable=false
kafka_topic other 2
kafka_topic changing 2
kafka_topic out-least 2
kafka_topic out-once 2
echo 0 >"$work/other.at"
echo 0 >"$work/changing.at"
run at-least-once least out-least
run exactly-once once out-once
