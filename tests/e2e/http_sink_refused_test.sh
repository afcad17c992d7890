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

# ---- without rules for statuses 4XX and without a limit of attempts: what the server refuses for its content does not stop the sink ----
sed -i '/rollback.4/d; /retry.max/d; s/defaultBackoff/backoff.2XX/' "$work/near.properties"
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
{
    printf '%s\n' '{ not 01' '{ not 02'
    cat "$work/lines"
} | nc -N 127.0.0.1 "$in" >"$work/said"
await "the good events" has_arrived 21
await "the letters" has_letters 13
letters | jq -e -s 'all(.reason == "request-refused") and (map(select(.text | contains("HTTP 413"))) | length == 1)' >"$work/jq" || fail "letters: $(letters)"
stop "$near_agent"
stop "$far_agent"
arrived | cmp - <(sed -nE 's/^\[\{"body":"(event [0-9]+)"\}\]$/\1/p' "$work/lines") || fail "arrived: $(arrived | head -40)"

# ---- a rule of the configuration, or a status that judges the server, is no event's matter ----
answer() { # STATUS: a server that answers every request with it
    perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 5, ReuseAddr => 1) or die "$!";
        while (my $c = $s->accept) { my $n = 0; while (<$c>) { $n = $1 if /^Content-Length: (\d+)/i; last if /^\r$/ } read $c, $_, $n;
            print $c "HTTP/1.1 $ARGV[0] No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; close $c }' "$far" "$1" 2>"$work/server.err" &
    server=$!
    children[$server]=1
}
waits() { # STATUS [LINE]: an event that is answered with it waits, named in the log, without a letter
    rm -r "$work/dead"
    mkdir "$work/dead"
    : >"$work/near.err"
    sed -i '/penstock.retry/d; /rollback.4/d' "$work/near.properties"
    printf '%s\n' a1.sinks.k1.penstock.retry.backoff=20 a1.sinks.k1.penstock.retry.backoff.max=20 "${@:2}" >>"$work/near.properties"
    answer "$1"
    agent near
    await "the near agent listens" grep -q "listening on 127.0.0.1:$in" "$work/near.err"
    echo event | nc -N 127.0.0.1 "$in" >"$work/said"
    await "the log does not name $1" grep -q "HTTP $1" "$work/near.err"
    local named=1
    grep -q "HTTP $1; if it means this event, rollback.CODE = false or penstock.retry.max makes it a dead letter" "$work/near.err" || named=0
    [[ $named == "$names_cure" ]] || fail "$1: $(grep "HTTP $1" "$work/near.err")"
    ! has_letters 1 || fail "$1: $(letters)"
    kill "$server"
    wait "$server" || true # by the signal
    unset "children[$server]"
    answer 200
    stop "$started" # a stop delivers what waits
    grep -q 'events accepted 1, delivered 1, .*dead letters 0' "$work/near.err" || fail "$1: $(tail -1 "$work/near.err")"
    kill "$server"
    wait "$server" || true
    unset "children[$server]"
}
# ---- a server that refuses every event's content: some quickly, then with rests ----
rm -r "$work/dead"
mkdir "$work/dead"
: >"$work/near.err"
sed -i '/penstock.retry/d' "$work/near.properties"
answer 400
agent near
await "the near agent listens" grep -q "listening on 127.0.0.1:$in" "$work/near.err"
printf '%s\n' {1..12} | nc -N 127.0.0.1 "$in" >"$work/said"
await "the letters" has_letters 10
await "the log does not name it" grep -q 'WARN sink k1: .* has refused 10 events in a row' "$work/near.err"
kill -9 "$started"
kill "$server"
wait "$started" "$server" 2>"$work/jq" || true # by signals
unset "children[$started]" "children[$server]"

names_cure=1
for status in 401 404 406 409; do waits $status; done
names_cure=0
for status in 408 429 503; do waits $status; done
waits 400 a1.sinks.k1.rollback.400=true
waits 422 a1.sinks.k1.rollback.4XX=true
echo "refused: as expected"
