#!/usr/bin/env bash
# penstock top beside a running agent: the figures are the agent's, a dead broker is blamed, text and screen, how it finds
# the agent, an agent that is away.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(dirname "${BASH_SOURCE[0]}")
port=$(free_port)
dead=$(free_port)

# r1 fills c1, whose broker is not there; r2 flows; r3 loses what no mapping takes; k4 is open, and nobody takes its events.
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2 r3 r4
a1.channels = c1 c2 c3 c4
a1.sinks = k1 k2 k3 k4
a1.penstock.ready.stall = 0
a1.sources.r1.type = stress
a1.sources.r1.size = 100
a1.sources.r1.maxEventsPerSecond = 20000
a1.sources.r1.channels = c1
a1.sources.r2.type = stress
a1.sources.r2.size = 100
a1.sources.r2.maxEventsPerSecond = 5000
a1.sources.r2.channels = c2
a1.sources.r3.type = stress
a1.sources.r3.maxEventsPerSecond = 100
a1.sources.r3.channels = c3
a1.sources.r3.selector.type = multiplexing
a1.sources.r3.selector.header = none
a1.sources.r3.selector.mapping.x = c3
a1.channels.c1.type = memory
a1.channels.c1.capacity = 2000
a1.channels.c2.type = memory
a1.channels.c3.type = memory
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$dead
a1.sinks.k1.kafka.topic = t
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
a1.sinks.k3.type = file_roll
a1.sinks.k3.sink.directory = $work/missing
a1.sinks.k3.channel = c3
a1.sources.r4.type = seq
a1.sources.r4.totalEvents = 5
a1.sources.r4.channels = c4
a1.channels.c4.type = memory
a1.sinks.k4.type = avro
a1.sinks.k4.hostname = 127.0.0.1
a1.sinks.k4.port = $dead
a1.sinks.k4.channel = c4
EOF_
agent_start() { # NAME OPTION...
    local name=$1
    shift
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" "$@" 2>"$work/$name.err" &
    agent=$!
    children[$agent]=1
}
metric() { curl -s --noproxy '*' --max-time 5 "http://127.0.0.1:$port/metrics/prometheus" | sed -nE "s/^$1 //p"; } # NAME-AND-LABELS, a regular expression
is_full() { local size; size=$(metric 'penstock_channel_size_events\{component="c1"\}') && [[ $size ]] && ((size >= 2000)); }
# top gives an answer up after 2 s. The agent of a busy machine may take longer for one.
patient=(env "LD_PRELOAD=$PENSTOCK_TOOLS/patient_curl.so" "ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0")
top() { "${patient[@]}" "$PENSTOCK" top "127.0.0.1:$port" "$@" 2>"$work/top.err"; }
agent_start agent
await 'c1 does not fill' is_full

# ---- a wait counts while it lasts ----
blocked='penstock_source_blocked_seconds_total\{component="r1"\}'
waits_on() { # in the second between two looks it waits the whole second; not yet, if it just filled the channel
    local first second
    first=$(metric "$blocked")
    sleep 1
    second=$(metric "$blocked")
    awk -v a="$first" -v b="$second" 'BEGIN { exit !(b - a >= 1) }'
}
await 'r1 waits all the time, and its time does not grow with the clock' waits_on

# ---- text ----
lines=(
    '^penstock top  agent a1  http://127.0.0.1:[0-9]+  [0-9]'
    '^  r1 +stress +- +- +(9[0-9]|100) % '
    '^  r2 +stress +[0-9.,]+( k)? ?/s +'
    '^  c1 +memory .*\[#{20}\] 100 %  [0-9,]+ of 2,000$'
    '^  c2 +memory .*\[ {20}\]   0 %'
    '^  k2 +null +[0-9.,]+( k)? ?/s +[0-9.]+ KiB +[0-9.]+ [mun]?s +[0-9.]+ [mun]?s'
    '^  k3 +file_roll .*down$'
    '^  r1 waits (9[0-9]|100) % of the time for c1, 100 % full, taken from by k1 \(kafka, delivers nothing\)$'
    '^  r3 drops [0-9.,]+ ?/s '
    '^NOT READY  '
    '^  sink k3 is not open: .*missing'
)
has_rate() { # of r2, which sends 5,000 events/s: rates are those of the counters, within what a busy machine allows
    rate=$(sed -nE 's/^  r2 +stress +([0-9.,]+) .*/\1/p' "$work/once" | tr -d ,)
    awk -v r="$rate" 'BEGIN { exit !(r > 500 && r < 20000) }'
}
# A screen is of one second. If the agent had no CPU in it, or an answer came late, the share of r1 and the rates are wrong; and if k2 had
# none while r2 went on, c2 has events and r2 waits.
is_right() {
    local line
    top --once --interval 1s >"$work/once" || fail "top: exit $?"
    wrong=''
    for line in "${lines[@]}"; do grep -qE -- "$line" "$work/once" || wrong="no line like \"$line\""; done
    has_rate || wrong="r2: $rate events/s, not 5,000"
    ! grep -qE '^  r2 (waits|drops)' "$work/once" || wrong='r2 is blamed'
    [[ ! $wrong ]]
}
patient_await 60 is_right || fail "$wrong in"$'\n'"$(cat "$work/once")"
grep -q $'\033' "$work/once" && fail 'escape sequences in text'

