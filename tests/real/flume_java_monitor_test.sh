#!/usr/bin/env bash
# Needs: flume
# A MonitorService in Java (-Dflume.monitoring.type=CLASS), and Flume's own for Ganglia, with a real Flume 1.11 and with penstock: the same
# counters of the same components, with the same values. Then, in penstock alone: the monitor is killed, goes on beside an MBean with a name of its own, and what check says.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes
command -v python3 >/dev/null || skip 'no python3'

port=$(ports_reserve)
events=500
agent_file() { # DIR
    mkdir -p "$1/out"
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1 c2
	a1.sinks = k1 k2
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = $events
	a1.sources.r1.channels = c1 c2
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 4000
	a1.channels.c2.type = memory
	a1.channels.c2.capacity = 4000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $1/out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.channel = c1
	a1.sinks.k2.type = null
	a1.sinks.k2.channel = c2
	EOF_
}
arrived() { # DIR
    find "$1/out" -type f -exec cat {} + | wc -l
}
properties=()
launch() { # ENGINE: the process that replaces this shell; Flume's own script would pass the properties to the JVM
    if [[ $1 == flume ]]; then
        FLUME_JAVA="$FLUME_JAVA ${properties[*]} -Dflume.monitoring.file=$work/flume.report" exec "${engines[flume]}" agent -n a1 -f "$work/flume.properties"
    fi
    exec "$PENSTOCK" agent -n a1 -f "$work/penstock.properties" "${properties[@]}" -Dflume.monitoring.file="$work/penstock.report"
}
begin() { # ENGINE
    mkdir -p "$work/$1"
    rm -rf "$work/$1/out"
    agent_file "$work/$1" >"$work/$1.properties"
    launch "$1" >"$work/$1.log" 2>&1 </dev/null &
    agent=$!
}
monitored() { # ENGINE: an agent whose monitor has seen all events
    rm -f "$work/$1.report"
    begin "$1"
    await 60 seen "$1" || fail "$1: the monitor has not seen $events events"
}
seen() {
    local line
    for line in "SINK.k1 EventDrainSuccessCount $events" CHANNEL.c{1,2}" EventTakeSuccessCount $events" CHANNEL.c{1,2}" ChannelSize 0"; do
        grep -qx "$line" "$work/$1.report" 2>/dev/null || return 1
    done
}

# ---- a class of the user's ----

properties=(-Dflume.monitoring.type=example.Report -Dflume.monitoring.everyMs=100)
for engine in flume penstock; do
    monitored $engine
    cp "$work/$engine.report" "$work/$engine.seen"
    stop TERM
    [[ $(tail -n 1 "$work/$engine.report") == stopped ]] || fail "$engine: the monitor was not stopped"
done
# Times differ, and so do counts of attempts and batches, which follow from timing. Flume's source seq does not count what it receives.
# penstock has more counters of its own.
comparable() {
    sed -E '/(Time|EventReceivedCount|AppendBatchAcceptedCount|AttemptCount|BatchEmptyCount|BatchUnderflowCount|BatchCompleteCount) [0-9]+$/s/[0-9]+$/N/' "$1" | sort
}
comparable "$work/flume.seen" >"$work/flume.text"
comparable "$work/penstock.seen" | grep -Fxf "$work/flume.text" >"$work/penstock.text" || true
same 'counters of every component' "$work/flume.text" "$work/penstock.text"
grep -qF 'monitor: reports to' "$work/penstock.log" || fail 'what the monitor prints is not in the log'

# ---- it is killed ----

monitored penstock
kill_java
await 60 grep -qF 'has ended with status 137; it is started again in 1 s' "$work/penstock.log" || fail 'the log lacks the end of the monitor'
rm -f "$work/penstock.report"
await 60 seen penstock || fail 'the monitor did not come back'
stop TERM
[[ $(tail -n 1 "$work/penstock.report") == stopped ]] || fail 'the second monitor was not stopped'
echo 'killed: it came back'

# ---- a class has an MBean whose name Flume's counters would not have ----

{
    agent_file "$work/own" | grep -v 'sinks.k2.type'
    printf 'a1.sinks.k2.%s\n' 'type = example.OwnBean' "path = $work/own.out"
} >"$work/own.properties"
"$PENSTOCK" agent -n a1 -f "$work/own.properties" "${properties[@]}" -Dflume.monitoring.file="$work/own.report" >"$work/own.log" 2>&1 </dev/null &
agent=$!
await 120 grep -qF 'the metrics of queue,name=one are not reported' "$work/own.log" || fail 'the log does not say what the monitor does not get'
rm -f "$work/own.report"
await 60 seen own || fail 'the monitor does not go on'
stop TERM
! grep -qE 'the monitor (ends|example.Report has ended)' "$work/own.log" || fail 'the monitor has ended'
(($(grep -cF 'are not reported' "$work/own.log") == 1)) || fail 'the log says it more than once'
echo 'a bean with another name: the monitor goes on'

# ---- Ganglia ----

cat >"$work/receive.py" <<'EOF_'
import socket, struct, sys
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", int(sys.argv[1])))
receiver.settimeout(60)
def text(data, at):
    size = struct.unpack_from(">I", data, at)[0]
    return data[at + 4:at + 4 + size].decode(), at + 4 + (size + 3) // 4 * 4
seen, rounds = {}, 0
while rounds < 2: # between two times everything else has come once
    data = receiver.recv(65536)
    if struct.unpack_from(">I", data, 0)[0] != 133: # 3.1: the value; 128 describes it
        continue
    host, at = text(data, 4)
    name, at = text(data, at)
    at += 4
    form, at = text(data, at)
    seen[name] = text(data, at)[0]
    rounds += f"{name} {seen[name]}" == sys.argv[2]
for name in seen:
    print(name, seen[name])
EOF_
properties=(-Dflume.monitoring.type=GANGLIA -Dflume.monitoring.hosts="127.0.0.1:$port" -Dflume.monitoring.pollFrequency=1)
for engine in flume penstock; do
    python3 "$work/receive.py" "$port" "flume.SINK.k1.EventDrainSuccessCount $events" >"$work/$engine.report" 2>"$work/$engine.receive.log" &
    receiver=$!
    begin $engine
    wait $receiver || fail "$engine sends no $events events to Ganglia"
    stop TERM
    cut -d ' ' -f 1 "$work/$engine.report" | sort -u >"$work/$engine.text"
done
grep -Fxf "$work/flume.text" "$work/penstock.text" >"$work/penstock.known" || true
same 'names of metrics at Ganglia' "$work/flume.text" "$work/penstock.known"

# ---- what check says ----

says() { # TEXT OPTION...
    local text=$1
    shift
    "$PENSTOCK" check -n a1 -f "$work/penstock.properties" "$@" >"$work/check.log" 2>&1 || true
    grep -qF -- "$text" "$work/check.log" || { cat "$work/check.log" >&2; fail "check does not say: $text"; }
    echo "check: $text"
}
says "the class \`example.Report\` of $work/classes gets the metrics in Java" -Dflume.monitoring.type=example.Report
says 'Flume has no monitor' -Dflume.monitoring.type=example.Reprt
says "cannot be used as the monitor: it does not implement org.apache.flume.instrumentation.MonitorService" -Dflume.monitoring.type=example.Keys
FLUME_CLASSPATH='' says 'set FLUME_HOME' -Dflume.monitoring.type=ganglia
