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
EOF_
agent_options=(-Dpenstock.memory.budget=2g -Duser.home="$work/home")

send() { # ROUND HTTP_PORT AVRO_PORT THRIFT_PORT
    python3 "$(dirname "$0")/event_limits.py" "${@:2}" "$1" >>"$work/taken" 2>"$work/send.err" || fail "round $1: $(<"$work/send.err")"
}
# Of each event of the round: its body, how many headers, and the bytes of their names and values.
described() { # FOLDER ROUND
    cat "$work/$1"/* | python3 -c '
import sys
for line in sys.stdin:
    end = line.rindex("} ")
    if not line.endswith(f"-{sys.argv[1]}\n"):
        continue
    headers = dict(part.split("=", 1) for part in line[1:end].split(", ")) if end > 1 else {}
    print(line[end + 2:-1], len(headers), sum(map(len, headers)), sum(map(len, headers.values())))' "$2"
}
delivered() { [[ $(cat "$work/$1"/* | wc -l) -ge $(wc -l <"$work/taken") ]]; } # FOLDER

# Each event of the round was delivered once by each channel, with what its body says of its headers.
assert_round() { # ROUND
    for folder in file jdbc; do
        await "$folder: all events of round $1" delivered $folder
        described $folder "$1" >"$work/described"
        diff <(cut -d' ' -f1 "$work/described" | sort) <(grep -e "-$1\$" "$work/taken" | sort) >"$work/diff.err" ||
            fail "$folder: not each event once"
        while read -r body count names values; do
            case $body in
            name-*) [[ $body == "name-$names" && $count == 1 ]] ;;
            headers-*) [[ $body == "headers-$count" ]] ;;
            names-*) [[ $body == "names-$names" && $count == 17 ]] ;;
            values-80-long) [[ $count == 80 && $values == 11200000 ]] ;;
            values-*) [[ $body == "values-$values" && $count == 2 ]] ;;
            *) false ;;
            esac || fail "$folder: $body has $count headers, $names bytes of names, $values of values"
        done < <(sed -E "s/^[a-z]+-(.*)-$1 /\1 /" "$work/described")
    done
}
start_all() {
    start_agent
    await "avro and thrift listen" grep -q "listening on 127.0.0.1:$thrift_port" "$work/agent.err"
}

# There are no sinks yet: all events of the first round are in the channels when the agent is killed.
start_all
send 1 "$port" "$avro_port" "$thrift_port"
stop_agent KILL
cat >>"$work/agent.properties" <<EOF_
a1.sinks = k1 k2
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
start_all
assert_round 1
send 2 "" "" "$thrift_port"
assert_round 2
stop_agent TERM 0
