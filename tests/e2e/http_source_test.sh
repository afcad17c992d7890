#!/usr/bin/env bash
# Source http: events by curl, what is answered, a full channel, TLS, many clients, a stop with a client that waits.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

port=$(free_port)
blob_port=$(free_port) tls_port=$(free_port)
mkdir "$work/out"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null
openssl pkcs12 -export -inkey "$work/key.pem" -in "$work/cert.pem" -out "$work/store.p12" -passout pass:secret
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 blobs secure
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = http
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sources.blobs.type = org.apache.flume.source.http.HTTPSource
a1.sources.blobs.bind = 127.0.0.1
a1.sources.blobs.port = $blob_port
a1.sources.blobs.handler = org.apache.flume.source.http.BLOBHandler
a1.sources.blobs.handler.mandatoryParameters = name
a1.sources.blobs.channels = c1
a1.sources.secure.type = http
a1.sources.secure.bind = 127.0.0.1
a1.sources.secure.port = $tls_port
a1.sources.secure.enableSSL = true
a1.sources.secure.keystore = $work/store.p12
a1.sources.secure.keystorePassword = secret
a1.sources.secure.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/checkpoint
a1.channels.c1.dataDirs = $work/data
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = 1
a1.sinks.k1.sink.serializer = header_and_text
EOF_
start_agent

status() { # ARGUMENT...: of curl; prints the status
    curl -s -o "$work/answer" -w '%{http_code}\n' "$@" "http://127.0.0.1:$port/any/path?query"
}
expect() { # STATUS ARGUMENT...
    local wanted=$1 got
    shift
    got=$(status "$@") || fail "curl $*"
    [[ $got == "$wanted" ]] || fail "$*: $got, not $wanted: $(<"$work/answer")"
}
lines() { cat "$work"/out/* | wc -l; }
has_lines() { (($(lines) >= $1)); }

expect 200 -H 'Content-Type: application/json' -d '[{"headers":{"a":"b"},"body":"one"},{"body":"two"}]'
expect 200 -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' -d '[{"body":"three"}]'
expect 200 -0 -d '[]'
for charset in utf8 UTF8 '"utf-8"' '"UTF8"' ' utf8 ' unicode-1-1-utf-8 "'utf8'" UTF_8; do
    expect 200 -H "Content-Type: application/json; charset=$charset" -d '[]'
done
for charset in utf16 UTF-16 '"Unicode"' utf_16; do
    printf '[]' | iconv -t UTF-16 >"$work/utf16"
    expect 200 -H "Content-Type: application/json; charset=$charset" --data-binary "@$work/utf16"
done
for charset in iso-8859-1 utf-9 '"utf 8"'; do
    expect 500 -H "Content-Type: application/json; charset=$charset" -d '[]'
done
expect 400 -d '[{"body":'
grep -q '^Bad request from client. Request has invalid JSON Syntax' "$work/answer" || fail "the reason: $(<"$work/answer")"
expect 500 -H 'Content-Type: application/json; charset=ISO-8859-1' -d '[{"body":"x"}]'
expect 403 -X OPTIONS
expect 405 -X PUT -d '[]'
await "three events" has_lines 3
[[ $(cat "$work"/out/*) == $'{a=b} one\n{} two\n{} three' ]] || fail "events: $(cat "$work"/out/*)"

# A long request, more events than a batch takes.
for ((i = 0; i < 3000; i++)); do echo "{\"headers\":{\"number\":\"$i\"},\"body\":\"a body of some length, number $i\"}"; done |
    jq -s . >"$work/long.json"
expect 200 --data-binary "@$work/long.json"
await "all events of a long request" has_lines 3003
[[ $(tail -n +4 "$work"/out/* | sed -nE 's/^\{number=([0-9]+)\} .* \1$/\1/p' | sort -n | tail -1) == 2999 ]] || fail "the last event"
[[ $(tail -n +4 "$work"/out/* | sort -u | wc -l) == 3000 ]] || fail "an event is not there, or twice"

# Clients at once, each on a connection that it keeps.
clients=()
for ((i = 0; i < 8; i++)); do
    urls=()
    for ((k = 0; k < 50; k++)); do urls+=("http://127.0.0.1:$port/$k"); done
    curl -s -o /dev/null -w '%{http_code}\n' -d "[{\"body\":\"client $i\"}]" "${urls[@]}" >"$work/client.$i" &
    clients+=($!)
    children[$!]=1
done
for child in "${clients[@]}"; do
    wait "$child" || fail "a client failed"
    unset "children[$child]"
done
[[ $(sort "$work"/client.* | uniq -c | tr -s ' ') == ' 400 200' ]] || fail "answers: $(sort "$work"/client.* | uniq -c)"
await "the events of all clients" has_lines 3403

# Any bytes, and TLS.
[[ $(curl -s -o /dev/null -w '%{http_code}' --data-binary 'raw bytes' "http://127.0.0.1:$blob_port/?name=a+b&x=1") == 200 ]] || fail "a blob"
[[ $(curl -s -o /dev/null -w '%{http_code}' --data-binary 'raw bytes' "http://127.0.0.1:$blob_port/?x=1") == 500 ]] || fail "a blob without its parameter"
[[ $(curl -s -o /dev/null -w '%{http_code}' --cacert "$work/cert.pem" --connect-to "::127.0.0.1:$tls_port" -d '[{"body":"secret"}]' https://localhost/) == 200 ]] ||
    fail "TLS"
await "the blob and the event over TLS" has_lines 3405
tail -n 2 "$work"/out/* | grep -qE '^\{(x=1, name=a b|name=a b, x=1)\} raw bytes$' || fail "the blob: $(tail -n 2 "$work"/out/*)"

stop_agent TERM
grep -q 'accepted 3,405, delivered 3,405' "$work/agent.err" || fail "the account"
echo "http source: as expected"
