#!/usr/bin/env bash
# Needs: flume
# Java classes that do not end: a sink whose stop() hangs, interceptors whose close() or intercept() hangs, and a shutdown hook that hangs behind System.exit. While a
# reload waits for the sink, a flow that does not change goes on. The interceptor that follows the hanging one runs, at each of several reloads, and the
# log names the one that hangs. The Java process that does not end is killed, and its next one runs. A reload during which the process is killed, and one
# that SIGTERM interrupts, end. A sink whose start() hangs leaves the events to the other sink of its channel.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

port=$(ports_reserve) other=$(ports_reserve)
mkdir "$work/agent"
log=$work/agent.log
config() { # KEY-OF-SINK KEY-OF-INTERCEPTOR
    printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1 c2' 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1' 'interceptors = i1' \
        "interceptors.i1.type = example.NeverStops\$Builder" "interceptors.i1.exited = $work/exited" "interceptors.i1.key = $2"
    printf 'a1.sinks.k1.%s\n' 'type = example.NeverStops' 'channel = c1' "key = $1"
    printf 'a1.sources.r2.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $other" 'channels = c2'
    printf 'a1.sinks.k2.%s\n' 'type = null' 'channel = c2'
    printf 'a1.channels.%s\n' 'c1.type = memory' 'c2.type = memory'
}
logged() { grep -q "$1" "$log"; }
has_logged() { (($(grep -c "$1" "$log") >= $2)); } # TEXT TIMES
say() { # CONNECTION LINE
    local answer
    echo "$2" >&"$1"
    read -r -t 120 -u "$1" answer || fail "$2: there is no answer"
    [[ $answer == OK ]] || fail "$2: the answer is $answer"
}
is_said() { # PORT LINE: on a connection of its own, because a reload without a Java process opens the source again
    local answer line
    { exec {line}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    echo "$2" >&"$line"
    read -r -t 120 -u "$line" answer || answer=
    exec {line}>&-
    [[ $answer == OK ]]
}
reload() { # KEY-OF-SINK KEY-OF-INTERCEPTOR: begins one
    config "$1" "$2" >"$work/fresh"
    mv "$work/fresh" "$work/agent.properties"
    kill -HUP "$agent"
}

# ---- a sink ----

# The reload waits for some seconds of the usual clock, in which a busy machine may give this script no turn: several attempts, each with
# a new agent.
for ((attempt = 0; attempt < 5; attempt++)); do
    [[ ! $agent ]] || stop KILL
    config 1 1 >"$work/agent.properties"
    start "$work/agent" "$PENSTOCK"
    connect "$port" && first=$connection
    connect "$other" && second=$connection
    say "$first" one
    say "$second" one
    reload 2 1
    await 90 logged 'NeverStops: stop() begins' || fail "the sink is not stopped"
    answers=0
    while ! logged 'agent: reloaded'; do
        say "$second" more
        answers=$((answers + 1))
    done
    ((answers < 4)) || break
done
((answers >= 4)) || fail "the other flow had $answers answers while a sink in Java stopped"
await 90 logged 'WARN sink k1: example.NeverStops has not stopped .* example.NeverStops.hang(NeverStops.java:' || fail "nobody names the sink that hangs"
say "$first" two
echo "while a sink hangs in stop(), another flow goes on: $answers answers"

# ---- an interceptor ----

for number in 2 3 4; do
    reload 2 "$number"
    await 90 has_logged 'agent: reloaded' "$number" || fail "the reload $number does not end"
    say "$first" "behind reload $number"
done
# shellcheck disable=SC2016 # the class has a dollar sign
await 90 has_logged 'WARN interceptor i1 of source r1: example.NeverStops$Builder has not stopped' 3 || fail "nobody names the interceptor that hangs"
echo "an interceptor follows one that hangs in close()"

# ---- an interceptor that hangs with its own lock ----

connect "$port"
echo lock >&"$connection"
await 90 logged 'NeverStops: intercept() hangs' || fail "the interceptor does not hang"
port=$(ports_reserve)
reload 2 4 # another port: the interceptor has the keys that it had
await 90 has_logged 'agent: reloaded' 5 || fail "the reload to another port does not end"
connect "$port" && first=$connection
say "$first" "behind the lock"
echo "an interceptor with the same keys follows one that hangs in intercept()"

# ---- reloads that are disturbed ----

reload 3 5
await 90 has_logged 'reload: .*sink k1' 2 || fail "the reload does not begin"
host=$(pgrep -P "$agent" java)
kill -KILL "$host"
await 90 has_logged 'agent: reloaded' 6 || fail "the reload does not end"
reload 4 6
await 90 has_logged 'reload: .*sink k1' 3 || fail "the next reload does not begin"
reload 5 7 # while the one before waits
await 90 has_logged 'agent: reloaded' 8 || fail "the reloads do not end"
await 90 is_said "$port" three || fail "the interceptor does not run behind the reloads"
say "$second" two
echo "reloads end while the Java process is killed, and while another one waits"

# ---- a shutdown hook ----

await 90 is_said "$port" exit || fail "the interceptor does not run again"
[[ -e $work/exited ]] || fail "the class did not call System.exit"
logged 'the Java host was ended: it was ending by System.exit, and had not ended after 5 s' || fail "the log does not say why the Java process ended"
say "$second" three
echo "a Java process that System.exit does not end is killed, and started again"

# ---- a stop in the middle of a reload ----

reload 6 8
await 90 has_logged 'reload: .*sink k1' 5 || fail "the last reload does not begin"
stop TERM
logged 'agent: stopped' || fail "the agent did not stop in order"
(($(grep -c 'ERROR java: the Java host was killed by signal 9' "$log") == 1)) || fail "the Java process ended more often than it should"
echo "a stop during such a reload ends"

# ---- a sink whose start() hangs, beside another one ----

port=$(ports_reserve)
mkdir "$work/out"
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1 k2'
    printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1'
    echo 'a1.channels.c1.type = memory'
    printf 'a1.sinks.k1.%s\n' 'type = example.Hanging' 'channel = c1' "until = $work/until"
    printf 'a1.sinks.k2.%s\n' 'type = file_roll' 'channel = c1' "sink.directory = $work/out" 'sink.rollInterval = 0'
} >"$work/agent.properties"
start "$work/agent" "$PENSTOCK"
connect "$port"
for ((line = 1; line <= 100; line++)); do say "$connection" "$line"; done
all_are_there() { [[ $(cat "$work/out"/* 2>/dev/null | sort -n | uniq | wc -l) == 100 ]]; }
await 90 all_are_there || fail "the other sink has $(cat "$work/out"/* | wc -l) of 100 lines"
touch "$work/until"
await 90 logged 'Null sink k1 started' || fail "the sink does not start"
stop TERM
echo "while the start() of a sink hangs, the other sink of its channel takes all events"
