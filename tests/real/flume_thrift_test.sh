#!/usr/bin/env bash
# Needs: flume
# Thrift RPC with a real Flume 1.11: its Thrift sinks into our source, and our sinks into its sources, compact and binary, plain and over
# TLS; the clients of both, with the same properties, into Flume's sources. What arrives must be what the sender's own file_roll sink wrote of the same events, headers included.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool, which makes the key store"

base=$(ports_reserve)
ways=(compact binary tls both)
declare -A port options=([compact]="" [binary]="protocol=binary" [tls]="ssl=true" [both]="ssl=true protocol=binary")
for i in "${!ways[@]}"; do port[${ways[i]}]=$((base + i)); done
events=2000

keytool -J-XX:TieredStopAtLevel=1 -genkeypair -keystore "$work/store.p12" -storetype PKCS12 -storepass secret -alias a -keyalg RSA -keysize 2048 \
    -dname CN=penstock.test -ext san=dns:penstock.test,ip:127.0.0.1 -validity 2 >/dev/null 2>&1 || skip "keytool makes no certificate"

keys() { # COMPONENT NAME: the options of this way
    local pair
    for pair in ${options[$2]}; do echo "$1.${pair%%=*} = ${pair#*=}"; done
}

file_sink() { # AGENT NAME: its channel and its file_roll sink, into a directory of that name
    mkdir -p "$work/$1-$2"
    cat <<-EOF_
	$1.channels.$2.type = memory
	$1.channels.$2.capacity = 100000
	$1.channels.$2.transactionCapacity = 1000
	$1.sinks.$2.type = file_roll
	$1.sinks.$2.channel = $2
	$1.sinks.$2.sink.directory = $work/$1-$2
	$1.sinks.$2.sink.rollInterval = 0
	$1.sinks.$2.sink.serializer = org.apache.flume.serialization.HeaderAndBodyTextEventSerializer\$Builder
	EOF_
}

source_file() { # AGENT: thrift sources, a file for each way
    local name
    echo "$1.sources = ${ways[*]}"
    echo "$1.channels = ${ways[*]}"
    echo "$1.sinks = ${ways[*]}"
    for name in "${ways[@]}"; do
        cat <<-EOF_
	$1.sources.$name.type = thrift
	$1.sources.$name.bind = 127.0.0.1
	$1.sources.$name.port = ${port[$name]}
	$1.sources.$name.channels = $name
	EOF_
        keys "$1.sources.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	$1.sources.$name.keystore = $work/store.p12
	$1.sources.$name.keystore-password = secret
	$1.sources.$name.keystore-type = PKCS12
	EOF_
        file_sink "$1" "$name"
    done
}

sink_file() { # AGENT: numbered events with headers, copied to a sink for each way and to a file
    local name
    cat <<-EOF_
	$1.sources = seq
	$1.channels = ${ways[*]} reference
	$1.sinks = ${ways[*]} reference
	$1.sources.seq.type = seq
	$1.sources.seq.totalEvents = $events
	$1.sources.seq.batchSize = 50
	$1.sources.seq.channels = ${ways[*]} reference
	$1.sources.seq.interceptors = i1 i2
	$1.sources.seq.interceptors.i1.type = static
	$1.sources.seq.interceptors.i1.key = host name
	$1.sources.seq.interceptors.i1.value = wert mit Umlaut: äöü €
	$1.sources.seq.interceptors.i2.type = timestamp
	EOF_
    for name in "${ways[@]}"; do
        cat <<-EOF_
	$1.channels.$name.type = memory
	$1.channels.$name.capacity = 100000
	$1.channels.$name.transactionCapacity = 1000
	$1.sinks.$name.type = thrift
	$1.sinks.$name.channel = $name
	$1.sinks.$name.hostname = 127.0.0.1
	$1.sinks.$name.port = ${port[$name]}
	$1.sinks.$name.batch-size = 70
	EOF_
        keys "$1.sinks.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	$1.sinks.$name.truststore = $work/store.p12
	$1.sinks.$name.truststore-password = secret
	$1.sinks.$name.truststore-type = PKCS12
	EOF_
    done
    file_sink "$1" reference
}

