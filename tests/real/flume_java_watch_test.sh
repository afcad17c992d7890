#!/usr/bin/env bash
# Needs: flume
# What is seen of Java components, and what happens to the others: components whose start() does not return and holds up no others, and a part of a whole flow that cannot
# start, are named by /readyz; Flume's counters are in /metrics as in a real Flume with the same file; a Java process that a signal has stopped holds up its own flow alone, and is not killed;
# a jar that has changed is used after SIGHUP; loggers of classes have the levels of log4j2.xml, with Flume's lines.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in curl jar; do command -v $program >/dev/null || skip "no $program"; done
with_java_classes
port=$(ports_reserve)

get() { curl -s "http://127.0.0.1:$((port + 1))$1"; }
page_has() { get "$2" | grep -q -- "$1"; } # PATTERN PATH
await_page() { # PATTERN PATH: in what the agent's server says
    await 120 page_has "$1" "$2" || { get "$2" >&2; fail "$2 never has: $1"; }
}
taken() { get /metrics | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]]["EventTakeSuccessCount"])' "CHANNEL.$1"; }
await_more() { # CHANNEL COUNT: until so many events more have been taken from it
    local from
    from=$(taken "$1")
    await 120 has_taken "$1" $((from + $2)) || fail "channel $1 has no $2 events more than $from"
}
has_taken() { (($(taken "$1") >= $2)); }
start_watched() { # NAME COMMAND: with metrics over HTTP
    local monitoring=("-Dflume.monitoring.type=http" "-Dflume.monitoring.port=$((port + 1))")
    if [[ $2 == "$PENSTOCK" ]]; then
        "$2" agent -n a1 -f "$work/$1.properties" "${monitoring[@]}" >"$work/$1.log" 2>&1 </dev/null &
    else
        FLUME_JAVA="$FLUME_JAVA ${monitoring[*]}" "$2" agent -n a1 -f "$work/$1.properties" >"$work/$1.log" 2>&1 </dev/null &
    fi
    agent=$!
}

# ---- a whole flow in Java, whose port is taken at first ----

flow() { # ENGINE
    printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = syslogtcp' 'host = 127.0.0.1' "port = $((port + 2))" 'channels = c1'
    printf 'a1.sources.r2.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $((port + 3))" 'channels = c1'
    printf 'a1.channels.c1.%s\n' 'type = memory' ${1:+"$1"}
    printf 'a1.sinks.k1.%s\n' 'type = file_roll' 'channel = c1' "sink.directory = $work/$2" 'sink.rollInterval = 0'
}
hold_port() {
    python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("held", flush=True)
time.sleep(3600)' "$((port + 3))" >"$work/held" &
    holder=$!
    while ! grep -q held "$work/held"; do patient_tenth; done
}
send_lines() {
    printf '<13>Oct 11 22:14:15 host line %d\n' 1 2 3 >"/dev/tcp/127.0.0.1/$((port + 2))"
}
keys() { # names and attributes of components, and the counts of events, but for the agent's own in-java
    get /metrics | python3 -c 'import json, sys
for name, attributes in sorted(json.load(sys.stdin).items()):
    if name != "SOURCE.in-java":
        counts = [attributes.get(f"Event{what}Count") for what in ("Received", "Accepted", "PutSuccess", "TakeSuccess", "DrainSuccess")]
        print(name, sorted(attributes), attributes["Type"], counts)'
}
mkdir "$work/inside" "$work/flume"
flow '' flume >"$work/flume.properties"
start_watched flume "$here/flume"
await_page SOURCE.r1 /metrics
await 60 send_lines 2>/dev/null || fail "nobody takes the lines"
await_page '"EventTakeSuccessCount":"3"' /metrics
patient_rest 2 # source and sink count after the channel
keys >"$work/flume.keys"
stop TERM

flow 'penstock.engine = java' inside >"$work/inside.properties"
hold_port
start_watched inside "$PENSTOCK"
await_page 'source in-java: source r2 cannot start: .*' /readyz
kill "$holder"
wait "$holder" 2>/dev/null || true
await_page '^ok' /readyz
send_lines
await_page '"EventTakeSuccessCount":"3"' /metrics
has_keys() { keys >"$work/inside.keys" && cmp -s "$work/flume.keys" "$work/inside.keys"; }
await 60 has_keys || true # diff says what is missing
stop TERM
diff "$work/flume.keys" "$work/inside.keys" || fail "the metrics of a flow in Java are not those of Flume"
echo "metrics: the same components, attributes and counts as Flume"

# ---- components whose start() does not return ----

