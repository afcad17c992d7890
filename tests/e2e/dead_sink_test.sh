#!/usr/bin/env bash
# Two sinks of one channel that are no group. The far end of one refuses, accepts and never answers, or answers 503: what the sink holds is given
# back, and the other one delivers every line. Light traffic: each line is a batch of its own. The agents run beside each other.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
lines=20
nobody=$(free_port) # nobody listens there

far_end() { # PORT KIND
    python3 "$(dirname "${BASH_SOURCE[0]}")/far_end_down.py" "$1" "$2" >"$work/far.$1" &
    children[$!]=1
    await "the far end listens" test -s "$work/far.$1"
}
silent=$(free_port) busy=$(free_port)
far_end "$silent" silent
far_end "$busy" 503

declare -A agents=() ports=()
begin() { # NAME CHANNEL WORKERS LINES...: an agent whose sink k1 has a far end that is down, and whose sink k2 writes files
    local name=$1 channel=$2 workers=$3 port
    port=$(free_port)
    shift 3
    mkdir -p "$work/$name/out"
    cat >"$work/$name/agent.properties" <<END
a1.penstock.workers = $workers
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = $channel
a1.sinks.k1.channel = c1
a1.sinks.k2.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/$name/out
a1.sinks.k2.sink.rollInterval = 0
END
    case $channel in
        file) printf 'a1.channels.c1.%s\n' "checkpointDir = $work/$name/checkpoint" "dataDirs = $work/$name/data" ;;
        spillablememory) # every line but the first few goes to the disk while it waits
            printf 'a1.channels.c1.%s\n' "checkpointDir = $work/$name/checkpoint" "dataDirs = $work/$name/data" 'memoryCapacity = 1' 'overflowTimeout = 0' ;;
        jdbc) printf 'a1.channels.c1.%s\n' "sysprop.user.home = $work/$name" ;;
    esac >>"$work/$name/agent.properties"
    printf 'a1.sinks.k1.%s\n' "$@" >>"$work/$name/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/$name/agent.properties" >"$work/$name/agent.out" 2>"$work/$name.err" &
    agents[$name]=$!
    ports[$name]=$port
    children[$!]=1
}
begin memory-avro memory 1 'type = avro' 'hostname = 127.0.0.1' "port = $nobody"
begin memory-silent memory 2 'type = avro' 'hostname = 127.0.0.1' "port = $silent" 'request-timeout = 1000'
begin file-avro file 1 'type = avro' 'hostname = 127.0.0.1' "port = $nobody"
begin file-silent file 2 'type = thrift' 'hostname = 127.0.0.1' "port = $silent" 'request-timeout = 1000'
begin file-http file 2 'type = http' "endpoint = http://127.0.0.1:$busy/" 'defaultBackoff = true' 'defaultRollback = true'
begin file-kafka file 1 'type = org.apache.flume.sink.kafka.KafkaSink' "kafka.bootstrap.servers = 127.0.0.1:$nobody" \
    'kafka.producer.request.timeout.ms = 500' 'kafka.producer.delivery.timeout.ms = 1000'
begin spill-http spillablememory 1 'type = http' "endpoint = http://127.0.0.1:$silent/" 'requestTimeout = 1000'
begin spill-thrift spillablememory 2 'type = thrift' 'hostname = 127.0.0.1' "port = $nobody"
begin jdbc-avro jdbc 2 'type = avro' 'hostname = 127.0.0.1' "port = $nobody"

send() { # NAME: one line after the other
    local line answer
    exec 3<>"/dev/tcp/127.0.0.1/${ports[$1]}"
    for ((line = 1; line <= lines; line++)); do
        echo "$line" >&3
        read -r answer <&3
        [[ $answer == OK ]] || fail "$1: the source answers $answer"
    done
    exec 3>&-
}
for name in "${!agents[@]}"; do
    await "$name listens" grep -q "listening on 127.0.0.1:${ports[$name]}" "$work/$name.err"
    send "$name"
done
all_are_there() { [[ $(cat "$work/$1/out"/* 2>/dev/null | sort -n | uniq | wc -l) == "$lines" ]]; } # NAME
for name in "${!agents[@]}"; do
    await "$name: a line waits for the sink whose far end is down" all_are_there "$name"
done
