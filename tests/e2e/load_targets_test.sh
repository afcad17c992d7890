#!/usr/bin/env bash
# penstock load to every target, from the command line, with penstock verify on the other side: to verify's own
# listeners, to rotated files, to the mock broker, to an agent's sources that answer or use TLS; an agent that starts
# after the load, and a certificate that is not trusted.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v openssl >/dev/null || { echo "SKIP: no openssl, which makes a certificate"; exit 77; }

load() { # NAME URL [OPTION]...
    local name=$1 url=$2
    shift 2
    # No time is asserted: the test does not depend on whether a busy machine holds the rate.
    "$PENSTOCK" load --wait --target "$url" --format rfc3164 --json --tolerance 1 --settle 60s --manifest "$work/$name.manifest" "$@" \
        >"$work/$name.load.json" 2>"$work/$name.load.err" || fail "load $name: exit $?"
}

# Expects that the summary of a load or a verify contains every PART.
says() { # FILE PART...
    local file=$1 part summary
    shift
    summary=$(tail -n 1 "$work/$file")
    for part in "$@"; do
        [[ $summary == *"$part"* ]] || fail "$file does not contain $part: ${summary:0:600}"
    done
}

clean='"lost":0' # exit code 0 also means: no event duplicated, reordered or corrupted

verify() { # NAME URL...: reads until all events of the manifest are there
    local name=$1 url from=()
    shift
    for url in "$@"; do from+=(--from "$url"); done
    "$PENSTOCK" verify "${from[@]}" --manifest "$work/$name.manifest" --idle 60s --json \
        >"$work/$name.verify.json" 2>"$work/$name.verify.err" || fail "verify $name: exit $?"
    says "$name.verify.json" "$clean" '"corrupted":0'
    echo "ok: $name"
}

# Starts a verify that listens, in the background; sets address.
listen() { # NAME SCHEME
    "$PENSTOCK" verify --from "$2://127.0.0.1:0" --manifest "$work/$1.manifest" --idle 60s --json \
        >"$work/$1.verify.json" 2>"$work/$1.verify.err" &
    listener=$!
    children[$listener]=1
    await "verify $1 is not ready" grep -qs '"type":"ready"' "$work/$1.verify.json"
    address=$(sed -nE 's/.*"address":"([^"]+)".*/\1/p' "$work/$1.verify.json" | head -n 1)
    [[ $address ]] || fail "verify $1 names no address"
}

heard() { # NAME: waits for the listener's end and checks its summary
    wait "$listener" || fail "verify $1: exit $?"
    unset "children[$listener]"
    says "$1.verify.json" "$clean"
    echo "ok: $1"
}

# ---- to verify's own listeners ----

listen tcp tcp
load tcp "tcp://$address" --rate 20k --events 20k --connections 3
heard tcp
listen octets tcp
load octets "tcp://$address?framing=octet-counted" --rate 20k --events 10k
heard octets
listen udp udp
load udp "udp://$address" --rate 5k --events 5k
heard udp
listen sizes udp
load sizes "udp://$address?segment=false" --rate 5k --events 5k --size 300
heard sizes
listen http http
load http "http://$address/in" --rate 20k --events 20k --connections 2
heard http
listen lines http
load lines "http://$address/in?body=lines&batch=1000" --rate 20k --events 20k
heard lines
listen plain http
load plain "http://$address/in?body=plain" --rate 1k --events 1k
heard plain

# ---- files ----

load file "file://$work/log" --rate 50k --events 20k
verify file "file://$work/log"
load renamed "file://$work/renamed?rotate=rename&size=200KiB&keep=50" --rate 50k --events 20k
[[ -e $work/renamed.10 ]] || fail "renamed: no tenth file"
verify renamed "file://$work/renamed*?order=time"
load copied "file://$work/copied?rotate=copytruncate&size=200KiB&keep=50" --rate 50k --events 20k
[[ -e $work/copied.10 ]] || fail "copied: no tenth file"

# ---- Kafka ----

