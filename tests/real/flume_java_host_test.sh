#!/usr/bin/env bash
# Needs: flume
# Components that are Java classes, run by a real Flume 1.11 and by penstock with the same file and the same input: sinks, and an
# interceptor between native ones. Then a Java sink behind a file channel, and a Java interceptor, whose Java process is killed again and
# again: the sink loses no event, the interceptor neither loses nor doubles one. And a sink that ends by an error and leaves a thread behind.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

# ---- the same file in both ----

lines=5000
seq 1 $lines | sed 's/.*/line & of the file äöü/' >"$work/input"
agent_file() { # DIR
    cat <<-EOF_
	a1.sources = r1 r2
	a1.channels = c1 c2 c3
	a1.sinks = k1 k2 k3
	a1.sources.r2.type = exec
	a1.sources.r2.command = cat $work/input
	a1.sources.r2.channels = c3
	a1.sources.r2.interceptors = i1 i2 i3
	a1.sources.r2.interceptors.i1.type = static
	a1.sources.r2.interceptors.i1.key = gone
	a1.sources.r2.interceptors.i1.value = away
	a1.sources.r2.interceptors.i2.type = example.Change\$Builder
	a1.sources.r2.interceptors.i2.prefix = new-
	a1.sources.r2.interceptors.i2.drop.every = 5
	a1.sources.r2.interceptors.i2.double.every = 7
	a1.sources.r2.interceptors.i3.type = regex_filter
	a1.sources.r2.interceptors.i3.regex = ^new-line \\\\d*3 of
	a1.sources.r2.interceptors.i3.excludeEvents = true
	a1.channels.c3.type = memory
	a1.channels.c3.capacity = 20000
	a1.sinks.k3.type = example.FileSink
	a1.sinks.k3.channel = c3
	a1.sinks.k3.path = $1/changed
	a1.sources.r1.type = exec
	a1.sources.r1.command = cat $work/input
	a1.sources.r1.channels = c1 c2
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = where
	a1.sources.r1.interceptors.i1.value = here
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 20000
	a1.channels.c2.type = memory
	a1.channels.c2.capacity = 20000
	a1.channels.c2.transactionCapacity = 1000
	a1.sinks.k1.type = example.FileSink
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $1/plain
	a1.sinks.k2.type = example.FileSink
	a1.sinks.k2.channel = c2
	a1.sinks.k2.path = $1/failing
	a1.sinks.k2.batchSize = 7
	a1.sinks.k2.fail.every = 3
	EOF_
}
# The interceptor drops each fifth event, and adds 715; of what begins with "new-" the filter drops what ends with 3.
changed=$(seq 0 $((lines - 1)) | awk '{ left = $1 % 5 != 4; if (left && !($1 % 2 == 0 && $1 % 10 == 2)) n++; if ($1 % 7 == 0) n++ } END { print n }')
both $((2 * lines + changed))
for sink in plain failing; do same "sink $sink" "$work/flume/$sink" "$work/penstock/$sink"; done
same "a chain with an interceptor" "$work/flume/changed" "$work/penstock/changed"
(($(wc -l <"$work/penstock/changed") == changed)) || fail "the interceptor's events are not $changed"
grep -q "INFO interceptor i2 of source r2: Change: ends after $lines events" "$work/penstock.log" || fail "the log of the interceptor is not in the agent's"
for sink in k1 k2; do
    grep -q "INFO sink $sink: FileSink: stops after" "$work/penstock.log" || fail "the log of the class of $sink is not in the agent's"
done

# ---- single events: behind netcat Flume calls intercept(Event), which doubles none ----

port=$(ports_reserve)
talk() { # sends the lines, one connection; returns when each was answered
    local i
    connect "$port"
    head -n 500 "$work/input" >&"$connection"
    for ((i = 0; i < 500; i++)); do read -r -u "$connection"; done
    exec {connection}>&-
}
for engine in flume penstock; do
    mkdir "$work/$engine.single"
    cat >"$work/$engine.single.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = netcat
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $port
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = example.Change\$Builder
	a1.sources.r1.interceptors.i1.drop.every = 5
	a1.sources.r1.interceptors.i1.double.every = 7
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 1000
	a1.sinks.k1.type = example.FileSink
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $work/$engine.single/out
	EOF_
    start "$work/$engine.single" "${engines[$engine]}"
    talk
    await 60 has_lines "$work/$engine.single/out" 400 || fail "$engine: not all single events arrived"
    stop TERM
