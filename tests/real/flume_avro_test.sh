#!/usr/bin/env bash
# Needs: flume
# Avro RPC with a real Flume 1.11: its Avro sinks and its avro-client into our source, and our sink and our avro-client into its sources,
# plain, compressed, over TLS, and both; properties with failover and load balancing, which Flume's client and ours read alike, and a hundred
# threads over libpenstock-client into its sources. What arrives must be what Flume's own file_roll sink wrote of the same events, headers included.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool, which makes the key store"

base=$(ports_reserve)
names=(plain zlib tls both client)
declare -A port options=([plain]="" [zlib]="compression-type=deflate" [tls]="ssl=true" [both]="ssl=true compression-type=deflate" [client]="")
for i in "${!names[@]}"; do port[${names[i]}]=$((base + i)); done
back=$((base + 20)) # the first port of Flume's sources
events=2000
ways=(plain zlib tls both)

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
    local name
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
        patient_tenth
    done
    fail "$1: $(lines "$1") lines, not $2"
}

penstock_file >"$work/p.properties"
flume_file >"$work/f.properties"
"$PENSTOCK" agent -n p -f "$work/p.properties" >"$work/p.log" 2>&1 </dev/null &
ours=$!
trap 'code=$?; kill -KILL $ours 2>/dev/null || true; finish $code' EXIT
for ((i = 0; i < 600; i++)); do
    (($(grep -c "listening on" "$work/p.log") == ${#names[@]})) && break
    patient_tenth
done
((i < 600)) || fail "our sources do not listen"

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

# ---- the other direction: our numbers, into Flume's sources ----

back_file() { # Flume's sources, a file for each
    echo "f.sources = ${ways[*]}"
    echo "f.channels = ${ways[*]}"
    echo "f.sinks = ${ways[*]}"
    local i name
    for i in "${!ways[@]}"; do
        name=${ways[i]}
        cat <<-EOF_
	f.sources.$name.type = avro
	f.sources.$name.bind = 127.0.0.1
	f.sources.$name.port = $((back + i))
	f.sources.$name.channels = $name
	EOF_
        keys "f.sources.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	f.sources.$name.keystore = $work/store.p12
	f.sources.$name.keystore-password = secret
	f.sources.$name.keystore-type = PKCS12
	EOF_
        file_sink f "$name"
    done
}
forth_file() { # our numbers with headers, copied to a sink for each way and to a file
    local i name
    cat <<-EOF_
	p.sources = seq
	p.channels = ${ways[*]} reference
	p.sinks = ${ways[*]} reference
	p.sources.seq.type = seq
	p.sources.seq.totalEvents = $events
	p.sources.seq.channels = ${ways[*]} reference
	p.sources.seq.interceptors = i1 i2
	p.sources.seq.interceptors.i1.type = static
	p.sources.seq.interceptors.i1.key = host name
	p.sources.seq.interceptors.i1.value = wert mit Umlaut: äöü €
	p.sources.seq.interceptors.i2.type = timestamp
	EOF_
    for i in "${!ways[@]}"; do
        name=${ways[i]}
        cat <<-EOF_
	p.channels.$name.type = memory
	p.channels.$name.capacity = 100000
	p.channels.$name.transactionCapacity = 1000
	p.sinks.$name.type = avro
	p.sinks.$name.channel = $name
	p.sinks.$name.hostname = 127.0.0.1
	p.sinks.$name.port = $((back + i))
	EOF_
        keys "p.sinks.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	p.sinks.$name.truststore = $work/store.p12
	p.sinks.$name.truststore-password = secret
	EOF_
    done
    file_sink p reference
}

back_file >"$work/back.properties"
forth_file >"$work/forth.properties"
"$here/flume" agent -n f -f "$work/back.properties" >"$work/back.log" 2>&1 </dev/null &
agent=$!
for ((i = 0; i < 600; i++)); do
    (($(grep -sc "Avro source .* started" "$work/back.log") + 0 == ${#ways[@]})) && break # the file may not be there yet
    kill -0 "$agent" 2>/dev/null || fail "Flume ended"
    patient_tenth
done
((i < 600)) || fail "Flume's sources do not start"
"$PENSTOCK" agent -n p -f "$work/forth.properties" >"$work/forth.log" 2>&1 </dev/null &
ours=$!
await_lines p-reference $events
sort "$work"/p-reference/* >"$work/reference"
for name in "${ways[@]}"; do
    await_lines "f-$name" $events
    cat "$work/f-$name"/* | sort >"$work/arrived"
    same "our sink ($name) into Flume's source" "$work/reference" "$work/arrived"
    # One call at a time, so that Flume keeps the order.
    sed 's/.*} //' "$work/f-$name"/* | sort -n -c || fail "$name: Flume has another order"
done

for i in "${!ways[@]}"; do
    name=${ways[i]}
    {
        printf 'hosts = h1\nhosts.h1 = 127.0.0.1:%d\n' $((back + i))
        tr ' ' '\n' <<<"${options[$name]}"
        [[ ${options[$name]} != *ssl* ]] || printf 'truststore = %s\ntruststore-password = secret\n' "$work/store.p12"
    } >"$work/rpc.properties"
    "$PENSTOCK" avro-client -P "$work/rpc.properties" -F "$work/lines" -R "$work/headers" || fail "our avro-client ($name) ends with $?"
    await_lines "f-$name" $((events + 203))
    cat "$work/f-$name"/* | tail -n 203 >"$work/arrived"
    sed 's/.*} //' "$work/arrived" | diff - "$work/lines" >/dev/null || fail "our avro-client ($name): other bodies"
    (($(grep -cF "one=1" "$work/arrived") == 203 && $(grep -cF "two=zwei" "$work/arrived") == 203)) || fail "our avro-client ($name): other headers"
    echo "same: our avro-client ($name) into Flume's source"
done

kill -TERM $ours
wait $ours || fail "our agent ends with $?"

# ---- several hosts: the same properties for Flume's client and ours ----

dead=$((base + 30))
several() { # KIND HOST_PORT...
    local kind=$1 i=0 listed=''
    shift
    for host; do
        i=$((i + 1)) listed+=" h$i"
        echo "hosts.h$i = $host"
    done
    printf 'hosts =%s\nclient.type = %s\nbatch-size = 20\n' "$listed" "$kind"
}
reached=$((events + 203)) # in Flume's plain source
reach() { # WHAT COUNT: so many more lines have arrived; they are in $work/arrived
    reached=$((reached + $2))
    await_lines f-plain $reached
    tail -q -n +1 "$work"/f-plain/* | tail -n "$2" >"$work/arrived"
}
for kind in default_failover DEFAULT_LOADBALANCE; do
    several $kind "127.0.0.1:$dead" "127.0.0.1:$back" "localhost:$back" >"$work/rpc.properties"
    for client in "$here/flume" "$PENSTOCK"; do
        "$client" avro-client -P "$work/rpc.properties" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
            fail "${client##*/} avro-client ($kind) ends with $?"
        reach "$kind" 203
        sed 's/.*} //' "$work/arrived" | sort | diff - <(sort "$work/lines") >/dev/null || fail "${client##*/} avro-client ($kind): other bodies"
        echo "same: ${client##*/} avro-client ($kind) into Flume's source"
    done
done

cmake --install "$(dirname "$PENSTOCK")" --prefix "$work/installed" --component client >"$work/install.log" 2>&1
if [[ -e $work/installed/lib/libpenstock-client.a ]]; then # a build with a sanitizer has none
    cc -pthread -I "$work/installed/include" "$here/../e2e/client_threads.c" "$work/installed/lib/libpenstock-client.a" -lssl -lcrypto -lz -lm \
        -o "$work/client_threads"
    several default_loadbalance "127.0.0.1:$back" "localhost:$back" >"$work/rpc.properties"
    acknowledged=$("$work/client_threads" "$work/rpc.properties" 100 30 shared)
    ((acknowledged == 3000)) || fail "threads: $acknowledged acknowledged"
    reach threads 3000
    (($(sed 's/.*} //' "$work/arrived" | sort -u | wc -l) == 3000)) || fail "threads: other bodies"
    echo "same: a hundred threads into Flume's source"
fi
echo "ok"
