#!/usr/bin/env bash
# A reload in which a Kafka channel goes or gets another type: what its brokers have not acknowledged is delivered first, else the reload is
# refused; what stays in its topic is said. (Channels on disk: tests/scenarios/reload_durable_channel.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
metrics_port=$(free_port)
broker_port=$(free_port)
topic=events
url="http://127.0.0.1:$metrics_port"
file="$work/agent.properties"

config() { # TYPE: of the channel
    cat <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.penstock.reload.timeout = 2000
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = $1
a1.channels.c1.checkpointDir = $work/checkpoint-$state
a1.channels.c1.dataDirs = $work/data-$place
a1.channels.c1.driver.url = jdbc:sqlite:$work/database-$place
a1.channels.c1.memoryCapacity = 1
a1.channels.c1.overflowTimeout = 0
a1.channels.c1.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.channels.c1.kafka.topic = $topic
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
EOF_
}
value() { curl -s "$url/metrics/prometheus" | awk -v name="$1" '$1 == name { print $2 }'; } # NAME
up() { [[ $(value 'penstock_component_up{kind="source",component="r1"}') == 1 ]]; }
send() { # COUNT: each is answered, so it is in the channel
    local i answer
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    for ((i = 0; i < $1; i++)); do
        echo "event $((sent += 1))" >&3
        read -r -t 60 answer <&3 || fail "event $sent: no answer"
        [[ $answer == OK ]] || fail "event $sent: $answer"
    done
    exec 3>&-
}
delivered() { # each of them, once
    cmp -s <(cat "$out"/* 2>/dev/null | sort -V) <(for ((i = 1; i <= sent; i++)); do echo "event $i"; done)
}
reloads() { value "penstock_reloads_total{result=\"$1\"}"; } # ok|failed
refused() { (($(reloads failed) > 0)); }
carried_out() { # asks again while it is refused: the sink tries to open each 3 s, a reload lasts 2 s at most
    local before
    before=$(reloads failed)
    kill -HUP "$agent"
    while (($(reloads failed) == before)); do
        (($(reloads ok) == 0)) || return 0
        sleep 0.05
    done
    return 1
}

start_agent() { # with the configuration of $file; the log is that of $step
    "$PENSTOCK" agent -n a1 -f "$file" --no-reload-conf -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
        -Dpenstock.monitoring.host=127.0.0.1 2>"$work/$step.err" &
    agent=$!
    children[$agent]=1
    await "$step: it starts" up
}
carried_out_times() { (($(reloads ok) == $1)); } # COUNT
# Of a topic the events stay; what its brokers have not acknowledged is in the channel only, and its sources are open.
unacknowledged() { [[ $(value 'penstock_channel_size_events{component="c1"}') == "$1" ]]; } # COUNT
ended() { ! readlink "/proc/$agent/exe" >/dev/null; }
refused_or_ended() { ended || refused; }
answered() { (($(grep -c OK "$work/answers") == $1)); } # COUNT
other_brokers() { # TYPE: of the channel that follows. Its brokers never come back: it keeps its events and gets others
    broker_port=$(free_port)
    config org.apache.flume.channel.kafka.KafkaChannel >"$file"
    kill -HUP "$agent"
    await "$step: other brokers" carried_out_times 1
    await "$step: they wait for the other brokers" unacknowledged 3
    config "$1" >"$file"
}
topic_goes() { # TYPE [other]: of the channel that follows; with `other` the brokers are gone for good
    local clients
    step=kafka-$1${2:-} sent=3
    place=$step state=$step
    out=$work/out-$step
    mkdir "$out"
    config org.apache.flume.channel.kafka.KafkaChannel >"$file"
    start_agent
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    cat <&3 >"$work/answers" &
    clients=$!
    children[$clients]=1
    printf 'event 1\nevent 2\nevent 3\n' >&3
    await "$step: they wait for the brokers" unacknowledged 3
    config "$1" >"$file"
    kill -HUP "$agent"
    await "$step: neither refused nor ended" refused_or_ended
    ! ended || fail "$step: $(tail -n 1 "$work/$step.err")"
    problems=$(curl -s "$url/readyz")
    [[ $problems == *"channel c1 is removed or gets another type, and 3 events in it are not in its topic yet"* ]] ||
        fail "$step: $problems"
    [[ $problems == *"if these brokers are gone for good, first reload with other brokers in the channel"* ]] || fail "$step: $problems"
    [[ -z ${2:-} ]] || other_brokers "$1"
    "$PENSTOCK" mock-broker --port "$broker_port" --topic "$topic:1" >"$work/brokers" 2>&1 &
    broker=$!
    children[$broker]=1
    await "$step: all are answered" answered 3
    await "$step: all are delivered" delivered
    await "$step: carried out" carried_out
    [[ -z ${2:-} ]] || await "$step: the channel goes" carried_out_times 2
    echo "event $((sent += 1))" >&3
    await "$step: through the new channel, over the same connection" delivered
    exec 3>&-
    kill -TERM "$agent" "$broker"
    wait "$agent" || fail "$step: it ends with $?"
    wait "$broker" || fail "$step: the broker ends with $?"
    wait "$clients"
    unset "children[$agent]" "children[$broker]" "children[$clients]"
}
topic_goes memory
topic_goes file
topic_goes memory other
# What is in a topic stays there, also when nobody in the new plan takes it: the log then says how much, and where. A channel
# with this topic and group delivers it.
kafka_config() { # CHANNEL TOPIC GROUP: of the channel with the sink
    config null | sed -e '/\.channels = /d' -e '/\.channels\./d' -e '/\.sinks\.k1/d'
    cat <<EOF_
a1.channels = $1
a1.sources.r1.channels = $1
a1.channels.$1.type = ${type:-org.apache.flume.channel.kafka.KafkaChannel}
a1.channels.$1.kafka.bootstrap.servers = $brokers
a1.channels.$1.kafka.topic = $2
a1.channels.$1.kafka.consumer.group.id = $3
a1.sinks.k1.channel = $1
$(
        if [[ -n ${delivers:-} ]]; then
            printf '%s\n' 'a1.sinks.k1.type = file_roll' "a1.sinks.k1.sink.directory = $out" 'a1.sinks.k1.sink.rollInterval = 0'
        else
            printf '%s\n' 'a1.sinks.k1.type = avro' 'a1.sinks.k1.hostname = 127.0.0.1' "a1.sinks.k1.port = $closed_port"
        fi
    )
EOF_
}
assigned() { (($(grep -c "assigned by the group" "$work/$step.err") == $1)); } # COUNT
has() { grep -qx "$1" "$out"/*; } # LINE
stays() { # COUNT TOPIC GROUP: what the last reload left
    local pattern="WARN channel c2: at least $1 events? stays? in topic $2 at $old, undelivered: a channel with these brokers, this topic and group $3 delivers them"
    [[ $(says_left | tail -n 1) =~ ^$pattern$ ]] || fail "$step: $(says_left)"
}
says_left() { grep -F 'undelivered' "$work/$step.err" | sed 's/^[^ ]* //'; }
attempts() { grep -c 'sink k1: .*tries again in 1 s' "$work/$step.err" || true; } # each sink says it once
is_given() { (($(attempts) > attempts_before)); } # the sink has events of the topic, so the channel knows its end
to() { # COUNT CHANNEL TOPIC GROUP: reloads
    attempts_before=$(attempts)
    kafka_config "$2" "$3" "$4" >"$file"
    kill -HUP "$agent"
    await "$step: reload $1" carried_out_times "$1"
}
topic_stays() {
    local type='' delivers='' old brokers=127.0.0.1:$broker_port
    step=stays sent=0 place=stays state=stays
    out=$work/out-$step
    closed_port=$(free_port)
    other_port=$(free_port)
    mkdir "$out"
    "$PENSTOCK" mock-broker --port "$broker_port" --topic "first:2" --topic "second:2" >"$work/brokers" 2>&1 &
    broker=$!
    children[$broker]=1
    kafka_config c1 first g1 >"$file"
    start_agent
    send 5
    await "$step: a member" assigned 1
    old=127.0.0.1:$closed_port,127.0.0.1:$broker_port brokers=$old
    to 1 c2 first g1 # the same topic and group under another name, and a broker more
    await "$step: a member again" assigned 2
    [[ -z $(says_left) ]] || fail "$step: $(says_left)"
    await "$step: read by c2" is_given
    to 2 c2 first g2
    stays 5 first g1
    await "$step: read by g2" is_given
    brokers=127.0.0.1:$other_port
    to 3 c2 first g2 # at other brokers
    stays 5 first g2
    brokers=$old
    to 4 c2 second g2
    [[ $(says_left | tail -n 1) == *"events may stay in topic first at 127.0.0.1:$other_port, undelivered: "* ]] ||
        fail "$step: $(says_left)"
    send 1
    await "$step: the second topic is read" is_given
    type=memory
    to 5 c2 second g2
    stays 1 second g2
    type='' delivers=yes
    to 6 c2 second g2
    await "$step: what stayed in the second topic is delivered" has 'event 6'
    to 7 c1 first g1
    await "$step: and in the first one" delivered
    type=memory
    to 8 c1 first g1
    (($(says_left | wc -l) == 4)) || fail "$step: nothing stays: $(says_left)"
    kill -TERM "$agent" "$broker"
    wait "$agent" || fail "$step: it ends with $?"
    wait "$broker" || fail "$step: the broker ends with $?"
    unset "children[$agent]" "children[$broker]"
}
topic_stays
