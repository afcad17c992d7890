#!/usr/bin/env bash
# A durable channel that cannot open: a client that waits for its answer is told why, not that the channel is full; so does the
# log at DEBUG say what the source waits for.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
touch "$work/plain"
netcat_flow "a1.channels.c1.type = file" "a1.channels.c1.keep-alive = 1" "a1.channels.c1.checkpointDir = $work/plain/checkpoint" \
    "a1.channels.c1.dataDirs = $work/plain/data" "a1.sinks.k1.type = null" >"$work/agent.properties"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.root.logger=DEBUG,console >"$work/agent.out" 2>"$work/agent.err" &
children[$!]=1
await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
# Until the channel has tried its directories it is one that is being opened, and an event that waits for it for longer than keep-alive is told that.
await "the channel says why it cannot open" grep -q "channel c1: .*$work/plain/checkpoint cannot be made" "$work/agent.err"
exec 3<>"/dev/tcp/127.0.0.1/$port"
echo hello >&3
read -r -t 60 answer <&3 || fail "no answer"
wanted="FAILED: channel c1 takes no events: $work/plain/checkpoint cannot be made: Not a directory"
[[ $answer == "$wanted"* ]] || fail "the answer is '$answer'"
grep -q "source r1: waits: ${wanted#FAILED: }" "$work/agent.err" "$work/agent.out" || fail "the log does not say why it waits"
echo "the answer and the log say why"