lines() { # DIR
    cat "$work/$1"/* 2>/dev/null | wc -l
}

await_lines() { # DIR COUNT
    local i
    for ((i = 0; i < 900; i++)); do
        (($(lines "$1") >= $2)) && return
        patient_tenth
    done
    fail "$1: $(lines "$1") lines, not $2"
}

# ---- Flume's sinks into our sources ----

source_file p >"$work/p.properties"
sink_file f >"$work/f.properties"
"$PENSTOCK" agent -n p -f "$work/p.properties" >"$work/p.log" 2>&1 </dev/null &
ours=$!
trap 'code=$?; kill -KILL $ours 2>/dev/null || true; finish $code' EXIT
for ((i = 0; i < 600; i++)); do
    (($(grep -c "listening on" "$work/p.log") == ${#ways[@]})) && break
    patient_tenth
done
((i < 600)) || fail "our sources do not listen"

"$here/flume" agent -n f -f "$work/f.properties" >"$work/f.log" 2>&1 </dev/null &
agent=$!
await_lines f-reference $events
sort "$work"/f-reference/* >"$work/reference"
for name in "${ways[@]}"; do
    await_lines "p-$name" $events
    sort "$work/p-$name"/* >"$work/arrived"
    same "Flume's sink ($name) into our source" "$work/reference" "$work/arrived"
done
kill -TERM $agent
wait $agent || true
agent=''
kill -TERM $ours
wait $ours || fail "our agent ends with $?"
grep -qE "accepted $(sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<$((4 * events)))" "$work/p.log" || fail "the account: $(tail -n 1 "$work/p.log")"

# ---- our sinks into Flume's sources ----

base=$((base + 10)) # Flume's sources have other ports, on which nothing listened before
for i in "${!ways[@]}"; do port[${ways[i]}]=$((base + i)); done
source_file f >"$work/back.properties"
sink_file p >"$work/forth.properties"
"$here/flume" agent -n f -f "$work/back.properties" >"$work/back.log" 2>&1 </dev/null &
agent=$!
for ((i = 0; i < 900; i++)); do
    (($(grep -sc "Started Thrift source" "$work/back.log") + 0 == ${#ways[@]})) && break # the file may not be there yet
    kill -0 "$agent" 2>/dev/null || fail "Flume ended"
    patient_tenth
done
((i < 900)) || fail "Flume's sources do not start"
"$PENSTOCK" agent -n p -f "$work/forth.properties" >"$work/forth.log" 2>&1 </dev/null &
ours=$!
await_lines p-reference $events
sort "$work"/p-reference/* >"$work/reference"
for name in "${ways[@]}"; do
    await_lines "f-$name" $events
    # Thrift makes its maps of another size than Flume does, and Java's order of a map's entries depends on it.
    sed -E 's/^\{(timestamp=[0-9]+), (host name=.*)\} /{\2, \1} /' "$work/f-$name"/* | sort >"$work/arrived"
    same "our sink ($name) into Flume's source" "$work/reference" "$work/arrived"
    sed 's/.*} //' "$work/f-$name"/* | sort -n -c || fail "$name: another order"
done
kill -TERM $ours
wait $ours || fail "our agent ends with $?"

# ---- Flume's RPC client and ours, with the same properties, into Flume's sources ----

seq -f 'line %.0f' 1 203 >"$work/lines"
printf 'one=1\ntwo = zwei\n' >"$work/headers"
for name in "${ways[@]}"; do
    {
        printf 'client.type = thrift\nhosts = h1\nhosts.h1 = 127.0.0.1:%s\nbatch-size = 20\n' "${port[$name]}"
        tr ' ' '\n' <<<"${options[$name]}"
        [[ ${options[$name]} != *ssl* ]] || printf 'truststore = %s\ntruststore-password = secret\ntruststore-type = PKCS12\n' "$work/store.p12"
    } >"$work/rpc.properties"
    sent=$events
    for client in "$PENSTOCK" "$here/flume"; do
        [[ $client == "$PENSTOCK" || $name == compact ]] || continue # once is enough for a JVM
        "$client" avro-client -P "$work/rpc.properties" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
            fail "${client##*/} avro-client ($name) ends with $?"
        sent=$((sent + 203))
        await_lines "f-$name" $sent
        cat "$work/f-$name"/* | tail -n 203 >"$work/arrived"
        sed 's/.*} //' "$work/arrived" | diff - "$work/lines" >/dev/null || fail "${client##*/} avro-client ($name): other bodies"
        (($(grep -cE '^\{(one=1, two=zwei|two=zwei, one=1)\} ' "$work/arrived") == 203)) || fail "${client##*/} avro-client ($name): other headers"
        echo "same: ${client##*/} avro-client ($name) into Flume's source"
    done
done
echo "ok"