up() { # NUMBER COMPONENT: what penstock_component_up says
    await_page "^penstock_component_up{.*component=\"$2\"} $1\$" /metrics/prometheus
}
mkdir "$work/hanging"
{
    printf 'a1.%s\n' 'sources = r1 r2 r3 f0 f1' 'channels = c1 c2' 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' "type = example.Hanging\$Source" 'channels = c1' "until = $work/hanging/source"
    printf 'a1.sources.r2.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $((port + 2))" 'channels = c1' 'interceptors = i1' \
        "interceptors.i1.type = example.Hanging\$Builder" "interceptors.i1.until = $work/hanging/interceptor"
    printf 'a1.sources.r3.%s\n' "type = example.Hanging\$Source" 'channels = c1' "event = $work/hanging/event" "until = $work/hanging/never"
    printf 'a1.channels.c1.%s\n' 'type = memory'
    printf 'a1.sinks.k1.%s\n' 'type = example.Hanging' 'channel = c1' "until = $work/hanging/sink"
    printf 'a1.sources.f0.%s\n' "type = example.Hanging\$Source" 'channels = c2' "event = $work/hanging/first" "until = $work/hanging/flow"
    printf 'a1.sources.f1.%s\n' 'type = seq' 'totalEvents = 10' 'channels = c2'
    printf 'a1.channels.c2.%s\n' 'type = example.OwnChannel' 'capacity = 100'
    printf 'a1.sinks.k2.%s\n' 'type = example.FileSink' 'channel = c2' "path = $work/hanging/lines"
} >"$work/hanging.properties"
start_watched hanging "$PENSTOCK"
await_page 'sink k1 is not open: starts in Java since .*: the Java process is not ready yet' /readyz
for component in "source r1" "interceptor r2/i1" "source r3" "sink k1"; do
    await_page "^$component is not open: starts in Java since .* s: example.Hanging.* is not configured and started yet\$" /readyz
    up 0 "${component#* }"
done
touch "$work/hanging/event"
up 1 r3 # it has put an event, though its start() goes on until the stop
await_page '^source in-java: source f0 has not returned from start(), and is in example.Hanging.await' /readyz
await 120 has_lines "$work/hanging/lines" 10 || fail "a source of a flow in Java waits for one whose start() does not return"
touch "$work/hanging/first"
is_ready() { ! page_has '^source in-java' /readyz; }
await 120 is_ready || fail "a source of a flow in Java is not ready, though it has put an event: $(get /readyz)"
up 1 in-java
for component in "source r1" "interceptor r2/i1" "sink k1"; do
    [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$((port + 1))/readyz") == 503 ]] || fail "/readyz is not 503 while $component starts"
    touch "$work/hanging/${component%% *}"
    up 1 "${component#* }"
done
await_page '^ok' /readyz
stop TERM
! grep 'has not stopped' "$work/hanging.log" || fail "a start() that goes on is not interrupted by the stop"
echo "components whose start() does not return are not open, but for a source that has put an event, and hold up no others"

# ---- a process that is stopped, beside a native flow ----

mkdir "$work/promised" "$work/version"
version() { # TEXT: makes the jar with a class that says it
    mkdir -p "$work/source/example"
    cat >"$work/source/example/Version.java" <<-EOF_
	package example;
	public class Version extends org.apache.flume.sink.NullSink {
	    @Override public synchronized void start() { System.out.println("this is version $1"); super.start(); }
	}
	EOF_
    java_compile "$work/version" "$FLUME_CLASSPATH" "$work/source/example/Version.java"
    jar cf "$work/fresh.jar" -C "$work/version" .
    mv "$work/fresh.jar" "$work/version.jar"
}
version one
{
    printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1 c2' 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' 'type = example.Promises' 'channels = c1' "directory = $work/promised"
    printf 'a1.sources.r2.%s\n' 'type = org.apache.flume.source.StressSource' 'size = 100' 'channels = c2' 'maxEventsPerSecond = 20000'
    printf 'a1.channels.c%d.type = memory\n' 1 2
    printf 'a1.sinks.k1.%s\n' 'type = example.Version' 'channel = c1'
    printf 'a1.sinks.k2.%s\n' 'type = null' 'channel = c2'
} >"$work/stopped.properties"
FLUME_CLASSPATH=$work/version.jar:$FLUME_CLASSPATH start_watched stopped "$PENSTOCK"
await_page CHANNEL.c1 /metrics
await_more c1 1000
await_page 'penstock_java_heap_used_bytes [1-9]' /metrics/prometheus
await_page 'penstock_java_cpu_seconds_total' /metrics/prometheus
java=$(pgrep -P "$agent" java)
kill -STOP "$java"
await_more c2 20000
kill -CONT "$java"
await_more c1 1000
[[ $(pgrep -P "$agent" java) == "$java" ]] || fail "the process was started again"
echo "a stopped process: the native flow went on, and so did it afterwards"

# ---- another jar ----

grep -q 'sink k1: this is version one' "$work/stopped.log" || fail "the first version did not start"
kill -HUP "$agent"
await_more c1 1000
[[ $(pgrep -P "$agent" java) == "$java" ]] || fail "the process was started again, and nothing had changed"
version two
errors=$(grep -c ERROR "$work/stopped.log" || true)
kill -HUP "$agent"
await 120 grep -q 'sink k1: this is version two' "$work/stopped.log" || fail "the second version did not start"
await_more c1 1000
grep -q "INFO java: $work/version.jar has changed: the Java process stops its components and starts again" "$work/stopped.log" ||
    fail "the log does not say which jar has changed"
(($(grep -c ERROR "$work/stopped.log" || true) == errors)) || fail "a renewal is an error: $(grep ERROR "$work/stopped.log" | tail -n 3)"
stop TERM
grep -q 'INFO agent: stopped:.* not delivered 0' "$work/stopped.log" || fail "the agent did not stop in order"
echo "another jar: used after SIGHUP"

# ---- levels of loggers: the lines that Flume's log has with the same log4j2.xml ----

mkdir -p "$work/levels" "$work/loud"
cat >"$work/source/example/Loud.java" <<-EOF_
	package example;
	import org.slf4j.Logger;
	import org.slf4j.LoggerFactory;
	public class Loud extends org.apache.flume.sink.NullSink {
	    @Override public synchronized void start() {
	        for (String name : new String[] {"com.acme.Loud", "com.acme.quiet.Lazy", "org.other.Other"}) {
	            Logger logger = LoggerFactory.getLogger(name);
	            logger.debug("says debug\n  in two lines");
	            logger.info("says info");
	            logger.warn("says warn");
	            logger.error("says error", new IllegalStateException("of " + name));
	        }
	        super.start();
	    }
	}
	EOF_
java_compile "$work/loud" "$FLUME_CLASSPATH" "$work/source/example/Loud.java"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = seq' 'totalEvents = 10' 'channels = c1'
    printf 'a1.channels.c1.%s\n' 'type = memory'
    printf 'a1.sinks.k1.%s\n' 'type = example.Loud' 'channel = c1'
} >"$work/levels.properties"
levels_file() { # ROOT LEVEL: the log4j2.xml, where com.acme has the level
    cat >"$work/levels/log4j2.xml" <<-EOF_
	<Configuration><Properties><Property name="acme">$2</Property></Properties>
	<Appenders><Console name="C"><PatternLayout pattern="%p %c{1}: %m%n"/></Console></Appenders>
	<Loggers><Logger name="com.acme" level="\${acme}"/><Logger name="com.acme.quiet" level="ERROR"/>
	<Root level="$1"><AppenderRef ref="C"/></Root></Loggers></Configuration>
	EOF_
}
loud_lines() { # LOG: what the class has logged, as Flume's log has it, which has no component
    sed -E 's/^[^ ]+Z ([A-Z]+) sink k1: (Loud|Lazy|Other): /\1 \2: /; s/^[^ ]+Z [A-Z]+ sink k1: //' "$1" |
        grep -E '^[A-Z]+ (Loud|Lazy|Other): |^  in two lines|^java.lang.IllegalStateException'
}
says_last() { (($(grep -c 'IllegalStateException: of org.other.Other' "$work/$1.log") == ${2:-1})); } # NAME [TIMES]: the last of loud_lines
levels() { # NAME [OPTION...]: starts penstock, until the class has said all
    "$PENSTOCK" agent -n a1 -c "$work/levels" -f "$work/levels.properties" "${@:2}" >"$work/$1.log" 2>&1 </dev/null &
    agent=$!
    await 120 says_last "$1" || fail "$1: the class does not start"
}
export FLUME_CLASSPATH=$work/loud:$FLUME_CLASSPATH
for root in INFO WARN; do
    levels_file $root debug
    FLUME_JAVA="$FLUME_JAVA -Dlog4j2.configurationFile=$work/levels/log4j2.xml" "$here/flume" agent -n a1 -f "$work/levels.properties" >"$work/flume-$root.log" 2>&1 </dev/null &
    agent=$!
    await 120 says_last "flume-$root" || fail "Flume does not start the class"
    stop TERM
    levels "levels-$root"
    diff <(loud_lines "$work/flume-$root.log") <(loud_lines "$work/levels-$root.log") || fail "the lines are not Flume's with the root at $root"
    [[ $root == WARN ]] || stop TERM