"$PENSTOCK" mock-broker --topic t:4 --topic keyed:4 --topic fixed:4 >"$work/brokers" 2>"$work/brokers.err" &
children[$!]=1
await "no mock broker" test -s "$work/brokers"
brokers=$(cat "$work/brokers")
load kafka "kafka://$brokers/t" --rate 20k --events 40k --connections 2
"$PENSTOCK" verify --from "kafka://$brokers/t" --manifest "$work/kafka.manifest" --idle 60s --json >"$work/kafka.verify.json" \
    2>"$work/kafka.verify.err" || fail "verify kafka: exit $?"
says kafka.verify.json "$clean" '"duplicated":0' '"corrupted":0'
load keyed "kafka://$brokers/keyed?key=source&kafka.acks=1&kafka.linger.ms=1" --rate 20k --events 20k --connections 2
verify keyed "kafka://$brokers/keyed"
load fixed "kafka://$brokers/fixed?partition=source" --rate 20k --events 20k --connections 2
verify fixed "kafka://$brokers/fixed"

# ---- an agent's sources ----

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/ca.pem" -days 2 -subj /CN=penstock.test \
    -addext subjectAltName=DNS:penstock.test,IP:127.0.0.1 2>/dev/null || fail "openssl makes no certificate"
cat "$work/key.pem" "$work/ca.pem" >"$work/store.pem"

declare -A ports=()
for name in netcat tls; do
    ports[$name]=$(free_port)
    mkdir "$work/$name"
done
cat >"$work/agent.properties" <<EOF_
a1.sources = netcat tls
a1.channels = netcat tls
a1.sinks = netcat tls
a1.sources.netcat.type = netcat
a1.sources.tls.type = syslogtcp
a1.sources.tls.host = 127.0.0.1
a1.sources.tls.keepFields = all
a1.sources.tls.ssl = true
a1.sources.tls.keystore = $work/store.pem
a1.sources.tls.keystore-type = PEM
a1.sources.tls.keystore-password = none
EOF_
for name in netcat tls; do
    cat >>"$work/agent.properties" <<EOF_
a1.sources.$name.bind = 127.0.0.1
a1.sources.$name.port = ${ports[$name]}
a1.sources.$name.channels = $name
a1.channels.$name.type = memory
a1.channels.$name.capacity = 10000
a1.sinks.$name.type = file_roll
a1.sinks.$name.channel = $name
a1.sinks.$name.sink.directory = $work/$name
a1.sinks.$name.sink.rollInterval = 0
EOF_
done

# The load begins before the agent runs: no event is lost.
"$PENSTOCK" load --wait --target "netcat://127.0.0.1:${ports[netcat]}" --format rfc3164 --rate 5k --events 10k --json --tolerance 1 \
    --settle 60s --manifest "$work/netcat.manifest" >"$work/netcat.load.json" 2>"$work/netcat.load.err" &
loader=$!
children[$loader]=1
sleep 1
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
wait $loader || fail "load netcat: exit $?"
unset "children[$loader]"
says netcat.load.json '"completed":10000' '"failed":0' '"completion":"acknowledged"'
verify netcat "file://$work/netcat?follow=true"

load tls "tls://127.0.0.1:${ports[tls]}?ca=$work/ca.pem" --rate 10k --events 20k --connections 2
verify tls "file://$work/tls?follow=true"

# An untrusted certificate: an error message and an exit code.
untrusted() { # a load may end before a slow agent has shown its certificate
    local code=0
    "$PENSTOCK" load --target "tls://127.0.0.1:${ports[tls]}" --rate 100 --duration 1s --settle 1s --json >"$work/untrusted.load.json" \
        2>"$work/untrusted.load.err" || code=$?
    ((code != 0)) || fail "an untrusted certificate was accepted"
    grep -q "give ca=FILE" "$work"/untrusted.load.*
}
await "untrusted: the reason is missing" untrusted
echo "ok: untrusted"

kill -TERM $agent
wait $agent || fail "the agent ended with $?"
unset "children[$agent]"
