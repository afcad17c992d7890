#!/usr/bin/env bash
# Needs: kafka
# A real broker refuses one record for ever, because its topic takes no record of that size: first, in the middle and last
# among good ones. It is found among them and counted once, everything before it is in the topic, nothing behind it
# overtakes it; once the topic takes it, everything is there once and in order.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

records=20000 large_bytes=60000
topics=(refused-first refused-middle refused-last)
positions=(1 12345 "$records")

configure() {
    local i list='' blanks
    blanks=$(printf '%*s' $large_bytes '')
    for i in "${!topics[@]}"; do list+=" x$i"; done
    {
        echo "a1.sources =$list"
        echo "a1.channels =$list"
        echo "a1.sinks =$list"
        for i in "${!topics[@]}"; do
            seq "$records" | sed "${positions[i]}s/\$/$blanks/" >"$work/records-$i"
            cat <<-EOF_
			a1.sources.x$i.type = exec
			a1.sources.x$i.command = cat $work/records-$i
			a1.sources.x$i.channels = x$i
			a1.channels.x$i.type = memory
			a1.channels.x$i.capacity = 50000
			a1.channels.x$i.transactionCapacity = 1000
			a1.sinks.x$i.type = org.apache.flume.sink.kafka.KafkaSink
			a1.sinks.x$i.kafka.bootstrap.servers = $brokers
			a1.sinks.x$i.kafka.topic = ${topics[i]}
			a1.sinks.x$i.channel = x$i
			EOF_
        done
    } >"$work/refused.properties"
}

look() { # TOPIC: puts the numbers it has, in order, into $work/out
    kcat -C -q -e -b "$brokers" -t "$1" -p 0 -o beginning | sed 's/ *$//' >"$work/out"
}

has_until() { # TOPIC LAST
    look "$1"
    cmp -s "$work/out" <(seq "$2")
}

take_large() { # TOPIC
    "$kafka" run kafka.admin.ConfigCommand --bootstrap-server "$brokers" --alter --entity-type topics --entity-name "$1" \
        --add-config max.message.bytes=1000000 >>"$work/kafka.log" 2>&1 || fail "topic $1 cannot be changed"
}

kafka_share
makers=()
for topic in "${topics[@]}"; do
    kafka_topic "$topic" 1 1 --set max.message.bytes=20000 &
    makers+=($!)
done
wait "${makers[@]}" || fail "topics cannot be created"

step "a record of ${#topics[@]} topics is refused"
configure
agent_start refused
for i in "${!topics[@]}"; do
    await_log refused "sink x$i: an event cannot be delivered to topic ${topics[i]}, partition 0: .*max.message.bytes"
done
before_the_refused() { has_until "${topics[$1]}" $((positions[$1] - 1)); } # NUMBER OF THE TOPIC
for i in "${!topics[@]}"; do await 60 before_the_refused "$i" || true; done
sleep 5 # it is tried again
for i in "${!topics[@]}"; do
    before_the_refused "$i" ||
        fail "${topics[i]} has $(wc -l <"$work/out") records, not those before the refused one ($((positions[i] - 1)))"
done

step "the topics take it"
makers=()
for topic in "${topics[@]}"; do
    take_large "$topic" &
    makers+=($!)
done
wait "${makers[@]}" || fail "topics cannot be changed"
for topic in "${topics[@]}"; do
    await 30 has_until "$topic" "$records" || fail "$topic does not have every record once and in order"
done
agent_stop refused
(($(accounted delivered) == records * ${#topics[@]})) || fail "the account is wrong: $account"
(($(accounted 'refused by the far end') == ${#topics[@]})) || fail "the account is wrong: $account"
