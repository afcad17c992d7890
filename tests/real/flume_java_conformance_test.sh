#!/usr/bin/env bash
# Needs: flume
# What the suites of tests/stages/conformance_*_test.c ask of the stages `java` with a host that is a fake, asked of Flume's own classes in a real JVM:
#
#   a    source netcat with interceptor static and sink file_roll in Java, a native memory channel between them
#   b    interceptor regex_filter in Java, between a native source netcat and a native memory channel and sink
#   c    source netcat, selector multiplexing, two file channels and two sinks file_roll, all of them in Java
#
# They refuse when a channel is full; are filled, and drained by sinks that a reload brings; accept, are idle, and accept
# again; change by a reload; lose nothing when the Java process is killed under load; deliver what they have promised when they are stopped under load.
#
#   KILLS=N   kills of the Java process (default 1)    KEEP=1   keep files and logs
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_host
command -v python3 >/dev/null || skip "no python3"
FLUME_CLASSPATH=$("$here/flume" classpath)
export FLUME_CLASSPATH

first=$(ports_reserve)
capacity=200 more=500 kills=${KILLS:-1}
port_of() { # FLOW
    case $1 in a) echo "$first" ;; b) echo $((first + 1)) ;; c) echo $((first + 2)) ;; esac
}
children=()
end_children() {
    local code=$?
    set +e
    ((${#children[@]} == 0)) || kill "${children[@]}" 2>/dev/null
    finish $code
}
trap end_children EXIT

sink() { # NAME CHANNEL [KEY = VALUE]: in Java, or native with this key
    mkdir -p "$work/$1"
    printf "a1.sinks.$1.%s\n" 'type = file_roll' "channel = $2" "sink.directory = $work/$1" 'sink.rollInterval = 0' \
        'sink.serializer = header_and_text' "${3:-penstock.engine = java}"
}
file_of_agent() { # SINKS VALUE: the names of the sinks that there are, and the value of the interceptor static
    local flow channel
    printf 'a1.%s\n' 'sources = a b c' 'channels = a b left right' "sinks = $1"
    for flow in a b c; do
        printf "a1.sources.$flow.%s\n" 'type = netcat' 'bind = 127.0.0.1' "port = $(port_of $flow)" 'max-line-length = 2000'
    done
    printf 'a1.sources.a.%s\n' 'penstock.engine = java' 'channels = a' 'interceptors = i' 'interceptors.i.type = static' \
        'interceptors.i.penstock.engine = java' 'interceptors.i.key = mark' "interceptors.i.value = $2"
    printf 'a1.sources.b.%s\n' 'channels = b' 'interceptors = i' 'interceptors.i.type = regex_filter' 'interceptors.i.penstock.engine = java' \
        'interceptors.i.regex = ^drop' 'interceptors.i.excludeEvents = true'
    printf 'a1.sources.c.%s\n' 'channels = left right' 'interceptors = i' 'interceptors.i.type = regex_extractor' \
        'interceptors.i.regex = ^(left|right)' 'interceptors.i.serializers = s' 'interceptors.i.serializers.s.name = way' \
        'selector.type = multiplexing' 'selector.header = way' 'selector.mapping.left = left' 'selector.mapping.right = right'
    for channel in a b; do printf "a1.channels.$channel.%s\n" 'type = memory' "capacity = $capacity" "transactionCapacity = 100" 'keep-alive = 0'; done
    for channel in left right; do
        printf "a1.channels.$channel.%s\n" 'type = file' 'penstock.engine = java' "checkpointDir = $work/$channel.check" "dataDirs = $work/$channel.data" \
            "capacity = $capacity" "transactionCapacity = 100" 'keep-alive = 0'
    done
    for channel in $1; do sink "$channel" "$channel" "$([[ $channel != b ]] || echo 'sink.batchSize = 100')"; done
}

# Sends lines NAME-1 .. NAME-COUNT, each behind the answer to the one before, and notes the answer of each.
cat >"$work/ask.py" <<'END'
import socket, sys
port, name, count, to = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
with socket.create_connection(("127.0.0.1", port)) as connection, open(to, "w", buffering=1) as answers:
    lines = connection.makefile("rb")
    for i in range(1, count + 1):
        connection.sendall(f"{name}-{i}\n".encode())
        answer = lines.readline()
        if not answer:
            sys.exit(f"{name}-{i}: the connection is closed")
        print(f"{name}-{i}", answer.decode().split()[0].rstrip(":"), file=answers)
END
ask() { # FLOW NAME COUNT
    await 120 listens "$(port_of "$1")" || fail "flow $1 does not listen"
    python3 "$work/ask.py" "$(port_of "$1")" "$2" "$3" "$work/$2.answers" 2>"$work/$2.log"
}
words() { # SINK NAME: the lines of this name in its files, without their headers
    { cat "$work/$1"/* 2>/dev/null || true; } | sed -nE "s/^\{[^}]*\} ($2-[0-9]+)( .*)?$/\1/p"
}
taken() { awk '$2 == "OK" { print $1 }' "$work/$1.answers"; } # NAME
has_words() { (($(words "$1" "$2" | sort -u | wc -l) >= $3)); } # SINK NAME COUNT
# Expects in the sink's files each line that was answered with OK, once, and no other of this name.
delivered() { # SINK NAME
    local count
    count=$(taken "$2" | wc -l)
    await 120 has_words "$1" "$2" "$count" || fail "$2: $(words "$1" "$2" | wc -l) of $count came out of $1"
    diff <(taken "$2") <(words "$1" "$2") >"$work/$2.diff" || fail "$2: what came out of $1 is not what was taken: $(head -3 "$work/$2.diff" | paste -sd ' ')"
}
reload() { # SINKS VALUE
    file_of_agent "$@" >"$work/agent.properties"
    kill -HUP "$agent"
}

# ---- refuse when full: there is no sink yet ----

file_of_agent '' one >"$work/agent.properties"
start "$work/agent" "$PENSTOCK"
for one in 'a full' 'b keep' 'c left' 'c right'; do
    # shellcheck disable=SC2086
    ask $one $more || fail "$one: $(cat "$work/${one#* }.log")"
    name=${one#* } count=$(taken "${one#* }" | wc -l)
    ((count > 0 && count <= capacity)) || fail "$name: $count of $more lines were taken, with room for $capacity"
    [[ $(awk '{ print $2 }' "$work/$name.answers" | sort -u | paste -sd ' ') == 'FAILED OK' ]] || fail "$name: other answers than OK and FAILED"
    echo "full: $count of $more taken by ${one% *}, as $name"
done

# ---- reload, and drain: sinks come ----

reload 'a b left right' one
delivered a full
delivered b keep
delivered left left
delivered right right
grep -q '^{mark=one} full-1$' "$work"/a/* || fail "a: the interceptor did not mark the event"
echo "drained: all that was taken, once, and nothing that was refused"

# ---- accept, then idle, then accept again ----

for round in first second; do
    ask a "$round-a" 50 || fail "$round: $(cat "$work/$round-a.log")"
    ask b "$round-b" 50
    ask b "drop-$round" 50
    ask c "left-$round" 50
    ask c "right-$round" 50
    for one in "a $round-a" "b $round-b" "left left-$round" "right right-$round"; do
        # shellcheck disable=SC2086
        delivered $one
        (($(taken "${one#* }" | wc -l) == 50)) || fail "$one: not all were taken"
    done
    (($(taken "drop-$round" | wc -l) == 50)) || fail "b: what the interceptor drops is not answered"
    [[ ! $(words b "drop-$round") ]] || fail "b: the interceptor drops nothing"
    find "$work"/{a,b,left,right} -type f -exec cat {} + | sort | md5sum >"$work/$round.sum"
    patient_rest 2 # nothing comes
    find "$work"/{a,b,left,right} -type f -exec cat {} + | sort | md5sum | cmp - "$work/$round.sum" || fail "something comes while nobody sends"
done
echo "accepted, idle, accepted again"

# ---- a reload that changes what an interceptor does ----

reload 'a b left right' two
marked() { ask a changed 1 && await 60 has_words a changed 1 && tail -qn 1 "$work"/a/* | grep -q '^{mark=two} changed-1$'; }
await 120 marked || fail "a: the reload did not change the interceptor"
echo "reloaded: the interceptor has its new value"

# ---- kills of the Java process, and then a stop, under load ----

load() { # NAME FLOW
    python3 "$here/numbered_client.py" "$(port_of "$2")" "$1" "$work" netcat 200 2>"$work/client.$1.log" &
    children+=($!)
}
flows=('run-a a a' 'run-b b b' 'left-run c left' 'right-run c right') # client, flow, sink
acked() { wc -l <"$work/acked.$1"; }                                   # NAME
has_more() { (($(words "$1" "$2" | sort -u | wc -l) > $3)); }         # SINK NAME COUNT
for one in "${flows[@]}"; do
    read -r name flow _ <<<"$one"
    load "$name" "$flow"
done
for ((kill = 0; kill <= kills; kill++)); do
    for one in "${flows[@]}"; do
        read -r name _ sink <<<"$one"
        await 240 has_more "$sink" "$name" $(($(words "$sink" "$name" | sort -u | wc -l) + 100)) || fail "$name does not go on after $kill kills"
    done
    ((kill == kills)) || kill_java
done
stop TERM
grep -q 'INFO agent: stopped' "$work/agent.log" || fail "the agent did not stop in order"
touch "$work/stop"
wait "${children[@]}" || fail "a client failed"
children=()
start "$work/agent" "$PENSTOCK" # delivers what the file channels have
all_of() { # SINK NAME
    words "$1" "$2" | LC_ALL=C sort -u >"$work/came.$2"
    [[ ! $(LC_ALL=C sort -u "$work/acked.$2" | LC_ALL=C comm -23 - "$work/came.$2") ]]
}
for one in "${flows[@]}"; do
    read -r name _ sink <<<"$one"
    await 120 all_of "$sink" "$name" || fail "$name: lines that were answered are missing: $(LC_ALL=C sort -u "$work/acked.$name" | LC_ALL=C comm -23 - "$work/came.$name" | head -3 | paste -sd ' ')"
    echo "Java killed $kills times and stopped: $name, $(acked "$name") answered, none lost, $(($(words "$sink" "$name" | wc -l) - $(words "$sink" "$name" | sort -u | wc -l))) came again"
done
[[ ! $(words left right-run) && ! $(words right left-run) ]] || fail "the selector sent an event the wrong way"
# All may have been delivered before the stop: then nothing else says that this agent has begun.
# shellcheck disable=SC2016
for text in 'source a (java) runs the class org.apache.flume.source.NetcatSource in Java, with its interceptor i;' \
    'sink a (java) runs the class org.apache.flume.sink.RollingFileSink in Java' \
    'a1.sources.b.interceptors.i.penstock.engine: the class `org.apache.flume.interceptor.RegexFilteringInterceptor' \
    'a1.sources.c.selector.type: the class `org.apache.flume.channel.MultiplexingChannelSelector' \
    'a1.channels.left.type: the class `org.apache.flume.channel.file.FileChannel'; do
    await 60 grep -qF -- "$text" "$work/agent.log" || fail "the log lacks: $text"
done
stop TERM
