#!/usr/bin/env bash
# Adding and removing sources leaves the connections of the others alone, whichever place they have in the list, and
# starts workers for what is added.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metrics_port=$(free_port)
url="http://127.0.0.1:$metrics_port/metrics/prometheus"
declare -A ports=([r1]=$(free_port) [r2]=$(free_port) [r3]=$(free_port) [r4]=$(free_port))

config() { # WORKERS SOURCE...
    local workers=$1 name
    shift
    echo "a1.sources = $*"
    cat <<EOF_
a1.channels = c1
a1.sinks = k1
a1.penstock.workers = $workers
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
    for name in r1 r2 r3 r4; do
        cat <<EOF_
a1.sources.$name.type = netcat
a1.sources.$name.bind = 127.0.0.1
a1.sources.$name.port = ${ports[$name]}
a1.sources.$name.channels = c1
EOF_
    done
}
is() { # NAME VALUE
    [[ $(curl -s "$url" | awk -v name="$1" '$1 == name { print $2 }') == "$2" ]]
}
workers() { [[ $(curl -s "$url" | grep -c '^penstock_worker_parks_total{') -eq $1 ]]; } # COUNT
reloads=0
reload() { # WORKERS SOURCE...
    config "$@" >"$work/next.properties"
    mv "$work/next.properties" "$work/agent.properties"
    reloads=$((reloads + 1))
    kill -HUP "$agent"
    await "reload $reloads" is 'penstock_reloads_total{result="ok"}' $reloads
}
answers() { # FD: the source at the other end of this connection answers a line
    local answer=
    echo "event" >&"$1"
    read -r -t 60 answer <&"$1" || true
    [[ $answer == OK ]]
}

config 3 r1 r2 r3 >"$work/agent.properties"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "it starts" is 'penstock_component_up{kind="source",component="r3"}' 1
exec 4<>"/dev/tcp/127.0.0.1/${ports[r2]}" 5<>"/dev/tcp/127.0.0.1/${ports[r3]}"
check() { # WHAT
    answers 4 || fail "$1: r2's connection"
    answers 5 || fail "$1: r3's connection"
}
check "at first"
workers 3 || fail "three workers"

reload 3 r2 r3
check "r1 removed"
reload 3 r4 r2 r3
check "r4 added in front"
workers 3 || fail "workers were added without need"
reload 5 r1 r3 r4 r2
check "r1 added, others moved in the list, and two workers more"
workers 5 || fail "five workers"
exec 6<>"/dev/tcp/127.0.0.1/${ports[r1]}"
answers 6 || fail "what was added answers"
reload 2 r2 r3
check "workers are not stopped"
workers 5 || fail "five workers to the end"
grep -q "fewer penstock.workers" "$work/agent.err" || fail "fewer workers: not said"

exec 4>&- 5>&- 6>&-
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code -eq 0 ]] || fail "exit status $code"
grep -q "not delivered 0" "$work/agent.err" || fail "the account: $(tail -n 1 "$work/agent.err")"
echo "ok: $reloads reloads"
