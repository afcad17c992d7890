#!/usr/bin/env bash
# Sink http: events over TLS to the source http of another agent, which is not there at first, and goes away in between.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

in=$(free_port) far=$(free_port)
mkdir "$work/out"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
openssl pkcs12 -export -inkey "$work/key.pem" -in "$work/cert.pem" -out "$work/store.p12" -passout pass:secret
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
a1.sinks.k1.endpoint = https://user:password@localhost:$far/events?kind=test
a1.sinks.k1.penstock.ssl.ca = $work/cert.pem
a1.sinks.k1.penstock.retry.backoff = 50
a1.sinks.k1.penstock.retry.backoff.max = 200
a1.sinks.k1.rollback.200 = false
a1.sinks.k1.backoff.200 = false
EOF_
cat >"$work/far.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = http
a1.sources.r1.port = $far
a1.sources.r1.handler = org.apache.flume.source.http.BLOBHandler
a1.sources.r1.ssl = true
a1.sources.r1.keystore = $work/store.p12
a1.sources.r1.keystore-password = secret
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = 1
a1.sinks.k1.sink.serializer = header_and_text
EOF_
agent() { # NAME: starts it; sets $started
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" >"$work/$1.out" 2>>"$work/$1.err" &
    started=$!
    children[$started]=1
}
stop() { # PROCESS
    kill -TERM "$1"
    wait "$1" || true
    unset "children[$1]"
}
say() { # FIRST LAST
    seq -f 'event %g' "$1" "$2" | nc -N 127.0.0.1 "$in" >"$work/said"
    [[ $(grep -c OK "$work/said") == $(($2 - $1 + 1)) ]] || fail "netcat: $(<"$work/said")"
}
lines() { cat "$work"/out/* 2>/dev/null | sort -u | wc -l; } # an event may come twice
has_lines() { (($(lines) >= $1)); }

agent near
near=$started
await "the near agent listens" grep -q "listening on 127.0.0.1:$in" "$work/near.err"
say 1 50
await "the sink tells that nobody is there" grep -q 'tries again in' "$work/near.err"
agent far
await "the first events" has_lines 50
stop "$started"
say 51 100
agent far
await "all events" has_lines 100
sed 's/^{kind=test} //' "$work"/out/* | sort -u -k 2n | cmp - <(seq -f 'event %g' 1 100) || fail "events: $(sort "$work"/out/* | uniq -c | head)"
stop "$near"
stop "$started"
grep -q 'delivered 100,' "$work/near.err" || fail "the account"
! grep -q password "$work/near.err" || fail "the password is in the log"
echo "http sink: as expected"
