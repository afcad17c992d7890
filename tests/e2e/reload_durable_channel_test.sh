#!/usr/bin/env bash
# A reload in which a durable channel goes or gets another type: what is in it is delivered first, else the reload is refused, as with a
# memory channel. Nothing would deliver what it leaves on disk.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
metrics_port=$(free_port)
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
a1.channels.c1.checkpointDir = $work/checkpoint-$step
a1.channels.c1.dataDirs = $work/data-$step
a1.channels.c1.driver.url = jdbc:sqlite:$work/database-$step
a1.channels.c1.memoryCapacity = 1
a1.channels.c1.overflowTimeout = 0
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

change() { # FROM TO
    step=$1-$2 sent=0
    out=$work/out-$step
    config "$1" >"$file"
    "$PENSTOCK" agent -n a1 -f "$file" --no-reload-conf -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
        -Dpenstock.monitoring.host=127.0.0.1 2>"$work/$step.err" &
    agent=$!
    children[$agent]=1
    await "$step: it starts" up
    # The sink cannot open its directory: nothing goes, and the old channel runs on.
    send 5
    config "$2" >"$file"
    kill -HUP "$agent"
    await "$step: refused" refused
    problems=$(curl -s "$url/readyz")
    [[ $problems == *"channel c1 goes or changes its type, and 5 events in it are not delivered"* ]] || fail "$step: $problems"
    send 2
    # With the directory the same file is carried out, when c1 is empty.
    mkdir "$out"
    await "$step: carried out" carried_out
    await "$step: all are delivered" delivered
    send 1
    await "$step: through the new channel" delivered
    kill -TERM "$agent"
    wait "$agent" || fail "$step: it ends with $?"
    unset "children[$agent]"
    grep -q 'accepted 8, delivered 8' "$work/$step.err" || fail "$step: $(tail -n 1 "$work/$step.err")"
}
change file jdbc
change jdbc memory
change SPILLABLEMEMORY file
