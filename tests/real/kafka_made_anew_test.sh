#!/usr/bin/env bash
# Needs: kafka
# Topics of a real broker are deleted and created again while an agent with the native engine reads one and writes to the other: the one that
# it reads under load; while the agent is frozen, so that no answer tells of the time between; and with fewer partitions; then the one to
# which it writes. kcat, which reads the new topic from its beginning, is the referee for what must be read. No record comes twice, except
# those that were in flight when the topic to which they went was deleted.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
[[ $(printf '%s\n' 2.8 "${KAFKA_VERSION:-3.9.2}" | sort -V | head -1) == 2.8 ]] || skip "older brokers have no ids of topics: docs/KAFKA.md says what they do"

# ---- the load: numbers that are never used twice, spread over the partitions by their keys ----

next=1
write() { # COUNT
    seq "$next" $((next + $1 - 1)) | sed 's/.*/&:&/' | kcat -P -q -K : -b "$brokers" -t in
    next=$((next + $1))
}
write_on() { # until the file "stop" is there; the file "at" has the first number that is not written yet
    until [[ -e $work/stop ]]; do
        write 100 || true # the topic may be gone just now: the referee says which records it has
        echo "$next" >"$work/at.new" && mv "$work/at.new" "$work/at"
        pause 0.05
    done 2>>"$work/kcat.log"
}
load_begin() {
    rm -f "$work/stop"
    echo "$next" >"$work/at"
    write_on &
    writer=$!
    children[$writer]="the load"
}
load_end() {
    touch "$work/stop"
    wait "$writer"
    unset "children[$writer]"
    next=$(<"$work/at")
}

# ---- what topics have ----

records_of() { # TOPIC: sorted
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning -X fetch.wait.max.ms=10 2>>"$work/kcat.log" | sort
}
has_records() { # TOPIC COUNT
    (($(records_of "$1" | wc -l) >= $2))
}
is_empty() { # TOPIC PARTITIONS: whether all logs are the new ones, if nobody writes
    local -a ends=()
    local i
    for ((i = 0; i < $2; i++)); do ends+=(-t "$1:$i:-1"); done
    [[ $(kcat -Q -b "$brokers" "${ends[@]}" 2>>"$work/kcat.log" | grep -c ' offset 0$') == "$2" ]]
}
is_another() { # whether "out" is no longer the topic with the records of $work/delivered
    records_of out >"$work/out" && [[ $(comm -12 "$work/delivered" "$work/out") == "" ]]
}
misses() { # sets missing: the records of the topic "in", or those of $work/must, that are not in "out"
    records_of out >"$work/out"
    missing=$(comm -23 "$work/must" <(uniq "$work/out") | wc -l)
}
has_all() {
    misses
    ((missing == 0))
}
arrives() { # WHAT: all that the referee reads of the topic "in" is in "out" in the end, and nothing twice
    records_of in >"$work/must"
    [[ -s $work/must ]] || fail "$1: the referee reads nothing"
    await 60 has_all || fail "$1: of $(wc -l <"$work/must") records that the referee reads $missing are missing"
    step "$1: all $(wc -l <"$work/must") records arrived"
    [[ $(uniq -d "$work/out") == "" ]] || fail "$1: $(uniq -d "$work/out" | wc -l) records arrived twice"
}

told=0
tells() { # [PARTITION]...: since the last call the log says of these, once of each, that the topic was created again
    local -a of
    mapfile -t of < <(sed -nE 's/.*topic in, partition ([0-9]+): the topic was deleted and created again.*/\1/p' "$work/anew.log" | tail -n +$((told + 1)))
    told=$((told + ${#of[@]}))
    [[ $(printf '%s\n' "${of[@]}" | sort | paste -sd ' ') == "$*" ]] || fail "the log says of partitions ${of[*]} that the topic was created again"
}
read_anew() { # NUMBER: the topic "in" is created again while the agent stands still, and gets so many records; the agent's session lasts for longer
    kill -STOP "${agents[anew]}"
    kafka_topic in 3 --anew
    await 60 is_empty in 3 || fail "the new topic is not empty"
    write "$1"
    kill -CONT "${agents[anew]}"
    arrives "$1 records"
    tells 0 1 2
}

says_little() { # no line of the log comes again and again: at most two for each time that a topic was created again
    local line
    line=$(sed -nE 's/^[^ ]+ ((WARN|ERROR) .*)/\1/p' "$work/anew.log" | sed -E 's/[0-9]+/N/g; /deleted and created again/d' | sort | uniq -c | awk '$1 > 6')
    [[ $line == "" ]] || fail "the log says again and again: $line"
}

step "a broker that creates no topics"
kafka_start --set auto.create.topics.enable=false
kafka_topic in 3
kafka_topic out 2
agent_file anew out sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
    sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics=in sources.r1.kafka.consumer.group.id=anew \
    sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.kafka.consumer.session.timeout.ms=120000 \
    sinks.k1.allowTopicOverride=false
agent_start anew
load_begin
await 60 has_records out 1000 || fail "no records arrive"

step "the topic that is read is created again under load"
kafka_topic in 3 --anew
await 60 has_records in 1000 || fail "the load writes nothing to the new topic"
load_end
arrives "under load"
tells 0 1 2

step "the same while the agent stands still: no answer tells of the time between"
read_anew 300

step "with fewer partitions, under load"
load_begin
await 60 has_records in 1000 || fail "the load writes nothing"
kafka_topic in 1 --anew
await 60 has_records in 1000 || fail "the load writes nothing to the new topic"
load_end
arrives "fewer partitions"
says_little # and nothing of the partitions that are gone
write_anew() { # PARTITIONS: the topic "out" is created again under load
    load_begin
    records_of out >"$work/out"
    await 60 has_records out $(($(wc -l <"$work/out") + 500)) || fail "no records arrive"
    records_of out >"$work/delivered"
    await 60 has_records out $(($(wc -l <"$work/delivered") + 1000)) || fail "no records arrive" # those before are acknowledged
    kafka_topic out "$1" --anew
    await 60 is_another || fail "the topic is still the old one"
    local mark=$(($(<"$work/at") + 100)) # the load may be writing those before
    step "the new topic is there"
    await 60 has_records out 1 || fail "nothing is written to the new topic"
    step "the sink goes on"
    await 60 has_records out 1000 || fail "nothing is written to the new topic"
    load_end
    records_of in | awk -v mark="$mark" '$1 >= mark' >"$work/must"
    await 60 has_all || fail "of $(wc -l <"$work/must") records that were written to the new topic $missing are missing"
    local again twice
    again=$(comm -12 "$work/delivered" "$work/out" | wc -l)
    ((again == 0)) || fail "$again records came again that were delivered long before"
    twice=$(uniq -d "$work/out" | awk -v mark="$mark" '$1 >= mark' | wc -l)
    ((twice == 0)) || fail "$twice records arrived twice"
    step "all $(wc -l <"$work/must") records arrived, $(uniq -d "$work/out" | wc -l) of those in flight twice"
}

step "the topic to which it writes is created again under load"
write_anew 2
step "the same with fewer partitions"
write_anew 1
says_little
agent_stop anew
