#!/usr/bin/env bash
# One side speaks TLS and the other does not, or they have no version in common: each side says so, in the same words, and nothing is
# read as an event.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v openssl >/dev/null || { echo "SKIP: no openssl"; exit 77; }
plain=$(free_port)
tls=$(free_port)
lines=$(free_port)

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key" -out "$work/cert" -days 2 -subj /CN=localhost 2>/dev/null
openssl pkcs12 -export -inkey "$work/key" -in "$work/cert" -out "$work/store.p12" -passout pass:changeit
cat >"$work/agent.properties" <<END
a1.sources = plain tls lines
a1.channels = c1 toplain
a1.sinks = k1 toplain
a1.sources.plain.type = avro
a1.sources.plain.port = $plain
a1.sources.tls.type = avro
a1.sources.tls.port = $tls
a1.sources.tls.ssl = true
a1.sources.tls.keystore = $work/store.p12
a1.sources.tls.keystore-password = changeit
a1.sources.tls.keystore-type = PKCS12
a1.sources.lines.type = syslogtcp
a1.sources.lines.port = $lines
a1.sources.lines.host = 127.0.0.1
a1.sources.plain.bind = 127.0.0.1
a1.sources.tls.bind = 127.0.0.1
a1.sources.plain.channels = c1
a1.sources.tls.channels = c1
a1.sources.lines.channels = c1 toplain
a1.channels.c1.type = memory
a1.channels.toplain.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
a1.sinks.toplain.type = avro
a1.sinks.toplain.hostname = 127.0.0.1
a1.sinks.toplain.port = $plain
a1.sinks.toplain.ssl = true
a1.sinks.toplain.trust-all-certs = true
a1.sinks.toplain.channel = toplain
a1.penstock.drain.timeout = 1ms
END
metrics_port=$(free_port)
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1
logged() { grep -qF -- "$1" "$work/agent.err"; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for port in "$plain" "$tls" "$lines"; do await "nothing listens on $port" listens "$port"; done

# ---- servers ----
for port in "$plain" "$lines"; do
    openssl s_client -connect "127.0.0.1:$port" </dev/null >/dev/null 2>&1 || true
done
await 'the source avro says nothing' logged 'source plain: 127.0.0.1: the other side speaks TLS, and this one does not: disconnected'
await 'the source syslogtcp says nothing' logged 'source lines: 127.0.0.1: the other side speaks TLS, and this one does not: disconnected'
(exec 3<>"/dev/tcp/127.0.0.1/$tls" && printf 'GET / HTTP/1.1\r\n\r\n' >&3 && cat <&3 >/dev/null) 2>/dev/null || true
await 'the source with TLS says nothing' logged 'TLS handshake failed: this side speaks TLS, and the other one does not'
counted() { # NAME NUMBER
    http_get "$metrics_port" /metrics/prometheus "$work/metrics.txt" >"$work/status.txt" &&
        grep -qE "^penstock_source_$1_total\{component=\"tls\"\} $2$" "$work/metrics.txt"
}
for name in event_read_failures events_malformed events_discarded; do
    await "bytes without TLS do not count in $name" counted $name 1
done
(exec 3<>"/dev/tcp/127.0.0.1/$tls" && printf 'hi\n' >&3)
for name in event_read_failures events_malformed events_discarded; do
    await "few bytes without TLS do not count in $name" counted $name 2
done
openssl s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0' -connect "127.0.0.1:$tls" </dev/null >"$work/old" 2>&1 || true
if ! grep -q 'no protocols available' "$work/old"; then
    await 'the version is not named' logged 'TLS handshake failed: the two sides have no version of TLS in common'
fi

# ---- the sink with TLS: the other side has closed the connection ----
(exec 3<>"/dev/tcp/127.0.0.1/$lines" && printf '<13>Oct 11 22:14:15 host a line\n' >&3)
sink_says() { grep 'sink toplain' "$work/agent.err" | grep -qF 'the other side closed the connection in the TLS handshake: it may not speak TLS'; }
await 'the sink with TLS says nothing' sink_says
arrived() { grep -q 'Event: {' "$work/agent.err"; }
await 'the line does not arrive' arrived
[[ $(grep -c 'Event: {' "$work/agent.err") == 1 ]] || fail 'a handshake became an event'
kill -TERM "$agent"
wait "$agent" || (($? == 3)) || fail 'the agent did not stop'
unset "children[$agent]"
