#!/usr/bin/env bash
# Needs: flume
# Sources that are Java classes, run by a real Flume 1.11 and by penstock with the same file and the same input: one that is polled, whose calls
# have few, many and large events, and one whose threads put single events. Then a channel that is full most of the time, and a source with
# positions of its own whose Java process and whose agent are killed again and again: what it was told to be in the channel is there.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

# ---- the same file in both ----

lines=20000 threads=6 each=300
seq 1 $lines | sed 's/.*/line & of the file äöü/' >"$work/input"
agent_file() { # DIR
    cat <<-EOF_
	a1.sources = r1 r2 r3
	a1.channels = c1 c2 c3
	a1.sinks = c1 c2 c3
	a1.sources.r1.type = example.FilePoll
	a1.sources.r1.path = $work/input
	a1.sources.r1.throwEvery = 40
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = where
	a1.sources.r1.interceptors.i1.value = here
	a1.sources.r2.type = example.FilePoll
	a1.sources.r2.path = $work/input
	a1.sources.r2.batchSize = 5000
	a1.sources.r2.largeEvery = 1999
	a1.sources.r2.largeBytes = 700000
	a1.sources.r2.channels = c2
	a1.sources.r3.type = example.Threads
	a1.sources.r3.threads = $threads
	a1.sources.r3.events = $each
	a1.sources.r3.channels = c3
	a1.sinks.c1.channel = c1
	a1.sinks.c2.channel = c2
	a1.sinks.c3.channel = c3
	EOF_
    into_files c1 "$1/polled" 40000
    into_files c2 "$1/lists" 40000 10000
    into_files c3 "$1/threads" 40000
}
leaving() { # DIR: a thread says that it is done behind its last event
    [[ ${1##*/} == flume ]] || await 60 grep -q 'Threads: thread 5 is done' "$1.log" || fail "the log does not say that a thread is done"
}
SETTLE=2 both $((2 * lines + threads * each + 1))
# Flume may lose what a source puts in stop(): its channels may have stopped by then. penstock does not, see below.
sorted_without_stop() { sed -E 's/^\{(.*)\} /\1 /' | grep -v 'at the stop$' | sort; }
same_content 'a source that is polled' polled
same_content 'lists of 5,000 events, and large ones' lists
same_content 'threads that put single events' threads sorted_without_stop
[[ $(content "$work/penstock/threads" | wc -l) == $((threads * each + 2)) ]] || fail "an event of start() or stop() is not there"
for text in "INFO source r1: FilePoll: begins at line 0" "ERROR source r1: .*IllegalStateException: as the test wants it" \
    "INFO source r3: Threads: thread 5 is done" "INFO source r1: FilePoll: stops at line $lines"; do
    grep -q "$text" "$work/penstock.log" || fail "the agent's log lacks: $text"
done

# ---- a channel that is full: a call of at most a quarter of its capacity is refused as a whole ----

mkdir "$work/full"
cat >"$work/full.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = example.FilePoll
	a1.sources.r1.path = $work/input
	a1.sources.r1.batchSize = 90
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 400
	a1.channels.c1.transactionCapacity = 100
	a1.channels.c1.keep-alive = 0
	a1.sinks.k1.type = example.FileSink
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $work/full/out
	a1.sinks.k1.batchSize = 50
	a1.sinks.k1.delayMs = 5
EOF_
start "$work/full" "$PENSTOCK"
await 120 has_lines "$work/full/out" $lines || fail "$(wc -l <"$work/full/out") events arrived, not $lines"
stop TERM
grep -q 'FilePoll: refused: Unable to put batch on required channel' "$work/full.log" || fail "the channel was never full"
grep -Eo 'stops at line .*' "$work/full.log"
[[ $(grep -o 'line [0-9]* of' "$work/full/out" | sort -u | wc -l) == "$lines" ]] || fail "events are missing"
(($(wc -l <"$work/full/out") == lines)) || fail "$(wc -l <"$work/full/out") events, not $lines"

# ---- kills ----

lines=200000 kills=6
seq 1 $lines | sed 's/.*/line & of the file/' >"$work/input"
mkdir "$work/kill"
cat >"$work/kill.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = example.FilePoll
	a1.sources.r1.path = $work/input
	a1.sources.r1.positions = $work/kill/positions
	a1.sources.r1.batchSize = 50
	a1.sources.r1.channels = c1
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/kill/checkpoint
	a1.channels.c1.dataDirs = $work/kill/data
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $work/kill/out
	a1.sinks.k1.sink.rollInterval = 0
EOF_
mkdir "$work/kill/out"
await_position() { # POSITION
    await 120 has_position "$1" || fail "the position stays at $(position)"
}
has_position() { (($(position) >= $1)); }
position() { cat "$work/kill/positions" 2>/dev/null || echo 0; }
start "$work/kill" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    await_position $((kill * lines / (kills + 2)))
    if ((kill % 2)); then
        kill_java
    else
        stop KILL
        start "$work/kill" "$PENSTOCK"
    fi
done
await_position $lines
all_came() { [[ $(cat "$work"/kill/out/* | grep -o 'line [0-9]* of' | sort -u | wc -l) == "$lines" ]]; }
await 120 all_came || true # what follows says what is missing
(($(position) == lines)) || fail "the position stays at $(position)"
stop TERM
arrived=$(cat "$work"/kill/out/* | wc -l)
[[ $(cat "$work"/kill/out/* | grep -o 'line [0-9]* of' | sort -u | wc -l) == "$lines" ]] || fail "events are missing"
echo "Java and the agent killed $kills times: all $lines events arrived, $((arrived - lines)) of them again"
