#!/usr/bin/env bash
# A sink whose far end refuses: /readyz and `penstock top` say so with the reason long before penstock.ready.stall, until it delivers again. In a
# group one outage is one line of the log, with the one interval that is true.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

far=$(free_port)
metrics_port=$(free_port)
ready() { curl -s -o "$work/ready" -w '%{http_code}' "http://127.0.0.1:$metrics_port/readyz"; } # prints the status
start() { # the agent of $work/agent.properties
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" \
        -Dpenstock.monitoring.host=127.0.0.1 >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.penstock.ready.stall = 24h
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 300
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.sinks.k1.type = avro
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = $far
a1.sinks.k1.channel = c1
END

# 1. Alone.
start
is_not_ready() { # because of k1: a look before its first tries shows another reason, or none
    [[ $(ready) == 503 ]] && grep -qE "^sink k1 has failed [0-9]+ times in a row: 127.0.0.1:$far: Connection refused$" "$work/ready"
}
await "/readyz says it" is_not_ready
"$PENSTOCK" top --once "http://127.0.0.1:$metrics_port" >"$work/top" || fail "top: $(cat "$work/top")"
grep -q 'NOT READY' "$work/top" || fail "top: $(cat "$work/top")"
grep -q "sink k1 has failed .*Connection refused" "$work/top" || fail "top has no reason: $(cat "$work/top")"
cat >"$work/far.properties" <<END
a2.sources = r1
a2.channels = c1
a2.sinks = k1
a2.sources.r1.type = avro
a2.sources.r1.bind = 127.0.0.1
a2.sources.r1.port = $far
a2.sources.r1.channels = c1
a2.channels.c1.type = memory
a2.channels.c1.capacity = 1000
a2.sinks.k1.type = null
a2.sinks.k1.channel = c1
END
"$PENSTOCK" agent -n a2 -f "$work/far.properties" >"$work/far.out" 2>"$work/far.err" &
far_agent=$!
children[$far_agent]=1
is_ready() { [[ $(ready) == 200 && $(cat "$work/ready") == ok ]]; }
await "it delivers, and is ready" is_ready
stop_agent TERM 0
kill -TERM "$far_agent"
wait "$far_agent" || true
unset "children[$far_agent]"

# 2. In a group: k2 delivers.
mkdir "$work/out"
sed -i 's/^a1.sinks = k1/a1.sinks = k1 k2/' "$work/agent.properties"
cat >>"$work/agent.properties" <<END
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = failover
a1.sinkgroups.g1.processor.priority.k1 = 2
a1.sinkgroups.g1.processor.priority.k2 = 1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/out
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.channel = c1
END
start
all_there() { [[ $(cat "$work/out"/* 2>/dev/null | wc -l) == 300 ]]; }
await "k2 delivers all" all_there
[[ $(ready) == 200 ]] || fail "/readyz: $(cat "$work/ready")"
"$PENSTOCK" top --once "http://127.0.0.1:$metrics_port" >"$work/top" || fail "top: $(cat "$work/top")"
grep -q 'sink k1 ' "$work/top" || fail "top does not name k1: $(cat "$work/top")"
stop_agent TERM 0
grep -q "sink group g1: sink k1 failed 1 time in a row: it is left out for 2 s: 127.0.0.1:$far: Connection refused" "$work/agent.err" ||
    fail "no line of the group: $(cat "$work/agent.err")"
[[ $(grep -c 'Connection refused' "$work/agent.err") == 1 ]] || fail "more than one line: $(cat "$work/agent.err")"
