#!/usr/bin/env bash
# The file channel of a running agent: what it has acknowledged survives SIGKILL and is delivered once; the agent stops at
# once although a sink is down; a second agent, a directory of Flume's and a full disk are named; a reload loses nothing.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
metrics_port=$(free_port)

configuration() { # FURTHER LINES...: writes the agent's file
    numbers_agent "a1.channels.c1.type = file" "a1.channels.c1.checkpointDir = $work/state" "a1.channels.c1.dataDirs = $work/one, $work/two" \
        "a1.channels.c1.keep-alive = 1" "a1.channels.c1.minimumRequiredSpace = 1048576" "a1.penstock.drain.timeout = 3600s" "$@"
}

agent_options=(-Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port")


echo "== the sink is down: acknowledged, killed, delivered after a restart"
configuration
start_agent
[[ $(send_numbers 1 3000 | sort | uniq -c | xargs) == "3000 OK" ]] || fail "not all were acknowledged"
stop_agent KILL
start_agent
grep -q "3,000 events are waiting" "$work/agent.err" || fail "the log does not say what is waiting"
[[ $(send_numbers 3001 4000 | sort | uniq -c | xargs) == "1000 OK" ]] || fail "not all were acknowledged"
stop_agent TERM 0 # waits for no sink that is down: that would be longer than the time limit of a test
grep -q "closed: 4,000 events stay on disk" "$work/agent.err" || fail "the log does not say what stays"
tail -n 1 "$work/agent.err" | grep -q "not delivered 0, kept in durable channels 4,000," || fail "the account does not say what stays"
mkdir "$work/out"
start_agent
assert_numbers_once 4000

echo "== a second agent on the same directories"
sed "s/port = $port/port = $(free_port)/" "$work/agent.properties" >"$work/second.properties"
"$PENSTOCK" agent -n a1 -f "$work/second.properties" >"$work/second.out" 2>"$work/second.err" &
children[$!]=1
second=$!
await "the second agent names the first" grep -q "channel c1: .*$work/state.*$agent" "$work/second.err"
kill -TERM "$second"
wait "$second" || true

echo "== reloads under load"
send_numbers 4001 24000 >"$work/answers" &
sender=$!
children[$sender]=1
for ((i = 0; i < 5; i++)); do
    configuration "a1.sinks.k1.sink.pathManager.prefix = p$i-"
    kill -HUP "$agent"
    sleep 0.3
done
wait "$sender"
unset "children[$sender]"
[[ $(sort "$work/answers" | uniq -c | xargs) == "20000 OK" ]] || fail "a reload refused events"
assert_numbers_once 24000
stop_agent TERM

echo "== delivered before a kill is not delivered again"
start_agent
sleep 1
stop_agent KILL
start_agent
sleep 0.5
assert_numbers_once 24000
stop_agent TERM

echo "== too little room: refused, and named"
configuration "a1.channels.c1.minimumRequiredSpace = 4611686018427387904"
start_agent
await "/readyz names the file system" \
    bash -c "curl -s http://127.0.0.1:$metrics_port/readyz | grep -q 'channel c1: .*minimumRequiredSpace'"
send_numbers 24001 24001 | grep -q "is full\|FAILED" || fail "the client is not refused"
stop_agent TERM

echo "== a directory of Flume's file channel is left alone"
mkdir "$work/flume"
: >"$work/flume/log-1"
: >"$work/flume/log-1.meta"
configuration "a1.channels.c1.dataDirs = $work/flume"
if "$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/flume.out" 2>"$work/flume.err"; then
    fail "the agent starts on Flume's directory"
fi
grep -q "$work/flume has the files of a Flume file channel.*penstock channel import" "$work/flume.err" ||
    fail "the error does not say what to do"
[[ -z $(find "$work/flume" -type f -size +0) ]] || fail "Flume's files were changed"
