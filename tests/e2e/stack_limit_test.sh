#!/usr/bin/env bash
# An agent whose limit of stacks is too small does not start, and says which limit to raise; with the smallest one that is allowed it runs.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 5
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END

status=0
(ulimit -Ss 64 && exec "$PENSTOCK" agent -n a1 -f "$work/agent.properties") 2>"$work/small.err" || status=$?
[[ $status == 1 ]] || fail "exit status $status: $(cat "$work/small.err")"
grep -q "not started: the limit of a thread's stack is 64.* KiB, and at least 1.* MiB is needed: raise it (ulimit -s 8192, LimitSTACK=8M of a service)" \
    "$work/small.err" || fail "$(cat "$work/small.err")"

(ulimit -Ss 1024 && exec "$PENSTOCK" agent -n a1 -f "$work/agent.properties") 2>"$work/agent.err" &
agent=$!
children[$agent]=1
runs() { grep -q 'flow r1 -> c1 -> k1' "$work/agent.err"; }
await "it runs" runs
stop_agent TERM 0
grep -q 'stopped: events accepted' "$work/agent.err" || fail "$(cat "$work/agent.err")"