done
same "single events" "$work/flume.single/out" "$work/penstock.single/out"
(($(wc -l <"$work/penstock.single/out") == 400)) || fail "not 400 of 500 single events"

# ---- a sink ends by an error, and a thread of it goes on: the channel has nothing for that thread any more ----

late_sink_has_taken() { grep -q 'left behind takes' "$work/late.log" && (($(grep -c 'LateSink: takes' "$work/late.log") >= 50)); }
late_sink() {
    mkdir "$work/late"
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
        printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 50' 'channels = c1'
        printf 'a1.channels.c1.%s\n' 'type = memory'
        printf 'a1.sinks.k1.%s\n' 'type = example.LateSink' 'channel = c1'
    } >"$work/late.properties"
    start "$work/late" "$PENSTOCK"
    await 60 late_sink_has_taken || true # what follows says what is missing
    stop TERM
    grep -q 'the thread that was left behind takes nothing' "$work/late.log" ||
        fail "a thread that was left behind: $(grep -o 'left behind takes.*' "$work/late.log")"
    sed -n 's/.*LateSink: takes //p' "$work/late.log" | cmp - <(seq 0 49) || fail "the second instance takes other events"
}
late_sink

# ---- the Java process is killed ----

events=400000 kills=5
mkdir "$work/kill"
cat >"$work/kill.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = $events
	a1.sources.r1.channels = c1
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/kill/checkpoint
	a1.channels.c1.dataDirs = $work/kill/data
	a1.channels.c1.capacity = 20000
	a1.sinks.k1.type = example.FileSink
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $work/kill/out
	a1.sinks.k1.batchSize = 20
EOF_
await_delivered() { # COUNT
    await 120 has_lines "$work/kill/out" "$1" || fail "$(wc -l <"$work/kill/out") events arrived, not $1"
}
ends() {
    grep -c 'the Java host was killed by signal 9; it is started again' "$log" || true
}
log=$work/kill.log
kills_java() { # NUMBER
    pkill -KILL -P "$agent" java || true
    (($(ends) >= $1))
}
kill_java() { # NUMBER: as soon as there is a process; returns when the agent has noticed
    await 120 kills_java "$1" || fail "$(ends) Java processes ended, not $1"
}
start "$work/kill" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    await_delivered $((kill * events / (kills + 2)))
    kill_java $kill
done
await_delivered "$events"
missing() { sed 's/.* //' "$work/kill/out" | sort -nu | awk -v last=$((events - 1)) '$1 != NR - 1 { bad++ } END { print bad + (NR != last + 1) }'; }
has_all() { (($(missing) == 0)); }
await 60 has_all || fail "events are missing"
stop TERM
echo "Java killed $kills times: all $events events arrived, $(($(wc -l <"$work/kill/out") - events)) of them again"

# ---- the same with an interceptor ----

mkdir "$work/chain"
cat >"$work/chain.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = $events
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = example.Change\$Builder
	a1.channels.c1.type = memory
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $work/chain
	a1.sinks.k1.sink.rollInterval = 0
EOF_
log=$work/chain.log kills=3
start "$work/chain" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    await 60 has_arrived "$work/chain" $((kill * events / (kills + 2))) || fail "$(arrived "$work/chain") events arrived after $((kill - 1)) kills"
    kill_java $kill
done
await 60 has_arrived "$work/chain" $events || true # what follows says what is missing
stop TERM
cat "$work"/chain/* | awk '$1 != NR - 1 { bad++ } END { exit !(bad == 0 && NR == '$events') }' ||
    fail "$(arrived "$work/chain") events of $events, or another order"
echo "Java killed $kills times: all $events events passed the interceptor once, in order"
