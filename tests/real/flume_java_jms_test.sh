#!/usr/bin/env bash
# Needs: flume activemq
# Flume's source jms, which exists only in Java, between a real ActiveMQ and penstock: a queue with messages of all kinds, a queue with a
# selector, and a durable subscription of a topic, beside a real Flume 1.11 with the same file and the same messages. Then the Java process is
# killed again and again (KILLS=N): no message that the broker has taken is lost.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
server_begin activemq
FLUME_CLASSPATH=$("$here/flume" classpath):$("$here/activemq" classpath)
export FLUME_CLASSPATH
# Since 1.11 Flume refuses URLs of JNDI whose protocol nobody has named.
FLUME_JAVA+=" -DJndiAllowedProtocols=tcp" JAVA_OPTS+=" -DJndiAllowedProtocols=tcp"

jms_source() { # NAME DESTINATION [KEY=VALUE]...
    local name=$1 key
    for key in type=jms channels="$name" initialContextFactory=org.apache.activemq.jndi.ActiveMQInitialContextFactory \
        connectionFactory=ConnectionFactory providerURL="$(ask url)" destinationName="$2" destinationType=QUEUE "${@:3}"; do
        echo "a1.sources.$name.${key%%=*} = ${key#*=}"
    done
}

# ---- the same messages in both ----

messages=1000 selected=300 # ActiveMQ does not look further than 200 messages that nobody wants
agent_file() { # DIR
    local engine=${1##*/} name
    echo 'a1.sources = all even topic'
    echo 'a1.channels = all even topic'
    echo 'a1.sinks = all even topic'
    jms_source all "$engine-all" batchSize=70
    jms_source even "$engine-even" "messageSelector=parity = 'even' AND number > 99"
    jms_source topic news "destinationType=TOPIC" "createDurableSubscription=true" "clientId=$engine" "durableSubscriptionName=$engine"
    for name in all even topic; do into_files $name "$1/$name" 10000; done
}
leaving() { # DIR: the source commits to the broker behind the put into its channel
    await 60 nothing_left "${1##*/}" || true # what follows says what is left
}
nothing_left() { # ENGINE
    [[ $(ask left queue "$1-all") == 0 && $(ask left queue "$1-even") == $((selected - (selected - 100) / 2)) ]]
}
for engine in flume penstock; do
    ask subscribe news $engine $engine
    ask send queue $engine-all 0 $messages
    ask send queue $engine-even 0 $selected
done
ask send topic news 0 $messages
both $((messages + (selected - 100) / 2 + messages))
for name in all even topic; do same_content "messages of $name" $name; done
content "$work/penstock/all" | grep -q '{number=998, parity=even} message 998 äöü$' || fail "the last message is not there with its properties"
for engine in flume penstock; do # what the selector passes over stays
    [[ $(ask left queue $engine-all) == 0 && $(ask left queue $engine-even) == $((selected - (selected - 100) / 2)) ]] ||
        fail "$engine: $(ask left queue $engine-all) and $(ask left queue $engine-even) messages are left"
done

# ---- the Java process is killed ----

draw_kills
mkdir "$work/kill"
{
    echo 'a1.sources = r1'
    echo 'a1.channels = c1'
    echo 'a1.sinks = k1'
    jms_source r1 kill batchSize=50 channels=c1
    cat <<-EOF_
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/kill/checkpoint
	a1.channels.c1.dataDirs = $work/kill/data
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $work/kill
	a1.sinks.k1.sink.rollInterval = 0
	EOF_
} >"$work/kill.properties"
came() { find "$work/kill" -maxdepth 1 -type f -exec cat {} + | grep -a -o 'message [0-9]*' || true; }
count() {
    came | wc -l | tee "$work/count.new"
    mv "$work/count.new" "$work/count"
}
start "$work/kill" "$PENSTOCK"
sent=0
echo 0 >"$work/count"
send_more() { # in the background until the file is there; no more than 10,000 messages beyond those that have come out, which slow the rest down
    while [[ ! -e $work/stop ]]; do
        if ((sent >= $(<"$work/count") + 10000)); then
            pause 0.1
            continue
        fi
        ask send queue kill "$sent" 2000 || exit
        sent=$((sent + 2000))
        echo "$sent" >"$work/sent"
    done
}
send_more 2>"$work/client.log" &
children+=($!)
kill_java_often count
touch "$work/stop"
wait "${children[-1]}" || fail "the sender ends with $?"
unset 'children[-1]'
seq -f 'message %g' 0 $(($(<"$work/sent") - 1)) >"$work/sent.words"
all_there "$work/sent.words" came
stop TERM