done
grep -q ' DEBUG sink k1: Loud: says debug' "$work/levels-WARN.log" || fail "no DEBUG line with the component"
grep -q ' ERROR sink k1: java.lang.IllegalStateException: of com.acme.Loud' "$work/levels-WARN.log" || fail "a stack trace has not the level of its line"
before=$(loud_lines "$work/levels-WARN.log" | wc -l)
levels_file ERROR off
kill -HUP "$agent"
await 120 says_last levels-WARN 2 || fail "the class does not start again with other levels"
stop TERM
expected=$'ERROR Lazy: says error\njava.lang.IllegalStateException: of com.acme.quiet.Lazy\nERROR Other: says error\njava.lang.IllegalStateException: of org.other.Other'
[[ $(loud_lines "$work/levels-WARN.log" | tail -n +$((before + 1))) == "$expected" ]] || fail "SIGHUP does not bring the levels of a changed log4j2.xml"
rm "$work/levels/log4j2.xml"
levels levels-none
stop TERM
! grep ' DEBUG ' "$work/levels-none.log" || fail "a DEBUG line, and nothing asks for it"
levels levels-root -Dflume.root.logger=DEBUG,console
stop TERM
grep -q ' DEBUG sink k1: Other: says debug' "$work/levels-root.log" || fail "-Dflume.root.logger is not the level of classes"
echo "levels of loggers: the same lines as Flume, new ones after SIGHUP"
