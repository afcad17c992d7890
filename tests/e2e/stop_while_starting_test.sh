#!/usr/bin/env bash
# A stop while an agent starts, whose rules take minutes to compile: it does not wait for them, and takes the compiler with it. (Other stops and reloads that
# meet: tests/scenarios/reload_and_stop.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
netcat_flow "a1.channels.c1.type = memory" "a1.sinks.k1.type = null" "a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = rules
a1.sources.r1.interceptors.i1.rules.file = $work/many.rules
a1.sources.r1.interceptors.i1.rules.cache = none" >"$work/agent.properties"
for ((i = 0; i < 3000; i++)); do echo "rule r$i { when body ~ /a$i.{1,60}[a-f]{3,20}(x|yz)+b$i\\d{2,40}/ drop }"; done >"$work/many.rules"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -i 3600 2>"$work/agent.err" &
agent=$!
children[$agent]=1
compiles() { compiler=$(pgrep -P "$agent" -f 'rules compile'); }
await "the rules are compiled" compiles
kill -HUP "$agent" # is too early, and does no harm
stop_agent TERM 0
grep -qF "asked to stop: the agent has not started" "$work/agent.err" || fail "the agent does not say that it was not started"
! grep -qF "stopping:" "$work/agent.err" || fail "the stop has waited for the start"
ended() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$compiler/status" 2>/dev/null; }
await "the compiler has ended" ended
