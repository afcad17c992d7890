#!/usr/bin/env bash
# A sink alone, or a source exec: an outage is one line of the log, however often the sink tries; the tries are at DEBUG. (In a group: group_outage_test.sh.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
nobody=$(free_port)

cat >"$work/agent.properties" <<END_
a1.sources = r1 runs
a1.channels = c1 c2 c3
a1.sinks = opens sends posts
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 20
a1.sources.r1.channels = c1 c2 c3
a1.sources.runs.type = exec
a1.sources.runs.command = /no/such/program
a1.sources.runs.restart = true
a1.sources.runs.restartThrottle = 50
a1.sources.runs.channels = c1
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.channels.c3.type = memory
a1.sinks.opens.type = file_roll
a1.sinks.opens.channel = c1
a1.sinks.opens.sink.directory = $work/none
a1.sinks.sends.type = avro
a1.sinks.sends.channel = c2
a1.sinks.sends.hostname = localhost
a1.sinks.sends.port = $nobody
a1.sinks.posts.type = http
a1.sinks.posts.channel = c3
a1.sinks.posts.endpoint = http://localhost:$nobody/
a1.sinks.posts.rollback.2XX = false
END_
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.root.logger=DEBUG,console >"$work/out" 2>&1 &
agent=$!
children[$agent]=1
tries() { [[ $(grep -cE "sink $1: .*(retrying every|tries again in)" "$work/out") -ge 4 ]]; } # SINK
for sink in opens sends posts; do
    await "$sink does not try four times" tries "$sink"
    grep -E " (WARN|ERROR) sink $sink: " "$work/out" >"$work/lines" || true
    [[ $(wc -l <"$work/lines") == 1 ]] || fail "$sink: not one line: $(<"$work/lines")"
done
runs() { [[ $(grep -c "source runs: cannot start /no/such/program" "$work/out") -ge 4 ]]; }
await "the command is not tried four times" runs
grep -E " (INFO|WARN|ERROR) source runs: " "$work/out" >"$work/lines" || true
[[ $(wc -l <"$work/lines") == 1 ]] || fail "exec: not one line: $(<"$work/lines")"
grep -q 'DEBUG sink sends: .*; tries again in .*; tries so far: 2, for ' "$work/out" || fail "a try does not say how many there were: $(grep sends: "$work/out")"
