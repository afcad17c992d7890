#!/usr/bin/env bash
# A stop while the channel of the dead letters cannot be written: the events are in the channel of their sink, and come again at the next
# start. So nothing is waited for. The time that a stop may take is longer than that of a test.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

far=$(free_port)
metrics_port=$(free_port)
python3 -m http.server "$far" --bind 127.0.0.1 >/dev/null 2>&1 & # which answers a POST with 501
children[$!]=1
answers() { curl -s -o /dev/null "http://127.0.0.1:$far/"; }
await "the far end answers" answers

cat >"$work/agent.properties" <<END_
a1.sources = r1
a1.channels = c1 letters
a1.sinks = k1 k2
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 30
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/c1/state
a1.channels.c1.dataDirs = $work/c1/data
a1.channels.letters.type = file
a1.channels.letters.checkpointDir = $work/letters/state
a1.channels.letters.dataDirs = $work/letters/data
a1.channels.letters.minimumRequiredSpace = ROOM
a1.sinks.k1.type = http
a1.sinks.k1.channel = c1
a1.sinks.k1.endpoint = http://127.0.0.1:$far/
a1.sinks.k1.rollback.2XX = false
a1.sinks.k1.backoff.2XX = false
a1.sinks.k1.rollback.501 = true
a1.sinks.k1.backoff.501 = false
a1.sinks.k1.penstock.retry.max = 1
a1.sinks.k1.penstock.deadletter = letters
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/out
a1.sinks.k2.channel = letters
a1.penstock.drain.timeout = 3600s
END_
mkdir "$work/out"
start() { # ROOM: that the channel of the letters wants to be free
    sed -i "s/minimumRequiredSpace = .*/minimumRequiredSpace = $1/" "$work/agent.properties"
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" \
        >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
says() { grep -qF "$1" "$work/agent.err"; }
letters() { [[ $(cat "$work/out"/* 2>/dev/null | sort -un | wc -l) == 30 ]]; }

start 900000000000000000
await "no letter waits" says 'an event goes to the dead letters'
await "the channel of the letters is written" says 'less than minimumRequiredSpace'
all_are_put() { [[ $(metric penstock_channel_events_put_total c1) == 30 ]]; }
await "30 events are in the channel" all_are_put
stop_agent TERM 0
says 'not delivered 0, kept in durable channels 30,' || fail "the events are not kept: $(tail -n 1 "$work/agent.err")"
says 'dead letters 0' || fail "a letter counts that nobody promised: $(tail -n 1 "$work/agent.err")"

start 1048576
await "the events of the first run are not all among the letters" letters
stop_agent TERM 0

# The same while the sink of the letters cannot deliver those of an earlier run.
sed -i -e 's/k2.type = .*/k2.type = http/' -e "s|k2.sink.directory = .*|k2.endpoint = http://127.0.0.1:$(free_port)/|" \
    "$work/agent.properties"
start 1048576
await "no letter waits for the sink that cannot deliver" says "sink k2: http://127.0.0.1"
stop_agent TERM 0
start 900000000000000000
await "no letter waits" says 'an event goes to the dead letters'
await "the channel of the letters is written" says 'less than minimumRequiredSpace'
await "no letter of the earlier run waits for its sink" says "sink k2: http://127.0.0.1"
stop_agent TERM 0
says 'not delivered 0,' || fail "the events are not kept: $(tail -n 1 "$work/agent.err")"
