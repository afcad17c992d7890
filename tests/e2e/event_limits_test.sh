#!/usr/bin/env bash
# Events of the longest names and of the most headers, one below and one above each limit, by http, avro and thrift into a file and
# a jdbc channel: what is within the limits is delivered whole, once by each, also after a kill; what is beyond is refused; and the
# agent goes on.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
has python3 "the clients" || exit 77

port=$(free_port) avro_port=$(free_port) thrift_port=$(free_port)
mkdir "$work/file" "$work/jdbc" "$work/home"
cat >"$work/agent.properties" <<EOF_
a1.sources = h a t
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.h.type = http
a1.sources.h.bind = 127.0.0.1
a1.sources.h.port = $port
a1.sources.h.penstock.body.max = 64m
a1.sources.h.channels = c1 c2
a1.sources.a.type = avro
a1.sources.a.bind = 127.0.0.1
a1.sources.a.port = $avro_port
a1.sources.a.channels = c1 c2
a1.sources.t.type = thrift
a1.sources.t.bind = 127.0.0.1
a1.sources.t.port = $thrift_port
a1.sources.t.channels = c1 c2
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/checkpoint
a1.channels.c1.dataDirs = $work/data
a1.channels.c2.type = jdbc
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/file
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
a1.sinks.k2.type = file_roll
a1.sinks.k2.channel = c2
a1.sinks.k2.sink.directory = $work/jdbc
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.sink.serializer = header_and_text
EOF_
agent_options=(-Dpenstock.memory.budget=2g -Duser.home="$work/home")

send() { # ROUND
    python3 "$(dirname "$0")/event_limits.py" "$port" "$avro_port" "$thrift_port" "$1" >>"$work/taken" 2>"$work/send.err" || fail "round $1: $(<"$work/send.err")"
}
# Of each event: its body, how many headers, and the bytes of their names and values.
described() { # FOLDER
    cat "$work/$1"/* | python3 -c '
import re, sys
for line in sys.stdin:
    end = line.rindex("} ")
    headers = dict(part.split("=", 1) for part in line[1:end].split(", ")) if end > 1 else {}
    print(line[end + 2:-1], len(headers), sum(map(len, headers)), sum(map(len, headers.values())))'
}
delivered() { [[ $(described "$1" | cut -d' ' -f1 | sort -u | wc -l) -ge $(wc -l <"$work/taken") ]]; } # FOLDER

start_agent
await "avro and thrift listen" grep -q "listening on 127.0.0.1:$thrift_port" "$work/agent.err"
send 1
for folder in file jdbc; do
    await "$folder: all events of round 1" delivered $folder
    diff <(described $folder | cut -d' ' -f1 | sort) <(sort "$work/taken") >"$work/diff.err" || fail "$folder: not each event once"
    # what each body says of its headers
    described $folder | sed -E 's/^[a-z]+-//' | while read -r body count names values; do
        case $body in
        name-*-1) [[ $body == "name-$names-1" && $count == 1 ]] ;;
        headers-*-1) [[ $body == "headers-$count-1" ]] ;;
        names-*-1) [[ $body == "names-$names-1" && $count == 17 ]] ;;
        values-80-long-1) [[ $count == 80 && $values == 11200000 ]] ;;
        values-*-1) [[ $body == "values-$values-1" && $count == 2 ]] ;;
        *) false ;;
        esac || fail "$folder: $body has $count headers, $names bytes of names, $values of values"
    done
done
stop_agent TERM 0
