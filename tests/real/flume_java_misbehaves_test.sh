#!/usr/bin/env bash
# Needs: flume
# Java classes that misbehave, where a real Flume 1.11 goes on. An interceptor that throws a checked exception that it does not declare, and that
# leaves its own thread or all threads interrupted: one batch is refused, and the process, the component and the other events go on. So they do with
# headers or a list whose size() is wrong. One that makes many events of a few: its call is refused once, and passes later. Sinks that cannot start behind a selector in Java: the source listens, and the
# other sink gets its events. A source that interrupts every thread of the process, also at its end. A sink that calls System.exit when the agent stops. Two agents with one port for JMX. A JVM that prints by itself while it is asked for values. A builder whose build() returns null. A host that cannot open what it needs.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

port=$(ports_reserve)
source_keys() {
    printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'max-line-length = 2000'
}
sink_keys() { # NAME DIR
    printf "a1.sinks.$1.%s\n" 'type = file_roll' "sink.directory = $2" 'sink.rollInterval = 0'
}
# A killed agent's Java process ends a moment after it, and listens until then: it would take the next agent's events.
await_end_of_listener() {
    await 60 is_free || fail "the Java process of a killed agent goes on listening"
}
is_free() { ! listens "$port"; }
say() { # LINE ANSWER
    local answer
    echo "$1" >&"$connection"
    read -r -t 120 -u "$connection" answer || fail "$1: there is no answer"
    [[ $answer == "$2"* ]] || fail "$1: the answer is $answer"
}
await_lines() { # DIR COUNT
    await 60 has_arrived "$1" "$2" || fail "$1 does not have $2 lines"
}

# ---- an interceptor ----

