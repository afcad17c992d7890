#!/usr/bin/env bash
# Kerberos between a thrift sink and a thrift source, with a KDC of the test's own: plain and over TLS, with and without the right keys. While
# the KDC is gone the sink waits; when it is back nothing is lost.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/support/kdc.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/kdc.sh"
kdc_programs || { echo "SKIP: no krb5-kdc"; exit 77; }
has openssl "Kerberos over TLS" || exit 77

kdc_port=$(free_port)
source_port=$(free_port)
tls_port=$(free_port)
kdc_start "$kdc_port" flume agent/localhost other/localhost || fail "the KDC does not start: $(tail -n 5 "$work/kdc.log")"
children[$kdc]=1
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null
openssl pkcs12 -export -inkey "$work/key.pem" -in "$work/cert.pem" -out "$work/store.p12" -passout pass:secret

roll() { # NAME: channel and file_roll sink
    mkdir -p "$work/out/$1"
    cat <<-EOF_
	a1.channels.$1.type = memory
	a1.sinks.$1.type = file_roll
	a1.sinks.$1.channel = $1
	a1.sinks.$1.sink.directory = $work/out/$1
	a1.sinks.$1.sink.rollInterval = 0
	EOF_
}
{
    echo "a1.sources = plain tls"
    echo "a1.channels = plain tls"
    echo "a1.sinks = plain tls"
    for name in plain tls; do
        cat <<-EOF_
	a1.sources.$name.type = thrift
	a1.sources.$name.channels = $name
	a1.sources.$name.bind = 127.0.0.1
	a1.sources.$name.kerberos = true
	a1.sources.$name.agent-principal = agent/localhost@PENSTOCK.TEST
	a1.sources.$name.agent-keytab = $work/agent.keytab
	EOF_
        roll $name
    done
    cat <<-EOF_
	a1.sources.plain.port = $source_port
	a1.sources.tls.port = $tls_port
	a1.sources.tls.ssl = true
	a1.sources.tls.keystore = $work/store.p12
	a1.sources.tls.keystore-password = secret
	EOF_
} >"$work/source.properties"

sink() { # NAME PORT [KEY=VALUE]...
    local name=$1 port=$2 pair
    shift 2
    cat <<-EOF_
	a1.channels.$name.type = memory
	a1.sinks.$name.type = thrift
	a1.sinks.$name.channel = $name
	a1.sinks.$name.hostname = 127.0.0.1
	a1.sinks.$name.port = $port
	EOF_
    for pair; do echo "a1.sinks.$name.${pair%%=*} = ${pair#*=}"; done
}
names=(plain tls keys server without)
me=(kerberos=true "client-principal=flume@PENSTOCK.TEST" "client-keytab=$work/flume.keytab" "server-principal=agent/localhost@PENSTOCK.TEST")
{
    cat <<-EOF_
	a1.sources = seq
	a1.channels = ${names[*]}
	a1.sinks = ${names[*]}
	a1.sources.seq.type = seq
	a1.sources.seq.totalEvents = 100
	a1.sources.seq.channels = ${names[*]}
	EOF_
    sink plain "$source_port" "${me[@]}"
    sink tls "$tls_port" "${me[@]}" ssl=true trust-all-certs=true protocol=binary
    sink keys "$source_port" "${me[@]}" "client-keytab=$work/other.keytab" # not its own
    sink server "$source_port" "${me[@]}" "server-principal=other/localhost@PENSTOCK.TEST" # not who it is
    sink without "$source_port"
} >"$work/sink.properties"

run() { # NAME
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" 2>"$work/$1.err" &
    agents[$1]=$!
    children[${agents[$1]}]=1
}
declare -A agents=()
count() { # NAME: how many lines have arrived
    cat "$work/out/$1"/* 2>/dev/null | wc -l
}
arrived() { # NAME
    (($(count "$1") >= 100))
}

run source
await "the sources listen" grep -q "listening on 127.0.0.1:$tls_port" "$work/source.err"
run sink
await "events with Kerberos" arrived plain
await "events with Kerberos over TLS" arrived tls
await "no ticket with another's keys" grep -q "sink keys: .*no Kerberos ticket: " "$work/sink.err"
await "another server's ticket is refused" grep -q "sink server: .*Kerberos: the source refuses the client: " "$work/sink.err"
await "a client without Kerberos is refused" grep -q "Kerberos with 127.0.0.1.* failed: not a message of Thrift's SASL" "$work/source.err"
for name in plain tls; do
    seq 0 99 | cmp -s - <(cat "$work/out/$name"/*) || fail "$name: other events"
done
kill -TERM "${agents[source]}"
wait "${agents[source]}" || fail "the sources' agent ends with $?"
unset "children[${agents[source]}]"
echo ok
