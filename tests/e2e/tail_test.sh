#!/usr/bin/env bash
# penstock tail at every place of a flow: what a source makes, what enters and leaves each interceptor, what a channel and a sink pass;
# and how it finds the agent.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = stage
a1.sources.r1.interceptors.i1.value = one
a1.sources.r1.interceptors.i2.type = regex_filter
a1.sources.r1.interceptors.i2.regex = [13579]\$
a1.sources.r1.interceptors.i2.excludeEvents = true
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
"$PENSTOCK" tail c1 -n 1 -w 60 -u "http://127.0.0.1:$port" >"$work/early" 2>&1 & # before the agent: with -w it waits for that, too
early=$!
children[$early]=1
sleep 0.3
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" \
    -Dpenstock.monitoring.host=127.0.0.1 >"$work/agent.out" 2>"$work/agent.err" &
children[$!]=1
is_ready() { curl -sf "http://127.0.0.1:$port/readyz" >/dev/null; }
await 'the agent is not ready' is_ready
wait "$early" || fail "tail -w before the agent: exit $?: $(cat "$work/early")"
unset "children[$early]"
[[ $(wc -l <"$work/early") == 1 ]] || fail "tail -w before the agent shows $(cat "$work/early")"

tail_of() { # COMPONENT CONDITION: twenty events, of which each fulfils a condition of jq
    "$PENSTOCK" tail "$1" -n 20 -w 30 -j -u "$port" >"$work/events" 2>"$work/tail.err" || fail "tail $1: exit $?"
    [[ $(wc -l <"$work/events") == 20 ]] || fail "tail $1 shows not 20 events, but $(wc -l <"$work/events")"
    jq -es "all($2)" "$work/events" >/dev/null || fail "tail $1: not all $2: $(head -n 3 "$work/events")"
}
is_odd() { jq -r .body "$work/events" | grep -q '[13579]$'; }
tail_of r1 '.headers == {}'
is_odd || fail 'no odd number before the filter'
tail_of r1.i1.before '.headers == {}'
tail_of r1.i1 '.headers == {"stage": "one"}'
is_odd || fail 'no odd number behind the first interceptor'
tail_of r1.i2.before '.headers == {"stage": "one"}'
is_odd || fail 'no odd number before the filter'
for behind in r1.i2 c1 k1; do
    tail_of $behind '.headers == {"stage": "one"}'
    ! is_odd || fail "an odd number at $behind"
done
for unknown in r1.i3 r1.i1.after r1. r2 i1; do
    code=0
    "$PENSTOCK" tail $unknown -n 1 -w 1 -u "$port" >"$work/events" 2>"$work/tail.err" || code=$?
    ((code == 2)) || fail "tail $unknown: exit $code"
    grep -qF "no channel, sink, source or interceptor (SOURCE.INTERCEPTOR) $unknown" "$work/tail.err" || fail "tail $unknown: no message"
done

# ---- without -u: the agent that top finds; of several it names all ----
code=0
"$PENSTOCK" tail c1 -n 1 -w 30 >"$work/events" 2>"$work/tail.err" || code=$?
if ((code == 0)); then
    [[ $(wc -l <"$work/events") == 1 ]] || fail "not one event"
else
    grep -qE "agents run on this machine: .*a1 at http://127.0.0.1:$port " "$work/tail.err" || fail "it does not find the agent"
fi