fails() { top --once --interval 100ms >"$work/once" && grep -qE '^  k4 +avro .*down$' "$work/once"; }
await 'a sink that is open and fails is not down' fails
grep -qE '^  sink k4 has failed ([3-9]|[1-9][0-9]+) times in a row: ' "$work/once" || fail "not how often k4 has failed:"$'\n'"$(cat "$work/once")"

top --count 3 --interval 100ms >"$work/three" || fail "top --count 3: exit $?"
[[ $(grep -c '^penstock top ' "$work/three") == 3 ]] || fail 'not three screens'
"${patient[@]}" "$PENSTOCK" top "$port" --interval 100ms >"$work/endless" 2>"$work/top.err" &
endless=$!
children[$endless]=1
two() { (($(grep -c '^penstock top ' "$work/endless") >= 2)); }
await 'no second screen' two
kill -INT $endless
wait $endless || fail "interrupted: exit $?"
unset "children[$endless]"
[[ $("${patient[@]}" "$PENSTOCK" top "http://127.0.0.1:$port/metrics" --once -i 100ms | grep -c 'agent a1') == 1 ]] || fail 'a URL with a path'

# ---- the screen ----
if has python3 screen; then
    patient_limit 120 "${patient[@]}" python3 "$here/top_screen.py" "$PENSTOCK" "127.0.0.1:$port" || fail 'the screen'
    echo 'the screen is drawn, fits and is left'
fi

# ---- the local agent, found by its command line: in a namespace that has no other ----
kill "$agent"
wait "$agent" || true # its events are not delivered
unset "children[$agent]"
if unshare -rpf --mount-proc true 2>/dev/null; then
    cat >"$work/local.sh" <<'EOF_'
set -u
source "$here/../support/patience.sh"
"$PENSTOCK" agent --name=first -f "$work/local.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" 2>"$work/first.err" &
for ((i = 0; i < 600; i++)); do
    "$PENSTOCK" top --once --interval 100ms >"$work/found" 2>"$work/found.err" && break
    patient_tenth
done
"$PENSTOCK" agent -n second -f "$work/local.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$dead" 2>"$work/second.err" &
for ((i = 0; i < 600; i++)); do
    "$PENSTOCK" top --once --interval 100ms >"$work/two" 2>"$work/two.err" || ! grep -q ' agents run on this machine: ' "$work/two.err" || break
    patient_tenth
done
kill -KILL %1 %2
EOF_
    for name in first second; do
        printf '%s\n' "$name.sources = r" "$name.channels = c" "$name.sinks = k" "$name.sources.r.type = seq" "$name.sources.r.channels = c" \
            "$name.sources.r.totalEvents = 10" "$name.channels.c.type = memory" "$name.sinks.k.type = null" "$name.sinks.k.channel = c"
    done >"$work/local.properties"
    export PENSTOCK work port dead here
    timeout 500 unshare -rpf --mount-proc bash "$work/local.sh" || true
    grep -q "agent first  http://127.0.0.1:$port " "$work/found" || fail 'the local agent is not found'
    grep -q '^penstock top: 2 agents run on this machine: ' "$work/two.err" || fail "two local agents: $(cat "$work/two.err")"
    grep -q "second at http://127.0.0.1:$dead (process [0-9]*)" "$work/two.err" || fail 'the second agent is not listed'
    echo 'the local agent is found'
fi

# ---- what it refuses ----
refused() { # TEXT OPTION...
    local code=0 text=$1
    shift
    "${patient[@]}" "$PENSTOCK" top "$@" >"$work/out" 2>"$work/refused.err" || code=$?
    ((code == 2)) || fail "top $*: exit $code"
    grep -qF -- "$text" "$work/refused.err" || fail "top $*: no word of \"$text\""
}
refused 'Is the agent running with -Dflume.monitoring.type=http?' "127.0.0.1:$dead" --once
refused '--interval: from 100 ms to 1 h' "$port" --interval 1ms
refused '--count' "$port" --count 0
refused 'one agent at a time' "$port" "$dead"
if has python3 no_agent; then
    python3 -m http.server --bind 127.0.0.1 "$dead" --directory "$work" >/dev/null 2>&1 &
    children[$!]=1
    is_up() { ! port_is_free "$dead"; }
    await 'no other server' is_up
    refused 'instead of an agent' "127.0.0.1:$dead" --once
fi
"$PENSTOCK" top --help | grep -q '^Examples:' || fail 'no examples in the help'
