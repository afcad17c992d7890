#!/usr/bin/env bash
# Needs: flume
# `penstock load` into the sources of a real Flume 1.11: avro (plain, windows of calls, compressed, over TLS, a full
# channel, an agent that is killed and restarted), HTTP and netcat. penstock verify reads the files of its file_roll
# sinks.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool, which makes the key store of a real Flume"

loader='' # the load that runs
trap 'code=$?; [[ ! $loader ]] || kill -KILL "$loader" 2>/dev/null || true; finish $code' EXIT
fail() { # WHAT: prints it and the ends of logs and of the JSON output of load and verify
    echo "FAILED: $*" >&2
    tail -n 3 "$work"/*.log "$work"/*.json | cut -c 1-500 >&2
    exit 1
}

# ---- the agent: for each source a channel and a directory ----

base=$(ports_reserve)
names=(plain window zlib tls full http netcat)
declare -A port
for i in "${!names[@]}"; do port[${names[i]}]=$((base + i)); done

keytool -J-XX:TieredStopAtLevel=1 -genkeypair -keystore "$work/store.p12" -storetype PKCS12 -storepass secret -alias a -keyalg RSA -keysize 2048 \
    -dname CN=penstock.test -ext san=dns:penstock.test -validity 2 >/dev/null 2>&1 || skip "keytool makes no certificate"
keytool -J-XX:TieredStopAtLevel=1 -exportcert -keystore "$work/store.p12" -storepass secret -alias a -rfc >"$work/ca.pem" 2>/dev/null

{
    echo "a1.sources = ${names[*]}"
    echo "a1.channels = ${names[*]}"
    echo "a1.sinks = ${names[*]}"
    for name in "${names[@]}"; do
        [[ $name == full ]] || mkdir "$work/$name"
        type=avro
        case $name in http | netcat) type=$name ;; esac
        cat <<-EOF_
	a1.sources.$name.type = $type
	a1.sources.$name.bind = 127.0.0.1
	a1.sources.$name.port = ${port[$name]}
	a1.sources.$name.channels = $name
	a1.channels.$name.type = memory
	a1.channels.$name.capacity = 100000
	a1.channels.$name.transactionCapacity = 1000
	a1.sinks.$name.type = file_roll
	a1.sinks.$name.channel = $name
	a1.sinks.$name.sink.directory = $work/$name
	a1.sinks.$name.sink.rollInterval = 0
	a1.sinks.$name.sink.batchSize = 1000
	EOF_
    done
    cat <<-EOF_
	a1.sources.zlib.compression-type = deflate
	a1.sources.tls.ssl = true
	a1.sources.tls.keystore = $work/store.p12
	a1.sources.tls.keystore-password = secret
	a1.sources.tls.keystore-type = PKCS12
	a1.channels.full.capacity = 200
	a1.channels.full.transactionCapacity = 100
	a1.channels.full.keep-alive = 0
	a1.sinks.full.sink.batchSize = 10
	EOF_
} >"$work/agent.properties"

listens() { # PORT
    local hex
    printf -v hex ':%04X ' "$1"
    grep -qs "^ *[0-9]*: [0-9A-F]*${hex}[0-9A-F:]* 0A " /proc/net/tcp /proc/net/tcp6
}

start() {
    "$here/flume" agent -n a1 -f "$work/agent.properties" >>"$work/agent.log" 2>&1 </dev/null &
    agent=$!
    local name
    for name in "${names[@]}"; do
        await 60 listens "${port[$name]}" || fail "Flume's source $name does not listen"
    done
}

# ---- loads ----

load_begin() { # NAME URL [OPTION]...: sets loader
    local name=$1 url=$2
    shift 2
    # --wait: a busy JVM takes longer than 10 s for its first TLS handshake.
    "$PENSTOCK" load --wait --target "$url" --manifest "$work/$name.manifest" --format rfc3164 --json --settle 600s --tolerance 1 "$@" \
        >"$work/$name.json" 2>>"$work/load.log" &
    loader=$!
}
load_end() { # NAME
    wait "$loader" || fail "load into $1: exit $?"
    loader=''
}
load() { # NAME URL [OPTION]...
    load_begin "$@"
    load_end "$1"
}

verify() { # NAME [SAYS]: verifies the files; SAYS: a text that the summary must contain
    "$PENSTOCK" verify --from "file://$work/$1?follow=true" --manifest "$work/$1.manifest" --idle 20s --json \
        >"$work/$1.verified.json" 2>>"$work/load.log" || [[ ${2:-} ]] || fail "verify of $1: exit $?"
    local summary
    summary=$(tail -n 1 "$work/$1.verified.json")
    [[ $summary == *'"lost":0'* && $summary == *'"corrupted":0'* ]] || fail "$1: something was lost: $summary"
    [[ $summary == *"${2:-\"duplicated\":0}"* ]] || fail "$1: not ${2:-\"duplicated\":0}: $summary"
    echo "ok: $1: $(sed -nE 's/.*"achieved_rate":([0-9]+).*/\1/p' "$work/$1.json" | tail -n 1) events/s"
}

ordered='"reordered":0'
start
load plain "avro://127.0.0.1:${port[plain]}" --rate 20k --events 40k --connections 2
verify plain
[[ $(tail -n 1 "$work/plain.verified.json") == *"$ordered"* ]] || fail "plain: reordered"

# Flume handles the calls of one connection on several threads, so it may reorder them.
load window "avro://127.0.0.1:${port[window]}?batch=1000&window=8" --rate 50k --events 100k
verify window '"duplicated":0'

load zlib "avro://127.0.0.1:${port[zlib]}?compression=zlib" --rate 10k --events 20k
verify zlib
load tls "avro://127.0.0.1:${port[tls]}?tls=true&ca=$work/ca.pem&server-name=penstock.test" --rate 10k --events 20k
verify tls

# More than the sink takes, whose directory is missing until the channel is full: the source answers FAILED, and load repeats the call, in order.
load_begin full "avro://127.0.0.1:${port[full]}?batch=100" --rate 100k --events 2k
await 60 grep -q "Channel.*Exception" "$work/agent.log" || fail "full: the channel was never full"
mkdir "$work/full"
load_end full
verify full
[[ $(tail -n 1 "$work/full.verified.json") == *"$ordered"* ]] || fail "full: reordered"

load http "http://127.0.0.1:${port[http]}?batch=500" --rate 20k --events 40k
verify http
load netcat "netcat://127.0.0.1:${port[netcat]}" --rate 20k --events 40k
verify netcat

# Flume is killed and restarted: load reports an outage, and everything is acknowledged in the end. The events in the
# memory channel are lost, as Flume documents; load is not responsible for them.
load_begin killed "avro://127.0.0.1:${port[plain]}" --rate 3k
await 60 has_arrived "$work/plain" 43000 || fail "the load into an agent that is to be killed does not begin"
kill -KILL "$agent"
wait "$agent" 2>/dev/null || true
before=$(arrived "$work/plain")
start
await 60 has_arrived "$work/plain" $((before + 6000)) || fail "the load does not go on after the restart"
kill -TERM "$loader"
load_end killed
summary=$(tail -n 1 "$work/killed.json")
sent=$(sed -nE 's/.*"sent":([0-9]+).*/\1/p' <<<"$summary")
[[ $sent && $summary == *"\"completed\":$sent,"* && $summary == *'"failed":0'* ]] || fail "killed: $summary"
[[ $summary == *'"outages":[{'* ]] || fail "killed: no outage is reported: $summary"
echo "ok: killed and restarted"
