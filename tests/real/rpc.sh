# For the tests of Avro's and Thrift's RPC with a real Flume: agents with a source or a sink for each way (plain, compressed, over TLS, ..),
# and a file_roll sink behind each. The test sets protocol (avro or thrift), ways, port and options (both by way), and events.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the test has the variables, and uses `trust`
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool, which makes the key store"
keytool -J-XX:TieredStopAtLevel=1 -genkeypair -keystore "$work/store.p12" -storetype PKCS12 -storepass secret -alias a -keyalg RSA -keysize 2048 \
    -dname CN=penstock.test -ext san=dns:penstock.test,ip:127.0.0.1 -validity 2 >/dev/null 2>&1 || skip "keytool makes no certificate"
declare -A port options

ports() { # FIRST WAY...: a port for each way
    local first=$1 i=0 name
    shift
    for name; do
        port[$name]=$((first + i))
        i=$((i + 1))
    done
}

keys() { # COMPONENT NAME: the options of this way
    local pair
    for pair in ${options[$2]}; do echo "$1.${pair%%=*} = ${pair#*=}"; done
}

memory_channel() { # AGENT NAME
    cat <<-EOF_
	$1.channels.$2.type = memory
	$1.channels.$2.capacity = 100000
	$1.channels.$2.transactionCapacity = 1000
	EOF_
}

file_sink() { # AGENT NAME: its channel and its file_roll sink, into a directory of that name
    mkdir -p "$work/$1-$2"
    memory_channel "$1" "$2"
    cat <<-EOF_
	$1.sinks.$2.type = file_roll
	$1.sinks.$2.channel = $2
	$1.sinks.$2.sink.directory = $work/$1-$2
	$1.sinks.$2.sink.rollInterval = 0
	$1.sinks.$2.sink.serializer = org.apache.flume.serialization.HeaderAndBodyTextEventSerializer\$Builder
	EOF_
}

source_file() { # AGENT NAME...: sources, a file for each
    local agent=$1 name
    shift
    echo "$agent.sources = $*"
    echo "$agent.channels = $*"
    echo "$agent.sinks = $*"
    for name; do
        cat <<-EOF_
	$agent.sources.$name.type = $protocol
	$agent.sources.$name.bind = 127.0.0.1
	$agent.sources.$name.port = ${port[$name]}
	$agent.sources.$name.channels = $name
	EOF_
        keys "$agent.sources.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || cat <<-EOF_
	$agent.sources.$name.keystore = $work/store.p12
	$agent.sources.$name.keystore-password = secret
	$agent.sources.$name.keystore-type = PKCS12
	EOF_
        file_sink "$agent" "$name"
    done
}

sink_file() { # AGENT TRUST...: numbered events with headers, copied to a sink for each way and to a file; the keys that trust the store
    local agent=$1 name
    shift
    cat <<-EOF_
	$agent.sources = seq
	$agent.channels = ${ways[*]} reference
	$agent.sinks = ${ways[*]} reference
	$agent.sources.seq.type = seq
	$agent.sources.seq.totalEvents = $events
	$agent.sources.seq.batchSize = 50
	$agent.sources.seq.channels = ${ways[*]} reference
	$agent.sources.seq.interceptors = i1 i2
	$agent.sources.seq.interceptors.i1.type = static
	$agent.sources.seq.interceptors.i1.key = host name
	$agent.sources.seq.interceptors.i1.value = wert mit Umlaut: äöü €
	$agent.sources.seq.interceptors.i2.type = timestamp
	EOF_
    for name in "${ways[@]}"; do
        memory_channel "$agent" "$name"
        cat <<-EOF_
	$agent.sinks.$name.type = $protocol
	$agent.sinks.$name.channel = $name
	$agent.sinks.$name.hostname = 127.0.0.1
	$agent.sinks.$name.port = ${port[$name]}
	$agent.sinks.$name.batch-size = 70
	EOF_
        keys "$agent.sinks.$name" "$name"
        [[ ${options[$name]} != *ssl* ]] || printf '%s\n' "${@/#/$agent.sinks.$name.}"
    done
    file_sink "$agent" reference
}
trust=("truststore = $work/store.p12" "truststore-password = secret" "truststore-type = PKCS12")

lines() { # DIR
    cat "$work/$1"/* 2>/dev/null | wc -l
}

await_lines() { # DIR COUNT
    await 90 has_arrived "$work/$1" "$2" || fail "$1: $(lines "$1") lines, not $2"
}

start_flume() { # FILE
    "$here/flume" agent -n f -f "$work/$1.properties" >"$work/$1.log" 2>&1 </dev/null &
    agent=$!
}

start_ours() { # FILE
    "$PENSTOCK" agent -n p -f "$work/$1.properties" >"$work/$1.log" 2>&1 </dev/null &
    ours=$!
    trap 'code=$?; kill -KILL $ours 2>/dev/null || true; finish $code' EXIT
}

stop_ours() {
    kill -TERM "$ours"
    wait "$ours" || fail "our agent ends with $?"
}

await_sources() { # FILE TEXT COUNT: the log has so many lines with the text
    await 90 logs_count "$@" || fail "the sources of $1 do not start"
}
logs_count() { (($(grep -sc "$2" "$work/$1.log") + 0 == $3)); } # the file may not be there yet

# Flume's sinks into our sources: what arrives is what Flume's own file_roll sink wrote.
flume_into_ours() {
    local name
    start_flume f
    await_lines f-reference "$events"
    sort "$work"/f-reference/* >"$work/reference"
    for name in "${ways[@]}"; do
        await_lines "p-$name" "$events"
        sort "$work/p-$name"/* >"$work/arrived"
        same "Flume's sink ($name) into our source" "$work/reference" "$work/arrived"
    done
    kill -TERM "$agent"
    wait "$agent" || true
    agent=''
}

accepted() { # COUNT: the account of our agent
    grep -qE "accepted $(sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1")" "$work/p.log" || fail "the account: $(tail -n 1 "$work/p.log")"
}

# Our sinks into Flume's sources, one call at a time, so that Flume keeps the order.
ours_into_flume() { # SED: makes of Flume's headers those of the reference
    local name
    start_ours forth
    await_lines p-reference "$events"
    sort "$work"/p-reference/* >"$work/reference"
    for name in "${ways[@]}"; do
        await_lines "f-$name" "$events"
        sed -E "$1" "$work/f-$name"/* | sort >"$work/arrived"
        same "our sink ($name) into Flume's source" "$work/reference" "$work/arrived"
        sed 's/.*} //' "$work/f-$name"/* | sort -n -c || fail "$name: another order"
    done
}

# Lines and headers for the clients of both.
seq -f 'line %.0f' 1 203 >"$work/lines"
printf 'one=1\ntwo = zwei\n' >"$work/headers"
client_into_flume() { # CLIENT NAME COUNT: sends by $work/rpc.properties; Flume's source has COUNT lines then
    "$1" avro-client -P "$work/rpc.properties" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
        fail "${1##*/} avro-client ($2) ends with $?"
    await_lines "f-$2" "$3"
    cat "$work/f-$2"/* | tail -n 203 >"$work/arrived"
    sed 's/.*} //' "$work/arrived" | diff - "$work/lines" >/dev/null || fail "${1##*/} avro-client ($2): other bodies"
    (($(grep -cE '^\{(one=1, two=zwei|two=zwei, one=1)\} ' "$work/arrived") == 203)) || fail "${1##*/} avro-client ($2): other headers"
    echo "same: ${1##*/} avro-client ($2) into Flume's source"
}
