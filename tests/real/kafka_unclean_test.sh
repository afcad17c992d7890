#!/usr/bin/env bash
# Needs: kafka
# An unclean election of a real cluster: a replica that was frozen becomes leader, without records that the native source has read,
# and gets others at their offsets, and more. The source asks the new leader where its log differs (KIP-320), and reads all that
# it has from there on, once, also if it is killed when it has gone back, as it has committed that. In a second election it is
# killed before that commit: the next start asks by the epoch of the group's offset. Java's tool and consumer read the commits.
# The group's coordinator is the third broker, which is neither frozen nor killed: the source stays a member.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
export KAFKA_HEAP=384m

place() { # leader|replicas|isrs TOPIC PARTITION [BROKERS]: as the brokers say that answer
    kcat -L -b "${4:-$brokers}" -t "$2" 2>/dev/null |
        sed -nE 's/^ *partition '"$3"', leader ([0-9]+), replicas: ([0-9,]+), isrs: ([0-9,]+).*/leader \1\nreplicas \2\nisrs \3/p' | sed -n "s/^$1 //p"
}
is_leader() { [[ $(place leader torn 0) == "$1" ]]; }
# Whether each of the brokers says so: one that lags behind the others may still name the replicas of an earlier time.
have_isrs() { # REPLICAS BROKER...
    local replicas=$1 node
    shift
    for node; do
        [[ $(place isrs torn 0 "$(cut -d , -f "$node" <<<"$brokers")" | tr ',' '\n' | sort | paste -sd ,) == "$replicas" ]] || return 1
    done
}
coordinator() { # GROUP: prints the broker; Kafka takes the name's hash in Java modulo the four partitions
    local hash=0 i
    for ((i = 0; i < ${#1}; i++)); do hash=$(((31 * hash + $(printf '%d' "'${1:i:1}")) & 0xffffffff)); done
    ((hash < 0x80000000)) || hash=$((0x100000000 - hash))
    place leader __consumer_offsets $((hash % 4))
}
is_coordinator() { [[ $(coordinator torn) == "$1" ]]; } # nobody is while the cluster takes the broker, which is busy, to be away
assigned_topic() { # NAME BROKERS
    "$kafka" run org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" --create --topic "$1" --replica-assignment "$2" \
        --config unclean.leader.election.enable=true >>"$work/kafka.log" 2>&1 || fail "topic $1 cannot be created"
}
write() { # WORD FIRST LAST
    seq -f "$1 %.0f" "$2" "$3" | kcat -E -P -b "$brokers" -t torn -p 0 -X message.timeout.ms=60000 || fail "kcat writes nothing"
}
has_delivered() { # LINES
    kcat -C -q -e -b "$brokers" -t torn-out -o beginning >"$work/out" 2>/dev/null
    (($(wc -l <"$work/out") >= $1))
}
has_committed() { # OFFSET
    "$kafka" run org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --describe --group torn 2>&1 |
        tee "$work/group.txt" | awk -v offset="$1" '$2 == "torn" && $4 == offset { found = 1 } END { exit !found }'
}
reaches() { # OFFSET: whether the partition ends there or behind it; a leader that has just been killed does not answer
    end=$(kcat -m 20 -Q -b "$brokers" -t torn:0:-1 2>/dev/null | sed -n 's/^torn \[0\] offset //p')
    ((${end:--1} >= $1))
}
# A leader that had the other one's records would lose none, and nothing would have to go back.
expect_end() { # BROKER OFFSET
    await 60 reaches "$2" || fail "broker $1 has no record at offset $(($2 - 1))"
    ((end == $2)) || fail "broker $1 has the other broker's records: it ends at $end"
}
goes_back() { # FROM TO: whether the agent has logged that it goes back
    grep -q "the new leader does not have all records that were read, those before offset $1: .*The source continues from offset $2" "$work/torn.log"
}
count_twice() { sort "$work/out" | uniq -d | wc -l; }
expect() { # WORD LINES: so many different lines with the word arrived
    local found
    found=$(grep "^$1 " "$work/out" | sort -u | wc -l)
    ((found == $2)) || fail "of $2 records \"$1\" $found arrived"
}

step "three brokers, a topic on the two that are not the group's coordinator"
kafka_start --brokers 3 --set unclean.leader.election.enable=true --set replica.lag.time.max.ms=3000
create_topics __consumer_offsets
third=$(coordinator torn)
[[ $third == [123] ]] || fail "the group's coordinator is not known: $third"
mapfile -t pair < <(printf '%s\n' 1 2 3 | grep -vx "$third")
first=${pair[0]} second=${pair[1]}
assigned_topic torn "$first:$second"
assigned_topic torn-out "$third"
await 60 have_isrs "$first,$second" 1 2 3 || fail "the replicas are not in sync"
await 60 is_leader "$first" || fail "broker $first does not lead"
# The next start reads when the session of the member that was killed has ended; a shorter one might end while a busy machine keeps the agent from its turn.
agent_file torn torn-out sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
    sources.r1.kafka.bootstrap.servers="$brokers" sources.r1.kafka.topics=torn sources.r1.kafka.consumer.group.id=torn \
    sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.kafka.consumer.session.timeout.ms=30000 \
    sinks.k1.allowTopicOverride=false
agent_start torn
write both 1 100
await 60 has_delivered 100 || fail "the first records do not arrive"
await 60 have_isrs "$first,$second" 1 2 3 || fail "broker $second does not have the first records" # it may have been slow
await 60 is_coordinator "$third" || fail "the group has another coordinator by now"

step "broker $second is frozen; $first alone gets records, which are read"
kafka_signal STOP "$second"
await 60 have_isrs "$first" "$first" "$third" || fail "broker $second stays in sync: $(place isrs torn 0)"
write lost 101 200
await 60 has_delivered 200 || fail "the records of the old leader do not arrive"

await 60 has_committed 200 || fail "the records of the old leader are not committed: $(<"$work/group.txt")"

step "broker $first is killed; $second leads. The agent goes back, and is killed"
kafka_kill "$first"
kafka_signal CONT "$second"
await 120 is_leader "$second" || fail "broker $second does not lead"
expect_end "$second" 100
await 60 has_committed 100 || fail "the agent does not commit where it goes on: $(<"$work/group.txt")"
goes_back 200 100 || fail "the agent does not say that the cluster has lost records"
says_nothing torn 'given up: the group has removed this member'
agent_kill torn

step "broker $second gets other records, and the agent is started again"
write new 101 250
agent_start torn
await 120 has_delivered 350 || step "$(wc -l <"$work/out") records arrived"
has_delivered 350 || true
twice=$(count_twice)
step "$(wc -l <"$work/out") records arrived, $twice twice"
expect both 100
expect lost 100
expect new 150
((twice == 0)) || fail "records arrived twice"

step "broker $first is back, and frozen; $second alone gets records, which are read and committed"
kafka_start
await 60 have_isrs "$first,$second" 1 2 3 || fail "broker $first does not catch up: $(place isrs torn 0)"
kafka_signal STOP "$first"
await 60 have_isrs "$second" "$second" "$third" || fail "broker $first stays in sync: $(place isrs torn 0)"
write gone 251 350
await 60 has_delivered 450 || fail "the records of broker $second do not arrive"
await 60 has_committed 350 || fail "the records of broker $second are not committed: $(<"$work/group.txt")"

step "broker $second is killed; $first leads. The agent, which is frozen, is killed before it can go back"
kafka_kill "$second"
kill -STOP "${agents[torn]}"
kafka_signal CONT "$first"
await 120 is_leader "$first" || fail "broker $first does not lead"
expect_end "$first" 250
agent_kill torn
await 60 has_committed 350 || fail "another offset is committed: $(<"$work/group.txt")"

step "broker $first gets other records, and the agent is started again"
write more 251 400
agent_start torn
await 120 has_delivered 600 || step "$(wc -l <"$work/out") records arrived"
await 60 has_committed 400 || fail "not all is committed: $(<"$work/group.txt")"
agent_stop torn
has_delivered 600 || true
twice=$(count_twice)
step "$(wc -l <"$work/out") records arrived, $twice twice"
expect gone 100
expect more 150
((twice == 0)) || fail "records arrived twice"
goes_back 350 250 || fail "the agent does not say that the cluster has lost records"

step "Java's consumer goes on in the group, at the agent's offset and epoch"
write java 1 1
"$kafka" run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic torn --group torn --max-messages 1 \
    --timeout-ms 180000 >"$work/java.out" 2>"$work/java.err" || fail "Java's consumer fails: $(<"$work/java.err")"
[[ $(grep -xE '[a-z]+ [0-9]+' "$work/java.out") == "java 1" ]] || fail "Java's consumer reads: $(<"$work/java.out")"
