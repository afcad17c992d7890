#!/usr/bin/env bash
# A broker that is not there: /readyz names the sink, which is down after penstock.ready.stall; the age of the oldest event is
# a metric; /livez stays well; a stop that leaves events exits 3, after a second signal at once and after the drain time-out.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dead_port=$(free_port)
metrics_port=$(free_port)
url="http://127.0.0.1:$metrics_port"

config() { # DRAIN-TIMEOUT-MS
    cat <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.penstock.drain.timeout = $1
a1.penstock.ready.stall = 1500
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 50
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$dead_port
a1.sinks.k1.channel = c1
EOF_
}
start() { # DRAIN-TIMEOUT-MS
    config "$1" >"$work/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
        -Dpenstock.monitoring.host=127.0.0.1 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "it starts" curl -sf "$url/livez" -o "$work/live.txt"
}
expect_exit() { # STATUS
    local code=0
    wait "$agent" || code=$?
    unset "children[$agent]"
    [[ $code -eq $1 ]] || fail "exit status $code, not $1"
}
is_stalled() { # the reason stands in its line
    local line
    line=$(curl -s -w ' %{http_code}' "$url/readyz")
    [[ $line =~ ^"sink k1 has not reached its destination yet: ".*"check kafka.bootstrap.servers".*" (since "[-0-9]+T[0-9:]+"Z)"$'\n'" 503"$ ]]
}
metrics_have() { [[ $(curl -s "$url/metrics/prometheus") == *"$1"* ]]; } # LINE

start 60000
await "the stall shows" is_stalled
[[ $(curl -s -o /dev/null -w '%{http_code}' "$url/healthz") == 503 ]] || fail "/healthz is well"
[[ $(curl -s "$url/livez") == ok ]] || fail "/livez: a restart would not help"
metrics_have 'penstock_component_up{kind="sink",component="k1"} 0' || fail "component_up"
oldest_grows() { [[ $(curl -s "$url/metrics/prometheus") =~ oldest_unacknowledged_seconds\{component=\"k1\"\}" "[0-9.]*[1-9] ]]; }
await "the age of the oldest event grows" oldest_grows
await "events to deliver" metrics_have 'penstock_source_events_accepted_total{component="r1"} 50'
kill -TERM "$agent"
await "it drains" grep -q "stopping: no new input" "$work/agent.err"
is_stopping() { [[ $(curl -s "$url/readyz") == *"the agent is stopping"* ]]; }
await "/readyz says that it stops" is_stopping
[[ $(curl -s "$url/livez") == ok ]] || fail "/livez while it drains"
metrics_have 'penstock_source_events_accepted_total{component="r1"} 50' || fail "metrics while it drains"
sleep 0.6
kill -TERM "$agent"
expect_exit 3
grep -q "asked to stop a second time" "$work/agent.err" || fail "the second signal is not said"
grep -q "not delivered 50" "$work/agent.err" || fail "the account: $(tail -n 1 "$work/agent.err")"

start 200
await "events to deliver" metrics_have 'penstock_source_events_accepted_total{component="r1"} 50'
kill -TERM "$agent"
expect_exit 3

# timeout(1) sends SIGTERM to its child and at once to the whole group: that is one wish, and the agent waits for delivery.
: >"$work/agent.err"
start 1500
await "events to deliver" metrics_have 'penstock_source_events_accepted_total{component="r1"} 50'
began_ms=${EPOCHREALTIME/./}
kill -STOP "$agent" # both are there when it goes on, however long this script waits for a CPU between them
kill -TERM "$agent"
kill -INT "$agent"
kill -CONT "$agent"
expect_exit 3
waited_ms=$(((${EPOCHREALTIME/./} - began_ms) / 1000))
((waited_ms >= 1400)) || fail "two signals at once ended the drain after $waited_ms ms of 1500"
! grep -q "second time" "$work/agent.err" || fail "two signals of one stop count as two"
echo ok

# A position file that cannot be written: lines are delivered, and would be read again after a restart.
mkdir "$work/logs" "$work/out"
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $work/logs/.*log
a1.sources.r1.positionFile = $work/state/positions.json
a1.sources.r1.writePosInterval = 100
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.channel = c1
END
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>>"$work/agent.err" &
agent=$!
children[$agent]=1
echo one >"$work/logs/a.log"
await "the position file" test -s "$work/state/positions.json"
is_ready() { [[ $(curl -s "$url/readyz") == ok ]]; }
await "it is ready" is_ready
rm "$work/state/positions.json"
mkdir "$work/state/positions.json" # root, too, cannot rename a file over it
echo two >>"$work/logs/a.log"
names_the_file() { [[ $(curl -s -w '%{http_code}' "$url/readyz") == "source r1: "*"$work/state/positions.json"*503 ]]; }
await "/readyz names the position file" names_the_file
rmdir "$work/state/positions.json"
await "it is ready again" is_ready
await "the positions of both lines" grep -qs '"pos":8' "$work/state/positions.json"
kill -TERM "$agent"
expect_exit 0