mkdir "$work/out"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    source_keys
    printf 'a1.sources.r1.%s\n' 'channels = c1' 'interceptors = i1' "interceptors.i1.type = example.Misbehave\$Builder"
    printf 'a1.channels.c1.%s\n' 'type = memory'
    sink_keys k1 "$work/out"
    echo 'a1.sinks.k1.channel = c1'
} >"$work/interceptor.properties"
start "$work/interceptor" "$PENSTOCK"
connect "$port"
say 'plain 1' OK
say 'checked 2' FAILED
say 'plain 3' OK
say 'own 4' OK
say 'plain 5' OK
say 'large 6' OK
say 'plain 7' OK
say 'all 8' OK
say 'plain 9' OK
say 'map 10' OK # its headers have fewer elements than their size()
say 'plain 11' OK
exec {connection}>&-
await_lines "$work/out" 10
stop TERM
cut -c 1-8 "$work"/out/* | sed 's/\.*$//' >"$work/arrived"
printf '%s\n' 'plain 1' 'plain 3' 'own 4' 'plain 5' 'large 6' 'plain 7' 'all 8' 'plain 9' 'map 10' 'plain 11' | diff - "$work/arrived" || fail "other events arrived"
! grep -E 'the class has thrown an exception|the Java host (was )?ended' "$work/interceptor.log" || fail "the interceptor or its process has ended"
echo "an interceptor with undeclared exceptions and interrupted threads: as in Flume, it goes on"

# ---- an interceptor that makes many events of a few ----

# The first call has too many for one batch. The source refuses it, goes on listening, and takes the call when it comes again.
mkdir "$work/out.many"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = http' 'bind = 127.0.0.1' "port = $port" 'channels = c1' 'interceptors = i1' "interceptors.i1.type = example.Misbehave\$Builder"
    printf 'a1.channels.c1.%s\n' 'type = memory' 'capacity = 10000' 'transactionCapacity = 10000'
    sink_keys k1 "$work/out.many"
    echo 'a1.sinks.k1.channel = c1'
} >"$work/many.properties"
start "$work/many" "$PENSTOCK"
connect "$port"
exec {connection}>&-
post_events() { curl -s -o "$work/reply" -w '%{http_code}' -d "$1" "http://127.0.0.1:$port/"; }
post() { post_events '[{"body":"many 1"},{"body":"many 2"},{"body":"many 3"}]'; }
code=$(post_events '[{"body":"list 1"},{"body":"list 2"}]') # the list of the interceptor gives no event, whatever its size() is
[[ $code == 200 ]] || fail "a call whose events the interceptor drops is answered $code"
code=$(post) || fail "the first call has no answer: $code"
[[ $code == 503 ]] || fail "the first call is answered $code"
for ((i = 0; i < 20; i++)); do
    code=$(post) || fail "the source does not listen: $code"
    [[ $code != 503 ]] || continue
    break
done
[[ $code == 200 ]] || fail "the call that was sent again is answered $code"
await_lines "$work/out.many" 1500
stop TERM
[[ $(sort "$work"/out.many/* | uniq -c | tr -s ' ' ,) == $',500,many,1\n,500,many,2\n,500,many,3' ]] || fail "other events than 500 of each arrived"
echo "an interceptor that makes 1,500 events of 3 has them put when they come again"

# ---- sinks that cannot start ----

for error in false true; do
    mkdir "$work/out.$error"
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1 c2' 'sinks = k1 k2'
        source_keys
        printf 'a1.sources.r1.%s\n' 'channels = c1 c2' 'selector.type = example.OwnSelector' # by the length of the body
        printf 'a1.channels.%s\n' 'c1.type = memory' 'c2.type = memory'
        printf 'a1.sinks.k1.%s\n' 'type = example.NeverStarts' "error = $error" 'channel = c1'
        sink_keys k2 "$work/out.$error"
        echo 'a1.sinks.k2.channel = c2'
    } >"$work/sink.properties"
    start "$work/sink" "$PENSTOCK"
    connect "$port"
    for event in 1 2 333 4444 5; do say "$event" OK; done
    exec {connection}>&-
    await_lines "$work/out.$error" 4
    [[ $error == false ]] || await 60 grep -q 'NoClassDefFoundError: com/example/Missing' "$work/sink.log" || fail "the log lacks the class that is missing"
    stop KILL
    await_end_of_listener
    printf '%s\n' 1 2 333 5 | diff - <(cat "$work/out.$error"/*) || fail "other events arrived"
    ! grep 'the class has thrown an exception' "$work/sink.log" || fail "all of the part in Java has ended"
done
echo "a sink that cannot start keeps neither the source nor the other sink from their work"

# ---- a source that interrupts all threads ----

for engine in native java; do # of the channel: with `java` all of it runs in Java
    mkdir "$work/out.all.$engine"
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = example.InterruptsAll' 'sources.r1.channels = c1' \
            'channels.c1.type = memory' "channels.c1.penstock.engine = $engine" 'sinks.k1.channel = c1'
        sink_keys k1 "$work/out.all.$engine"
    } >"$work/all.$engine.properties"
    start "$work/all.$engine" "$PENSTOCK"
    await_lines "$work/out.all.$engine" 5
    stop TERM
    printf 'event %s\n' 1 2 3 4 5 | diff - <(cat "$work/out.all.$engine"/*) || fail "other events arrived from a source that interrupts all threads"
    ! grep -E 'the class has thrown an exception|the Java host (was )?ended' "$work/all.$engine.log" || fail "the source, or all of the part in Java, has ended"
done
echo "a source that interrupts every thread of the process goes on"

# ---- sources that interrupt all threads at their end ----

interrupts() { # CLASS KEY...
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.channels = c1' "sources.r1.type = example.$1" "${@:2}" \
        'channels.c1.type = memory' 'sinks.k1.type = null' 'sinks.k1.channel = c1'
}
has_ended() { ! pgrep -f "$1" >/dev/null; }
interrupts InterruptsAtEnd "sources.r1.stopped = $work/stopped" >"$work/end.properties"
JAVA_OPTS="$JAVA_OPTS -Dof.test=$work" start "$work/end" "$PENSTOCK"
await 120 grep -q 'has interrupted all threads' "$work/end.log" || fail "the source does not begin"
stop KILL
patient_await 60 has_ended "of.test=$work" || fail "the Java process of an agent that was killed does not end"
[[ -e $work/stopped ]] || fail "the Java process did not wait for a source's stop: an interrupt from before cut it short"
interrupts "InterruptsAtEnd\$Polled" >"$work/polled.properties"
start "$work/polled" "$PENSTOCK"
await 120 grep -q 'InterruptsAtEnd: is polled' "$work/polled.log" || fail "the source is not polled"
stop TERM
grep -q 'InterruptsAtEnd: is stopped behind its process()' "$work/polled.log" || fail "the source was stopped while it was in process()"
! grep 'the class has thrown an exception' "$work/polled.log" || fail "the source has not ended in order"
echo "a process that interrupts all of its threads at its end waits for its components"

# ---- a sink that ends the process when it is asked to stop ----

{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    source_keys
    printf '%s\n' 'a1.sources.r1.channels = c1' 'a1.channels.c1.type = memory' 'a1.sinks.k1.type = example.ExitsInStop' 'a1.sinks.k1.channel = c1'
} >"$work/exits.properties"
start "$work/exits" "$PENSTOCK"
await 120 grep -q 'ExitsInStop takes events' "$work/exits.log" || fail "the sink does not begin"
stop TERM
grep -qE 'ERROR java: the Java host ended with exit code 3: System.exit was called by example\.ExitsInStop\.stop\(ExitsInStop\.java:[0-9]+\), while all of its components were being stopped$' "$work/exits.log" ||
    { cat "$work/exits.log" >&2; fail "the log does not say that the process ended while it was stopped"; }
! grep 'started again' "$work/exits.log" || fail "the log promises what does not come"
echo "a sink that calls System.exit in stop(): the log promises no start"

# ---- sinks whose exceptions have no words, and whose child has the input of the process ----

for class in WrongWords SharesInput; do
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
        source_keys
        printf 'a1.%s\n' 'sources.r1.channels = c1' 'channels.c1.type = memory' "sinks.k1.type = example.AwkwardSinks\$$class" "sinks.k1.path = $work/$class.out" 'sinks.k1.channel = c1'
    } >"$work/$class.properties"
    : >"$work/$class.out"
    start "$work/$class" "$PENSTOCK"
    connect "$port"
    for ((i = 1; i <= 30; i++)); do say "event $i" OK; done
    exec {connection}>&-
    await 60 grep -q '{} event 30$' "$work/$class.out" || { tail -n 20 "$work/$class.log" >&2; fail "the events of $class do not arrive"; }
    stop TERM
    printf '{} event %s\n' {1..30} | diff - "$work/$class.out" || fail "other events arrived from $class"
    ! grep -E 'the Java host (was )?ended' "$work/$class.log" || fail "the process of $class has ended"
done
grep -q 'ERROR sink k1: .*example.AwkwardSinks.WrongWords.Wordless' "$work/WrongWords.log" || fail "the log does not name the exception"
echo "exceptions without words, and a child that reads the input of the process: the sink goes on"

# ---- two agents with the same port for JMX ----

mkdir "$work/out.jmx"
agent_of_jmx() {
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = example.FilePoll' "path = $work/jmx.input" 'channels = c1'
    printf '%s\n' 'a1.channels.c1.type = memory' 'a1.sinks.k1.channel = c1'
    sink_keys k1 "$work/out.jmx"
}
seq 5 >"$work/jmx.input"
agent_of_jmx >"$work/first.properties"
agent_of_jmx >"$work/second.properties"
jmx="-Dcom.sun.management.jmxremote.port=$((port + 1)) -Dcom.sun.management.jmxremote.ssl=false -Dcom.sun.management.jmxremote.authenticate=false"
JAVA_OPTS="$JAVA_OPTS $jmx" start "$work/first" "$PENSTOCK"
await_lines "$work/out.jmx" 5
first=$agent
! JAVA_OPTS="$JAVA_OPTS $jmx" "$PENSTOCK" check --probe -n a1 -f "$work/second.properties" >"$work/check.log" 2>&1 || fail "check does not see that the port for JMX is taken"
grep -qE "FAILED *source r1: listen on \*:$((port + 1)) \(TCP\): .*java" "$work/check.log" || { cat "$work/check.log" >&2; fail "check does not name who has the port for JMX"; }
JAVA_OPTS="$JAVA_OPTS -Dcom.sun.management.jmxremote.port=$((port + 2))" "$PENSTOCK" check --probe -n a1 -f "$work/second.properties" >"$work/check.log" 2>&1 ||
    { cat "$work/check.log" >&2; fail "check refuses a free port for JMX"; }
grep -qE "ok *source r1: listen on \*:$((port + 2)) \(TCP\): the port is free" "$work/check.log" || fail "check does not say that the port for JMX is free"
JAVA_OPTS="$JAVA_OPTS $jmx" start "$work/second" "$PENSTOCK"
await 90 grep -qE "ERROR java: the Java host ended with exit code 1: Port already in use: $((port + 1)); another process has it, .* give each agent a port of its own in JAVA_OPTS .*; it is started again in" \
    "$work/second.log" || fail "the agent does not say that the port for JMX is taken"
second=$agent agent=$first
stop TERM
agent=$second
await_lines "$work/out.jmx" 10
stop TERM
echo "a port for JMX that another agent has is named, and the process runs when it is free"

# ---- what the JVM prints ----

# shellcheck disable=SC2016 # ${..} is for Flume
sed -i 's/^a1.sinks.k1.type = file_roll/a1.configfilters = f1\na1.configfilters.f1.type = example.Vault\na1.configfilters.f1.value.type = file_roll\na1.sinks.k1.type = ${f1[type]}/' "$work/interceptor.properties"
JAVA_OPTS='-verbose:class' "$PENSTOCK" check --probe -n a1 -f "$work/interceptor.properties" >"$work/check.log" 2>&1 ||
    { grep -v 'class,load' "$work/check.log" >&2; fail "a JVM that prints does not answer"; }
grep -q "sink k1: file_roll from channel c1" "$work/check.log" || fail "check does not have the filter's value"
echo "a JVM that prints by itself answers"

# ---- a builder that builds nothing ----

echo 'a1.sources.r1.interceptors.i1.none = true' >>"$work/interceptor.properties"
! "$PENSTOCK" check --probe -n a1 -f "$work/interceptor.properties" >"$work/check.log" 2>&1 || fail "a builder that builds nothing passes"
grep -q 'FAILED *interceptor i1 of source r1: .*build() returned null' "$work/check.log" || { cat "$work/check.log" >&2; fail "check does not say why"; }
echo "a builder that builds nothing fails before the agent starts"

# ---- the host cannot open its descriptors (as with a low `ulimit -n`): the reason is the line that the agent takes for it, without level ----

words=$(java -cp "${PENSTOCK%/*}/penstock-java.jar" penstock.host.Host </dev/null 3<"$work" 4</dev/null 5</dev/null 2>&1) && fail "a host without its pipe ends well"
grep -q '^Exception in thread "main" java.io.FileNotFoundException: /proc/self/fd/3' <<<"$words" || { echo "$words" >&2; fail "the host does not say why it ends"; }
grep -q $'^\1ERROR\1java\1\tat penstock.host.Host' <<<"$words" || { echo "$words" >&2; fail "the host does not say where it ended"; }
mkdir "$work/round"
cat >"$work/round/Round.java" <<'END'
package penstock.host;

public final class Round {
    public static void main(String[] arguments) {
        Exception first = new Exception("first"), second = new Exception("second", first);
        first.initCause(second);
        LogStream.lastWords(first);
    }
}
END
java_compile "$work/round" "${PENSTOCK%/*}/penstock-java.jar" "$work/round/Round.java"
words=$(java -Xmx64m -cp "$work/round:${PENSTOCK%/*}/penstock-java.jar" penstock.host.Round 2>&1) || fail "causes that go round have no end"
grep -q '^Caused by: java.lang.Exception: second' <<<"$words" || { echo "$words" >&2; fail "causes that go round are not named"; }
echo "a host that cannot start says why"
