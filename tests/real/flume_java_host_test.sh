#!/usr/bin/env bash
# Needs: flume
# Components that are Java classes, run by a real Flume 1.11 and by penstock with the same file and the same input. Then a Java sink
# behind a file channel, whose Java process is killed again and again: no event is lost.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v javac >/dev/null || skip "no javac"
[[ -r ${PENSTOCK%/*}/penstock-java.jar ]] || skip "no penstock-java.jar beside $PENSTOCK"
jars=$("$here/flume" classpath)
mkdir "$work/classes"
javac -nowarn -d "$work/classes" -cp "$jars" "$here"/java_host/*.java
export FLUME_CLASSPATH=$work/classes:$jars JAVA_OPTS="-Xmx256m -XX:TieredStopAtLevel=1"

# ---- the same file in both ----

lines=5000
seq 1 $lines | sed 's/.*/line & of the file äöü/' >"$work/input"
agent_file() { # DIR
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1 c2
	a1.sinks = k1 k2
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
both $((2 * lines))
for sink in plain failing; do same "sink $sink" "$work/flume/$sink" "$work/penstock/$sink"; done
for sink in k1 k2; do
    grep -q "INFO sink $sink: FileSink: stops after" "$work/penstock.log" || fail "the log of the class of $sink is not in the agent's"
done

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
delivered() { # COUNT: the file has this many lines
    [[ -e $work/kill/out ]] && (($(wc -l <"$work/kill/out") >= $1))
}
await_delivered() { # COUNT
    local i
    for ((i = 0; i < 1200; i++)); do
        delivered "$1" && return
        patient_tenth
    done
    fail "$(wc -l <"$work/kill/out") events arrived, not $1"
}
ends() {
    grep -c 'the Java host was killed by signal 9; it is started again' "$work/kill.log" || true
}
kill_java() { # NUMBER: as soon as there is a process; returns when the agent has noticed
    local i
    for ((i = 0; i < 1200; i++)); do
        pkill -KILL -P "$agent" java || true
        (($(ends) < $1)) || return 0
        patient_tenth
    done
    fail "$(ends) Java processes ended, not $1"
}
start "$work/kill" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    await_delivered $((kill * events / (kills + 2)))
    kill_java $kill
done
await_delivered "$events"
missing() { sed 's/.* //' "$work/kill/out" | sort -nu | awk -v last=$((events - 1)) '$1 != NR - 1 { bad++ } END { print bad + (NR != last + 1) }'; }
for ((i = 0; i < 600; i++)); do
    (($(missing) == 0)) && break
    patient_tenth
done
(($(missing) == 0)) || fail "events are missing"
stop TERM
echo "Java killed $kills times: all $events events arrived, $(($(wc -l <"$work/kill/out") - events)) of them again"
