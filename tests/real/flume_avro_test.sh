#!/usr/bin/env bash
# Needs: flume
# Avro RPC with a real Flume 1.11: its Avro sinks and its avro-client into our source, plain, compressed, over TLS, and both. What
# arrives must be what Flume's own file_roll sink wrote of the same events, headers included.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool, which makes the key store"

base=$(ports_reserve)
names=(plain zlib tls both client)
declare -A port options=([plain]="" [zlib]="compression-type=deflate" [tls]="ssl=true" [both]="ssl=true compression-type=deflate" [client]="")
for i in "${!names[@]}"; do port[${names[i]}]=$((base + i)); done
events=2000

keytool -genkeypair -keystore "$work/store.p12" -storetype PKCS12 -storepass secret -alias a -keyalg RSA -keysize 2048 \
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

penstock_file() { # our sources, a file for each
    echo "p.sources = ${names[*]}"
    echo "p.channels = ${names[*]}"
    echo "p.sinks = ${names[*]}"
    local name
    for name in "${names[@]}"; do
        cat <<-EOF_
	p.sources.$name.type = avro
	p.sources.$name.bind = 127.0.0.1
	p.sources.$name.port = ${port[$name]}
	p.sources.$name.channels = $name
	EOF_
        keys "p.sources.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	p.sources.$name.keystore = $work/store.p12
	p.sources.$name.keystore-password = secret
	p.sources.$name.keystore-type = PKCS12
	EOF_
        file_sink p "$name"
    done
}

flume_file() { # numbered events with headers, copied to a sink for each way and to a file
    local name ways=(plain zlib tls both)
    cat <<-EOF_
	f.sources = seq
	f.channels = ${ways[*]} reference
	f.sinks = ${ways[*]} reference
	f.sources.seq.type = seq
	f.sources.seq.totalEvents = $events
	f.sources.seq.batchSize = 50
	f.sources.seq.channels = ${ways[*]} reference
	f.sources.seq.interceptors = i1 i2
	f.sources.seq.interceptors.i1.type = static
	f.sources.seq.interceptors.i1.key = host name
	f.sources.seq.interceptors.i1.value = wert mit Umlaut: äöü €
	f.sources.seq.interceptors.i2.type = timestamp
	EOF_
    for name in "${ways[@]}"; do
        cat <<-EOF_
	f.channels.$name.type = memory
	f.channels.$name.capacity = 100000
	f.channels.$name.transactionCapacity = 1000
	f.sinks.$name.type = avro
	f.sinks.$name.channel = $name
	f.sinks.$name.hostname = 127.0.0.1
	f.sinks.$name.port = ${port[$name]}
	f.sinks.$name.batch-size = 70
	EOF_
        keys "f.sinks.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || echo "f.sinks.$name.trust-all-certs = true"
    done
    file_sink f reference
}

lines() { # DIR
    cat "$work/$1"/* 2>/dev/null | wc -l
}

await_lines() { # DIR COUNT
    local i
    for ((i = 0; i < 600; i++)); do
        (($(lines "$1") >= $2)) && return
        sleep 0.1
    done
    fail "$1: $(lines "$1") lines, not $2"
}

penstock_file >"$work/p.properties"
flume_file >"$work/f.properties"
"$PENSTOCK" agent -n p -f "$work/p.properties" >"$work/p.log" 2>&1 </dev/null &
ours=$!
trap 'kill -KILL $ours 2>/dev/null; finish' EXIT
for ((i = 0; i < 100; i++)); do
    (($(grep -c "listening on" "$work/p.log") == ${#names[@]})) && break
    sleep 0.1
done
((i < 100)) || fail "our sources do not listen"

"$here/flume" agent -n f -f "$work/f.properties" >"$work/f.log" 2>&1 </dev/null &
agent=$!
await_lines f-reference $events
sort "$work"/f-reference/* >"$work/reference"
for name in plain zlib tls both; do
    await_lines "p-$name" $events
    sort "$work/p-$name"/* >"$work/arrived"
    same "Flume's sink ($name) into our source" "$work/reference" "$work/arrived"
done
kill -TERM $agent
wait $agent || true
agent=''

# The SDK's client: batches of 5, headers from a file.
seq -f 'line %.0f' 1 203 >"$work/lines"
printf 'one=1\ntwo = zwei\n' >"$work/headers"
"$here/flume" avro-client -H 127.0.0.1 -p "${port[client]}" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
    fail "avro-client ends with $?"
await_lines p-client 203
sed 's/.*} //' "$work"/p-client/* | diff - "$work/lines" >/dev/null || fail "avro-client: other bodies"
(($(grep -cF "one=1" <(cat "$work"/p-client/*)) == 203)) || fail "avro-client: other headers: $(head -n 1 "$work"/p-client/*)"
echo "same: Flume's avro-client into our source"
kill -TERM $ours
wait $ours || fail "our agent ends with $?"
grep -qE "accepted $(sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<$((4 * events + 203)))" "$work/p.log" || fail "the account: $(tail -n 1 "$work/p.log")"
