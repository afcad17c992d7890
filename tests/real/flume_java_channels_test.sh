#!/usr/bin/env bash
# Needs: flume
# A channel in Java that breaks what a channel promises. It throws in put, take, begin, commit, rollback or close, or gives events twice: the same events
# arrive as in a real Flume 1.11 with the same file. It hangs in put, commit, take or stop, gives nothing, or leaves its transactions open: /readyz and the log name the part and the place,
# and a stop ends. It ends the process in commit, or uses up the memory: no event of a file channel below it is lost. Its counters cannot be read, or do not answer: its flow goes on. A native flow goes on beside each.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v curl >/dev/null || skip "no curl"
with_java_classes

port=$(ports_reserve)
events=20
flow() { # NUMBER DIR KEY=VALUE...: a source, a hostile channel and a sink
    local number=$1 dir=$2
    shift 2
    printf "a1.sources.r$number.%s\n" 'type = seq' "totalEvents = $events" "channels = c$number"
    printf "a1.channels.c$number.%s\n" 'type = example.HostileChannel' 'capacity = 200' 'byteCapacity = 1000000' "${@/=/ = }"
    printf "a1.sinks.k$number.%s\n" 'type = example.FileSink' 'batchSize = 2' "channel = c$number" "path = $dir/$number"
}
native_flow() {
    printf 'a1.sources.native.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = native'
    printf 'a1.channels.native.%s\n' 'type = memory'
    printf 'a1.sinks.native.%s\n' 'type = null' 'channel = native'
}
agent_of() { # DIR NATIVE FAULT...: `native` or nothing; the first fault is of r1, c1 and k1
    local dir=$1 native=$2 number
    shift 2
    mkdir -p "$dir"
    printf 'a1.%s\n' "sources = $(seq -s ' ' -f 'r%g' $#) $native" "channels = $(seq -s ' ' -f 'c%g' $#) $native" "sinks = $(seq -s ' ' -f 'k%g' $#) $native"
    [[ ! $native ]] || native_flow
    # shellcheck disable=SC2086 # a fault has several keys
    for ((number = 1; number <= $#; number++)); do flow $number "$dir" ${!number}; done
}
start_watched() { # NAME
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$((port + 1))" >"$work/$1.log" 2>&1 </dev/null &
    agent=$!
    log=$work/$1.log
}
say() { # LINE: on a connection of the native flow
    local answer
    echo "$1" >&"$connection"
    read -r -t 120 -u "$connection" answer || fail "$1: the native flow has no answer"
    [[ $answer == OK ]] || fail "$1: the native flow answers $answer"
}
logged() { grep -qE "$1" "$log"; }
ready() { curl -s "http://127.0.0.1:$((port + 1))/readyz"; }
ready_says() { ready | grep -qE "$1"; }
has_ended() { ! kill -0 "$agent" 2>/dev/null; }
stop_in_time() {
    kill -TERM "$agent"
    patient_await 60 has_ended || fail "the stop does not end"
    wait "$agent" || true
    agent=''
    logged 'INFO agent: stopped:' || fail "the agent did not stop in order"
}

# ---- calls that throw, and events that come twice ----

throws=(throws=put throws=take throws=commit throws=committed throws=delivery throws=delivered throws=rollback does=twice)
has_all() { # DIR: all events of each flow, some of them again
    local number
    for ((number = 1; number <= ${#throws[@]}; number++)); do
        [[ -e $1/$number ]] && (($(sort -u "$1/$number" | wc -l) == events)) || return 1
    done
}
for engine in flume penstock; do
    agent_of "$work/$engine" '' "${throws[@]}" >"$work/$engine.properties"
    start "$work/$engine" "${engines[$engine]}"
    await 120 has_all "$work/$engine" || { wc -l "$work/$engine"/* >&2; fail "$engine: events are missing"; }
    stop TERM
    sort -u "$work/$engine"/* >"$work/$engine.events"
done
diff "$work/flume.events" "$work/penstock.events" || fail "other events than in Flume"
for ((number = 1; number <= ${#throws[@]}; number++)); do
    [[ $(sort "$work/flume/$number" | uniq -c) == "$(sort "$work/penstock/$number" | uniq -c)" ]] || echo "${throws[number - 1]}: other events came again than in Flume"
done
echo "a channel whose calls throw: as in Flume, no event is missing"

# ---- calls that hang, and a channel that gives nothing ----

{
    echo 'a1.penstock.ready.stall = 4000'
    agent_of "$work/hangs" native hangs=put hangs=commit hangs=take hangs=delivery does=nothing throws=close hangs=stop does=open
} >"$work/hangs.properties"
start_watched hangs
connect "$port"
hung='has not returned from (a put|process\(\)) for [0-9]+ s, and is in example.NeverStops.hang\(NeverStops.java:[0-9]+\)'
await 120 ready_says "source in-java: source r1 $hung \\(and [0-9]+ more\\)" || { ready >&2; fail "/readyz does not name the source whose channel hangs"; }
for part in 'source r1' 'source r2' 'sink k3' 'sink k4'; do
    await 120 logged "WARN source in-java: $part $hung" || fail "the log does not name $part"
    say "beside $part"
done
await 120 logged 'WARN source in-java: channel c5 has had events for [0-9]+ s, now [0-9]+, of which its sinks have taken none' || fail "the log does not name the channel that gives nothing"
[[ $(curl -s -o "$work/ready" -w '%{http_code}' "http://127.0.0.1:$((port + 1))/readyz") == 503 ]] || fail "/readyz is not 503"
await 120 has_lines "$work/hangs/7" $events || fail "a flow beside those that hang does not go on"
(($(grep -cE "WARN source in-java: source r1 $hung" "$log") == 1)) || fail "the log names a part that hangs again and again"
say 'before the stop'
stop_in_time
for part in 'source r1' 'source r2' 'sink k3' 'sink k4' 'channel c7'; do
    logged "WARN source in-java: $part has not stopped [0-9]+ s after it was asked to, and is in example.NeverStops.hang\\(" || fail "the log does not say that $part did not stop"
done
logged "WARN source in-java: channel c5 stops with [1-9][0-9]* events" || fail "the log does not say what the channel that gives nothing has left"
echo "a channel whose calls hang: /readyz and the log name them, and the stop ends"

# ---- one of them, until it is over ----

for case in throws=close does=open; do
    { echo 'a1.penstock.ready.stall = 0'; agent_of "$work/fails" native "$case"; } >"$work/fails.properties"
    start_watched fails
    await 120 ready_says '^source in-java: (source r1|sink k1) has failed [0-9]+ times in a row: .*\(\) called when transaction is' ||
        { ready >&2; fail "/readyz does not say what fails: $case"; }
    stop_in_time
done
echo "a channel whose calls fail again and again: /readyz has the reason"

# ---- the process ends in commit ----

lines=500
mkdir "$work/exits"
seq 1 $lines | sed 's/.*/& of the lines/' >"$work/exits/input"
: >"$work/exits/exited"
{
    printf 'a1.%s\n' 'sources = r1 native' 'channels = c1 native' 'sinks = k1 native'
    native_flow
    printf 'a1.sources.r1.%s\n' 'type = example.FilePoll' "path = $work/exits/input" "positions = $work/exits/positions" 'batchSize = 10' 'channels = c1'
    printf 'a1.channels.c1.%s\n' 'type = example.HostileChannel' "checkpointDir = $work/exits/checkpoint" "dataDirs = $work/exits/data" 'does = exit' \
        'exits = 2' "exited = $work/exits/exited"
    printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $work/exits/out" 'batchSize = 10'
} >"$work/exits.properties"
start_watched exits
connect "$port"
exits='the Java host ended with exit code 7: System\.exit was called by example\.HostileChannel[^ ]*'
await 120 ready_says "^source in-java .*$exits( \\(since [-0-9]+T[0-9:]+Z\\))?\$" || fail "/readyz does not say that the process ended"
say 'while the process is down'
has_arrived_all() { [[ -e $work/exits/out ]] && (($(sort -u "$work/exits/out" | wc -l) == lines)); }
await 120 has_arrived_all || fail "$(sort -u "$work/exits/out" | wc -l) events arrived, not $lines"
(($(grep -cE "ERROR java: $exits; it is started again in" "$log") == 2)) || fail "the log does not name both ends of the process"
stop_in_time
echo "a channel that ends the process in commit: $lines events arrived, $(($(wc -l <"$work/exits/out") - lines)) of them again"

# ---- counters that cannot be read ----

mkdir "$work/counts"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 100' 'channels = c1'
    echo 'a1.channels.c1.type = example.CountsBadly'
    printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $work/counts/out"
} >"$work/counts.properties"
start_watched counts
await 120 logged 'INFO source in-java: CountsBadly: was asked three times' || fail "a flow does not go on when the counters of its channel cannot be read"
! logged 'the class has thrown an exception' || fail "a flow ends because the counters of its channel cannot be read"
await 60 has_lines "$work/counts/out" 100 || fail "the events did not arrive"
stop_in_time
echo "a channel whose counters cannot be read goes on"

# ---- counters that do not answer ----

mkdir "$work/silent"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 100' 'channels = c1'
    printf 'a1.channels.c1.%s\n' 'type = example.CountsBadly' 'does = hang'
    printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $work/silent/out"
} >"$work/silent.properties"
start_watched silent
await 120 logged 'INFO source in-java: CountsBadly: is asked and hangs' || fail "nobody asks the counters of a channel"
await 60 has_lines "$work/silent/out" 100 || fail "the events did not arrive"
has_figures() { curl -s "http://127.0.0.1:$((port + 1))/metrics/prometheus" | grep -q '^penstock_java_heap_used_bytes [1-9]'; }
await 60 has_figures || fail "counters that do not answer keep back what is known of the Java process"
await 60 logged 'WARN java: the counters of org.apache.flume.channel:type=c1 do not answer' || fail "nobody names the counters that do not answer"
stop_in_time
! logged 'has not stopped' || fail "counters that do not answer hold up a flow"
echo "a channel whose counters do not answer goes on"

# ---- the memory is used up ----

events=1000000 agent_of "$work/grows" native does=grow >"$work/grows.properties"
start_watched grows
connect "$port"
reason='the Java host ended with exit code 3: Terminating due to java.lang.OutOfMemoryError: Java heap space; give it more with -Xmx in JAVA_OPTS'
await 120 ready_says "^source in-java .*$reason" || fail "/readyz does not say that the memory was used up"
say 'beside a channel without bounds'
await 120 logged "ERROR java: $reason; it is started again in 2 s" || fail "the process is not started again"
stop_in_time
echo "a channel that grows without bound ends its process alone"
