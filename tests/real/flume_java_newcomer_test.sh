#!/usr/bin/env bash
# Needs: flume
# The first mistakes with a class of one's own: a library that is missing or is of another version, a static initializer that throws, a key that is
# missing, a jar in the wrong folder, options that the JVM refuses. `check --probe` fails, and its line, and that of /readyz for what only an event
# shows, have the cause and the cure.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v jar >/dev/null || skip "no jar"
with_java_classes
port=$(ports_reserve)
config() { # MISTAKE
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1' 'interceptors = i1' \
        "interceptors.i1.type = example.Newcomer\$Builder" "interceptors.i1.mistake = $1"
    printf 'a1.%s\n' 'channels.c1.type = memory' 'sinks.k1.type = null' 'sinks.k1.channel = c1'
}
said() { # STATUS MISTAKE TEXT: what `check --probe` says, and its exit status
    local status=0
    config "$2" >"$work/check.properties"
    "$PENSTOCK" check --probe -n a1 -f "$work/check.properties" >"$work/check.out" 2>&1 || status=$?
    ((status == $1)) && grep -qF -- "$3" "$work/check.out" && return
    cat "$work/check.out" >&2
    fail "$2: the exit status is $status, not $1, or this is missing: $3"
}

# ---- a class of a library ----

mkdir "$work/other"
cat >"$work/Newcomer.java" <<-EOF_
	package example;
	public class Newcomer { public static class Library { public static int call(int number) { return number; } } }
EOF_
java_compile "$work/other" "$work/other" "$work/Newcomer.java"
cp "$work/other/example/Newcomer\$Library.class" "$work/classes/example/"
said 3 library "NoSuchMethodError: "
said 3 library "; two versions of a library, or another one than the class was compiled with: example.Newcomer\$Library is from $work/classes/"
rm "$work/classes/example/Newcomer\$Library.class"
cure='; no jar of the class path has it: put the jar that has it into plugins.d/NAME/lib, or name it in FLUME_CLASSPATH'
said 3 library "java.lang.NoClassDefFoundError: example/Newcomer\$Library$cure"
echo "a library that is missing, or of another version"

# ---- other mistakes of the class ----

said 3 initializer 'java.lang.ExceptionInInitializerError: java.lang.NumberFormatException: For input string: "many"'
said 3 again '; Java initializes a class once in a process, and this failed before: the first error in the log says why; put it right, then restart the agent'
said 3 key "java.lang.NullPointerException at example.Newcomer\$Builder.configure(Newcomer.java:"
said 3 native '; put the library into plugins.d/NAME/native, or name its folder in FLUME_JAVA_LIBRARY_PATH'
echo "a static initializer, a key, a library of native code"

# ---- options ----

options='; its options are those of JAVA_OPTS, of FLUME_JAVA_OPTS and of the command line'
FLUME_JAVA_OPTS='-XX:+Nonsense' said 3 none "$options"
FLUME_JAVA_OPTS='-Xmx 512m' said 2 none 'not a heap size; write for example -Xmx512m'
echo "options that the JVM refuses"

# ---- a jar in the wrong folder ----

mkdir -p "$work/home/plugins.d/mine" "$work/moved"
mv "$work/classes/example" "$work/moved/example"
jar cf "$work/home/plugins.d/mine/mine.jar" -C "$work/moved" .
FLUME_HOME=$work/home said 1 none \
    "; $work/home/plugins.d/mine/mine.jar has it, and is not on the class path: move it to $work/home/plugins.d/mine/lib"
mv "$work/moved/example" "$work/classes/example"
echo "a jar in the wrong folder"

# ---- what only an event shows ----

said 0 event 'ok      interceptor i1 of source r1'
"$PENSTOCK" agent -n a1 -f "$work/check.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port=$((port + 1)) >"$work/agent.log" 2>&1 </dev/null &
agent=$!
ready() { curl -s -w '%{http_code}' "http://127.0.0.1:$((port + 1))/readyz"; }
await_ready() { # TEXT
    await 120 ready_says "$1" || fail "/readyz never says $1, but $(ready)"
}
ready_says() { ready | grep -qF -- "$1"; }
await_ready ok
exec {connection}<>"/dev/tcp/127.0.0.1/$port"
echo one >&"$connection"
read -r -t 120 -u "$connection" answer || fail "there is no answer"
[[ $answer == FAILED* ]] || fail "an event that the interceptor cannot handle is answered $answer"
await_ready "interceptor r1/i1: java.lang.NoClassDefFoundError: example/Newcomer\$Library$cure"
[[ $(ready) == *503 ]] || fail "/readyz is not 503"
stop TERM
echo "a library that is missing at the first event"

# ---- a configure() that throws each time ----

config key >"$work/again.properties"
log=$work/again.log
"$PENSTOCK" agent -n a1 -f "$work/again.properties" -Dflume.root.logger=DEBUG,console >"$log" 2>&1 </dev/null &
agent=$!
thrown() { grep -c "$1 .*: the class has thrown an exception" "$log"; }
throws_again() { (($(thrown DEBUG) >= 2)); }
await 120 throws_again || fail "the class is not configured again"
(($(thrown ERROR) == 1)) || fail "one failure is logged $(thrown ERROR) times"
(($(grep 'at example.Newcomer.Builder.configure' "$log" | grep -vc 'Exception at ') == 1)) || fail "the trace of one failure is not logged once"
stop TERM
echo "a configure() that throws"
