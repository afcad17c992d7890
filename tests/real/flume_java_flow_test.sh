#!/usr/bin/env bash
# Needs: flume
# Channels, a channel selector, a sink processor and a sink selector in Java, run by a real Flume 1.11 and by penstock with the same file and the same input,
# beside a native flow. What is connected to them runs in Java, too, as Flume's own classes. Then a stop with a full channel, a reload, and a
# kill of the Java process.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v curl >/dev/null || skip "no curl"
with_java_classes

lines=4000
agent_file() { # DIR
    local sink
    seq 1 $lines | sed 's/.*/& of the lines/' >"$1.input"
    cat <<-EOF_
	a1.sources = r1 r2 r3
	a1.channels = c1 c2 c3 c4 c5
	a1.sinks = k1 k2 k3 k4 k5 k6 k7
	a1.sinkgroups = g1 g2
	a1.sinkgroups.g2.sinks = k6 k7
	a1.sinkgroups.g2.processor.type = load_balance
	a1.sinkgroups.g2.processor.selector = example.LastFirst
	a1.sinkgroups.g1.sinks = k2 k3
	a1.sinkgroups.g1.processor.type = example.OwnProcessor
	a1.sources.r1.type = example.FilePoll
	a1.sources.r1.path = $1.input
	a1.sources.r1.channels = c1 c2
	a1.sources.r1.selector.type = example.OwnSelector
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = from
	a1.sources.r1.interceptors.i1.value = file
	a1.sources.r2.type = seq
	a1.sources.r2.totalEvents = 1000
	a1.sources.r2.channels = c3 c5
	a1.sources.r3.type = seq
	a1.sources.r3.totalEvents = 1000
	a1.sources.r3.channels = c4
	a1.channels.c1.type = memory
	a1.channels.c2.type = memory
	a1.channels.c3.type = example.OwnChannel
	a1.channels.c3.capacity = 2000
	a1.channels.c4.type = memory
	a1.channels.c5.type = memory
	a1.channels.c5.capacity = 2000
	a1.sinks.k1.channel = c1
	a1.sinks.k2.channel = c2
	a1.sinks.k3.channel = c2
	a1.sinks.k4.channel = c3
	a1.sinks.k5.channel = c4
	a1.sinks.k6.channel = c5
	a1.sinks.k7.channel = c5
	EOF_
    for sink in k1 k2 k3 k4 k5 k6 k7; do
        mkdir -p "$1/$sink"
        cat <<-EOF_
		a1.sinks.$sink.type = file_roll
		a1.sinks.$sink.sink.directory = $1/$sink
		a1.sinks.$sink.sink.rollInterval = 0
		a1.sinks.$sink.sink.serializer = header_and_text
		EOF_
    done
}
SETTLE=1 both $((lines + 1000 + 1000 + 1000))
for sink in k1 k2 k3 k4 k5 k6 k7; do same_content "sink $sink" $sink headers_in_order; done
for text in 'source r3 (seq)' 'source in-java (java) runs the channels c1 c2 c3 c5, with their sources and sinks, in Flume'"'"'s own classes'; do
    grep -qF -- "$text" "$work/penstock.log" || fail "the log lacks: $text"
done
[[ $(content "$work/penstock/k7" | wc -l) == 1000 && ! $(content "$work/penstock/k6") ]] || fail "the sink selector did not choose the last sink"
! grep -q 'sink k4 (' "$work/penstock.log" || fail "sink k4 runs twice"

# ---- all of an agent, behind a file channel of Flume's; the Java process and the agent killed in turn ----

lines=20000 kills=4
mkdir -p "$work/kill/out"
seq 1 $lines | sed 's/.*/line & of the file/' >"$work/kill/input"
cat >"$work/kill.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = example.FilePoll
	a1.sources.r1.path = $work/kill/input
	a1.sources.r1.positions = $work/kill/positions
	a1.sources.r1.batchSize = 50
	a1.sources.r1.channels = c1
	a1.channels.c1.type = file
	a1.channels.c1.penstock.engine = java
	a1.channels.c1.checkpointDir = $work/kill/checkpoint
	a1.channels.c1.dataDirs = $work/kill/data
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $work/kill/out
	a1.sinks.k1.sink.rollInterval = 0
EOF_
delivered() { find "$work/kill/out" -type f -exec cat {} + | wc -l; }
has_delivered() { (($(delivered) >= $1)); } # LINES
: >"$work/all.log"
start "$work/kill" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    await 300 has_delivered $((kill * lines / (kills + 2))) || fail "$(delivered) lines are delivered after $((kill - 1)) kills"
    if ((kill % 2)); then
        kill_java
    else
        stop KILL
        cat "$work/kill.log" >>"$work/all.log"
        start "$work/kill" "$PENSTOCK"
    fi
