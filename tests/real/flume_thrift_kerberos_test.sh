#!/usr/bin/env bash
# Needs: flume
# Kerberos between a real Flume 1.11 and us, both ways, with a KDC of the test's own: its Thrift sink into our source, our sink into its
# source. Flume takes Hadoop's classes for it.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
# shellcheck source=tests/support/kdc.sh
source "$here/../support/kdc.sh"
kdc_programs || skip "no krb5-kdc, krb5-admin-server"
export FLUME_HADOOP=1

base=$(ports_reserve)
events=500
kdc_start "$base" flume agent/localhost || fail "the KDC does not start"
ours=''
trap 'code=$?; kill -KILL $kdc $ours 2>/dev/null || true; finish $code' EXIT

mkdir "$work/conf"
cat >"$work/conf/core-site.xml" <<-EOF_
	<configuration>
	  <property><name>hadoop.security.authentication</name><value>kerberos</value></property>
	  <property><name>hadoop.security.auth_to_local</name><value>DEFAULT</value></property>
	</configuration>
EOF_
export FLUME_CLASSPATH=$work/conf
export FLUME_JAVA="$FLUME_JAVA --add-exports java.security.jgss/sun.security.krb5=ALL-UNNAMED -Djava.security.krb5.conf=$KRB5_CONFIG"

source_file() { # AGENT PORT
    mkdir -p "$work/$1-out"
    cat <<-EOF_
	$1.sources = r
	$1.channels = c
	$1.sinks = k
	$1.sources.r.type = thrift
	$1.sources.r.bind = 127.0.0.1
	$1.sources.r.port = $2
	$1.sources.r.channels = c
	$1.sources.r.kerberos = true
	$1.sources.r.agent-principal = agent/localhost@PENSTOCK.TEST
	$1.sources.r.agent-keytab = $work/agent.keytab
	$1.channels.c.type = memory
	$1.channels.c.capacity = 10000
	$1.channels.c.transactionCapacity = 1000
	$1.sinks.k.type = file_roll
	$1.sinks.k.channel = c
	$1.sinks.k.sink.directory = $work/$1-out
	$1.sinks.k.sink.rollInterval = 0
	EOF_
}
sink_file() { # AGENT PORT
    cat <<-EOF_
	$1.sources = r
	$1.channels = c
	$1.sinks = k
	$1.sources.r.type = seq
	$1.sources.r.totalEvents = $events
	$1.sources.r.batchSize = 50
	$1.sources.r.channels = c
	$1.channels.c.type = memory
	$1.channels.c.capacity = 10000
	$1.channels.c.transactionCapacity = 1000
	$1.sinks.k.type = thrift
	$1.sinks.k.channel = c
	$1.sinks.k.hostname = 127.0.0.1
	$1.sinks.k.port = $2
	$1.sinks.k.kerberos = true
	$1.sinks.k.client-principal = flume@PENSTOCK.TEST
	$1.sinks.k.client-keytab = $work/flume.keytab
	$1.sinks.k.server-principal = agent/localhost@PENSTOCK.TEST
	EOF_
}
await_events() { # DIR
    await 90 has_arrived "$work/$1" "$events" || true # what follows says what is missing
    seq 0 $((events - 1)) | cmp -s - <(cat "$work/$1"/*) || fail "$1: other events, or in another order"
}

source_file p $((base + 1)) >"$work/p.properties"
sink_file f $((base + 1)) >"$work/f.properties"
"$PENSTOCK" agent -n p -f "$work/p.properties" >"$work/p.log" 2>&1 </dev/null &
ours=$!
await 60 grep -q "listening on" "$work/p.log" || fail "our source does not listen"
"$here/flume" agent -n f -f "$work/f.properties" >"$work/f.log" 2>&1 </dev/null &
agent=$!
await_events p-out
echo "same: Flume's sink into our source"
kill -TERM $agent
wait $agent || true
agent=''
kill -TERM $ours
wait $ours || fail "our agent ends with $?"

source_file f $((base + 2)) >"$work/back.properties"
sink_file p $((base + 2)) >"$work/forth.properties"
"$here/flume" agent -n f -f "$work/back.properties" >"$work/back.log" 2>&1 </dev/null &
agent=$!
await 90 grep -qs "Started Thrift source" "$work/back.log" || fail "Flume's source does not start" # the file may not be there yet
"$PENSTOCK" agent -n p -f "$work/forth.properties" >"$work/forth.log" 2>&1 </dev/null &
ours=$!
await_events f-out
echo "same: our sink into Flume's source"
kill -TERM $ours
wait $ours || fail "our agent ends with $?"
ours=''
echo "ok"
