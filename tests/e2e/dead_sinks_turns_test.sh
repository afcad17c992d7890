#!/usr/bin/env bash
# Sinks of one channel, whose far ends go and come: all are down from the start, one of three comes back, another one comes and the first one dies;
# a reload and a stop while events are given back; a sink group beside a lone sink. Every line arrives.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

declare -A far_agents=()
far_start() { # PORT: a far end that writes its lines into $work/out
    cat >"$work/far.properties" <<END
a2.sources = r1
a2.channels = c1
a2.sinks = k1
a2.sources.r1.type = avro
a2.sources.r1.bind = 127.0.0.1
a2.sources.r1.port = $1
a2.sources.r1.channels = c1
a2.channels.c1.type = memory
a2.sinks.k1.type = file_roll
a2.sinks.k1.sink.directory = $work/out
a2.sinks.k1.sink.pathManager.prefix = $1-
a2.sinks.k1.sink.rollInterval = 0
a2.sinks.k1.channel = c1
END
    "$PENSTOCK" agent -n a2 -f "$work/far.properties" >"$work/far.$1.out" 2>"$work/far.$1.err" &
    far_agents[$1]=$!
    children[$!]=1
    await "the far end listens" grep -q "listening on 127.0.0.1:$1" "$work/far.$1.err"
}
far_kill() { # PORT
    kill -KILL "${far_agents[$1]}"
    wait "${far_agents[$1]}" 2>/dev/null || true
    unset "children[${far_agents[$1]}]"
}

write_agent() { # CHANNEL SINKS PORT...: sinks k1, k2, .. to the avro sources at these ports
    local number=0 far
    cat >"$work/agent.properties" <<END
a1.penstock.workers = 2
a1.sources = r1
a1.channels = c1
a1.sinks = $2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = $1
END
    [[ $1 != file ]] || printf 'a1.channels.c1.%s\n' "checkpointDir = $work/checkpoint" "dataDirs = $work/data" >>"$work/agent.properties"
    for far in "${@:3}"; do
        ((++number))
        printf "a1.sinks.k$number.%s\n" 'type = avro' 'hostname = 127.0.0.1' "port = $far" 'channel = c1' \
            'penstock.retry.backoff = 100' 'penstock.retry.backoff.max = 500'
    done >>"$work/agent.properties"
}
begin_agent() {
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
}
sent=0
send() { # COUNT: lines one after the other, so each is a batch of its own
    local answer last=$((sent + $1))
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    while ((sent < last)); do
        echo "$((++sent))" >&3
        read -r answer <&3
        [[ $answer == OK ]] || fail "the source answers $answer"
    done
    exec 3>&-
}
all_are_there() { [[ $(cat "$work"/out/* 2>/dev/null | sort -n | uniq | wc -l) == "$sent" ]]; }
has_tried() { grep -q "sink $1: .*Connection refused" "$work/agent.err"; } # SINK

for channel in memory file; do
    mkdir -p "$work/out"
    sent=0
    rm -rf "$work"/out/* "$work/checkpoint" "$work/data"
    port=$(free_port) one=$(free_port) two=$(free_port) three=$(free_port)
    write_agent $channel 'k1 k2 k3' "$one" "$two" "$three"
    begin_agent
    send 20
    for sink in k1 k2 k3; do await "$sink has not tried" has_tried $sink; done
    far_start "$two"
    await "$channel: the one far end that is back has every line" all_are_there
    far_start "$one"
    far_kill "$two"
    send 20
    await "$channel: the next far end has every line" all_are_there
    far_kill "$one"
    send 20
    # a reload while all is given back: k3 gets a far end that is up
    far_start "$two"
    write_agent $channel 'k1 k3 k4' "$one" "$port" "$three" "$two" # k2 goes
    kill -HUP "$agent"
    await "$channel: every line after the reload" all_are_there
    far_kill "$two"
    if [[ $channel == file ]]; then # a stop while all is given back
        send 20
        stop_agent TERM 0
        far_start "$two"
        begin_agent
        await "$channel: every line after the restart" all_are_there
        far_kill "$two"
    fi
    stop_agent KILL
done

# A group whose sinks are all down beside a lone sink, and a lone sink that is down beside a group.
for up in 1 3; do
    port=$(free_port) far=$(free_port) nobody=$(free_port)
    sent=0
    rm -rf "$work"/out/* "$work/checkpoint" "$work/data"
    far_start "$far"
    ports=("$nobody" "$nobody" "$nobody")
    ports[up - 1]=$far
    write_agent file 'k1 k2 k3' "${ports[@]}"
    cat >>"$work/agent.properties" <<END
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = load_balance
END
    begin_agent
    send 20
    await "k$up delivers what the others gave back" all_are_there
    stop_agent TERM 0
    far_kill "$far"
done