done
has_all() { [[ $(cat "$work"/kill/out/* | grep -o 'line [0-9]* of the file' | sort -u | wc -l) == "$lines" ]]; }
await 120 has_all || fail "lines are missing"
# All lines may have come before the last kill: the agent that has just been started hears a signal once its part in Java runs.
has_begun() { grep -q 'FilePoll: begins at line' "$work/kill.log" && grep -q 'RollingFileSink k1 started' "$work/kill.log"; }
await 120 has_begun || fail "the agent does not start again"
arrived=$(delivered)
echo "Java and the agent killed $kills times: all $lines events arrived, $((arrived - lines)) of them again"

# ---- a reload that changes the part in Java, and a stop ----

started() { grep -c 'RollingFileSink k1 started' "$work/kill.log" || true; }
before=$(started)
seq 1 100 | sed 's/.*/line & after the reload/' >>"$work/kill/input" # the class reads its file when it starts
sed -i 's/sink.rollInterval = 0/sink.rollInterval = 0\na1.sinks.k1.sink.serializer = header_and_text/' "$work/kill.properties"
kill -HUP "$agent"
has_started() { (($(started) > before)); }
await 60 has_started || fail "the reload did not begin the sink again"
has_late_lines() { (($(cat "$work"/kill/out/* | grep -c '} line [0-9]* after the reload$') == 100)); }
await 120 has_late_lines || fail "lines written after the reload are missing"
stop TERM
grep -q 'INFO agent: stopped' "$work/kill.log" || fail "the agent did not stop in order"
! grep 'ERROR source in-java' "$work/kill.log" || fail "a stop that came before the start, or in order, has errors"
echo "a reload changed the serializer in Java"

# ---- events that the native file channel has left are not left behind ----

rest_file() { # ENGINE-OF-THE-CHANNEL SINK-TYPE
    mkdir -p "$work/rest/out"
    cat >"$work/rest.properties" <<-EOF_
		a1.sources = r1
		a1.channels = c1
		a1.sinks = k1
		a1.sources.r1.type = seq
		a1.sources.r1.totalEvents = 100
		a1.sources.r1.channels = c1
		a1.channels.c1.type = file
		a1.channels.c1.penstock.engine = $1
		a1.channels.c1.checkpointDir = $work/rest/checkpoint
		a1.channels.c1.dataDirs = $work/rest/data
		a1.sinks.k1.type = $2
		a1.sinks.k1.channel = c1
		a1.sinks.k1.hostname = 127.0.0.1
		a1.sinks.k1.port = 1
		a1.sinks.k1.sink.directory = $work/rest/out
		a1.sinks.k1.sink.rollInterval = 0
	EOF_
}
rest_says() { grep -qE "$1" "$work/rest.log"; }
rest_arrived() { (($(cat "$work"/rest/out/* 2>/dev/null | wc -l) == $1)); }

rest_file native avro
metrics=$(ports_reserve)
"$PENSTOCK" agent -n a1 -f "$work/rest.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics" >"$work/rest.log" 2>&1 </dev/null &
agent=$!
await 60 rest_says 'Connection refused|cannot connect|refused' || fail "the sink has not tried"
rest_accepted() { curl -s "http://127.0.0.1:$metrics/metrics" | grep -q "\"EventAcceptedCount\":\"$1\""; }
await 60 rest_accepted 100 || fail "the source has not put its events" # the sink tries as soon as there is one
stop TERM
rest_says '100 events stay on disk' || fail "the native channel did not keep its events: $(tail -5 "$work/rest.log")"
left="it has 100 events in penstock's own format"
rest_file java file_roll
code=0
"$PENSTOCK" check -n a1 -f "$work/rest.properties" >"$work/rest.check" 2>&1 || code=$?
((code != 0)) || fail "check passes"
grep -qF "$left" "$work/rest.check" || fail "check does not name the events: $(<"$work/rest.check")"
code=0
"$PENSTOCK" agent -n a1 -f "$work/rest.properties" >"$work/rest.log" 2>&1 </dev/null || code=$?
((code != 0)) || fail "the agent runs"
rest_says "channel c1: $work/rest/data: $left" || fail "the agent does not name the events"
rest_file native file_roll
start "$work/rest" "$PENSTOCK"
await 60 rest_arrived 200 || fail "the native channel did not deliver what it had"
stop TERM
rest_file java file_roll
start "$work/rest" "$PENSTOCK"
await 120 rest_arrived 300 || fail "the flow in Java does not start after the native channel is empty"
stop TERM
echo "a flow in Java waited until the native file channel had delivered its events"
