#!/usr/bin/env bash
# penstock check --probe of the sinks avro and http: far ends that answer, that are not there, that speak something else.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
avro=$(free_port) http=$(free_port) gone=$(free_port)

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
openssl pkcs12 -export -inkey "$work/key.pem" -in "$work/cert.pem" -out "$work/store.p12" -passout pass:secret
cat >"$work/far.properties" <<EOF_
a1.sources = r1 r2
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $avro
a1.sources.r1.channels = c1
a1.sources.r2.type = http
a1.sources.r2.port = $http
a1.sources.r2.ssl = true
a1.sources.r2.keystore = $work/store.p12
a1.sources.r2.keystore-password = secret
a1.sources.r2.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
"$PENSTOCK" agent -n a1 -f "$work/far.properties" 2>"$work/far.err" &
far=$!
children[$far]=1
listens() { [[ $(grep -c 'listening on' "$work/far.err") -ge 2 ]]; }
await "the far agent listens" listens

near() { # KEY=VALUE...: of the sinks
    cat <<EOF_
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = seq
a1.sources.r1.channels = c1 c2
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = avro
a1.sinks.k1.channel = c1
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k2.type = http
a1.sinks.k2.channel = c2
a1.sinks.k2.rollback.2XX = false
EOF_
    printf 'a1.sinks.%s\n' "$@"
}
probe() { probe_agent "$work/near.properties" "$@"; } # CODE -- PATTERN...

near "k1.port=$avro" "k2.endpoint=https://user:swordfish@localhost:$http/events" "k2.penstock.ssl.ca=$work/cert.pem" >"$work/near.properties"
probe 0 -- "^  ok +sink k1: avro source at 127.0.0.1:$avro: answers, a penstock\$" \
    "^  ok +sink k2: server of https://localhost:$http/events: accepts connections\$"
! grep -q swordfish "$work/out" || fail "the password is shown"

# Nobody is there; a name that is none.
near "k1.port=$gone" "k2.endpoint=http://127.0.0.1:$gone/" >"$work/near.properties"
probe 3 -- "^  FAILED +sink k1: avro source at 127.0.0.1:$gone: .*refused.*; check that the source runs" \
    "^  FAILED +sink k2: server of http://127.0.0.1:$gone/: .*; check that the server runs"

# An unknown authority; a source that neither compresses nor has TLS.
near "k1.port=$avro" k1.ssl=true "k2.endpoint=https://localhost:$http/" >"$work/near.properties"
probe 3 -- "^  FAILED +sink k1: avro source at " "^  FAILED +sink k2: server of https://localhost:$http/: .*(certificate|peer).*penstock.ssl.ca"

kill -TERM $far
wait $far || fail "the far agent exits with $?"
unset "children[$far]"
grep -q 'events accepted 0,' "$work/far.err" || fail "a probe has sent an event: $(tail -1 "$work/far.err")"
echo "probes: as expected"
