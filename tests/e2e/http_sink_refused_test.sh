#!/usr/bin/env bash
# Sink http with dead letters, in a whole agent: what the source http of another agent refuses (400) becomes a dead letter, the others
# arrive in order; one that is always rolled back (413) is given up after its attempts.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

in=$(free_port) far=$(free_port)
mkdir "$work/out" "$work/dead"
cat >"$work/near.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $in
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = http
a1.sinks.k1.channel = c1
a1.sinks.k1.endpoint = http://127.0.0.1:$far/
a1.sinks.k1.rollback.2XX = false
a1.sinks.k1.rollback.4XX = false
a1.sinks.k1.rollback.413 = true
a1.sinks.k1.defaultBackoff = false
a1.sinks.k1.connectTimeout = 120000
a1.sinks.k1.requestTimeout = 120000
a1.sinks.k1.penstock.deadletter = $work/dead
a1.sinks.k1.penstock.retry.max = 3
EOF_
cat >"$work/far.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = http
a1.sources.r1.port = $far
a1.sources.r1.penstock.body.max = 200
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = 1
EOF_
agent() { # NAME: starts it; sets $started
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" >"$work/$1.out" 2>>"$work/$1.err" &
    started=$!
    children[$started]=1
}
stop() { # PROCESS
    kill -TERM "$1"
    wait "$1" || fail "an agent exits with $?"
    unset "children[$1]"
}
letters() { cat "$work"/dead/*.jsonl 2>/dev/null; }
has_letters() { (($(letters | wc -l) >= $1)); }
arrived() { cat "$work"/out/* 2>/dev/null; }
has_arrived() { (($(arrived | wc -l) >= $1)); }

agent far
far_agent=$started
await "the far agent listens" grep -q 'listening on' "$work/far.err"
agent near
near_agent=$started
await "the near agent listens" grep -q "listening on 127.0.0.1:$in" "$work/near.err"

# Every third line is no JSON; one is too long, which is answered 413.
for i in $(seq 1 30); do
    if ((i % 3 == 0)); then echo "{ not $i"; else echo "[{\"body\":\"event $i\"}]"; fi
done >"$work/lines"
echo "[$(printf '{},%.0s' {1..99}){}]" >>"$work/lines"
echo '[{"body":"event 32"}]' >>"$work/lines"
nc -N 127.0.0.1 "$in" <"$work/lines" >"$work/said"
await "the good events" has_arrived 21
await "the letters" has_letters 11
stop "$near_agent"
stop "$far_agent"

arrived | cmp - <(sed -nE 's/^\[\{"body":"(event [0-9]+)"\}\]$/\1/p' "$work/lines") || fail "arrived: $(arrived | head -40)"
letters | jq -r 'select(.reason == "request-refused") | .body' | cmp - <(grep not "$work/lines") || fail "letters: $(letters)"
letters | jq -e -s 'map(select(.reason == "attempts-exhausted")) | length == 1 and .[0].attempts == 3 and (.[0].text | contains("HTTP 413"))' >"$work/jq" ||
    fail "letters: $(letters | tail -1)"
letters | jq -e -s 'all(.component == "sink k1")' >"$work/jq" || fail "letters: $(letters)"
grep -q 'events accepted 32, delivered 21, .*not delivered 0, .*dead letters 11' "$work/near.err" || fail "account: $(tail -1 "$work/near.err")"

# ---- without rules for 413 and without a limit of attempts: what is too large for the server does not stop the sink ----
sed -i '/rollback.4/d; /retry.max/d' "$work/near.properties"
rm -r "$work"/out/* "$work/dead"
mkdir "$work/dead"
: >"$work/far.err"
: >"$work/near.err"
agent far
far_agent=$started
await "the far agent listens again" grep -q 'listening on' "$work/far.err"
agent near
near_agent=$started
await "the near agent listens again" grep -q "listening on 127.0.0.1:$in" "$work/near.err"
tail -n 2 "$work/lines" | nc -N 127.0.0.1 "$in" >"$work/said"
await "the event behind it" has_arrived 1
await "the letter" has_letters 1
letters | jq -e '.reason == "request-refused" and (.text | contains("HTTP 413"))' >"$work/jq" || fail "letters: $(letters)"
stop "$near_agent"
stop "$far_agent"
echo "refused: as expected"
