#!/usr/bin/env bash
# Needs: hive kerberos
# The client of Hive's metastore (stages/lib/hive) against a real one that asks for Kerberos: each level of protection, and what people do
# wrong.
#
#   KEEP=1   keep the working directory
# No sanitizer: the library of Kerberos leaks.
# shellcheck source=tests/real/hive_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/hive_lib.sh"
needs "$PENSTOCK_TOOLS/hive_calls"
# shellcheck source=tests/support/kdc.sh
source "$here/../support/kdc.sh"
kdc_programs || skip "krb5-kdc and krb5-admin-server are needed"
kdc=''
finish_more() { [[ -z $kdc ]] || kill "$kdc" 2>/dev/null || true; }
site() { # FILE NAME VALUE...: a configuration file
    local file=$1
    shift
    {
        echo '<configuration>'
        while (($#)); do
            echo "<property><name>$1</name><value>$2</value></property>"
            shift 2
        done
        echo '</configuration>'
    } >"$file"
}
client() { # FOLDER LEVEL NAME VALUE...: the configuration of a client
    local folder=$work/$1 level=$2
    shift 2
    mkdir -p "$folder"
    site "$folder/core-site.xml" hadoop.rpc.protection "$level"
    site "$folder/hive-site.xml" "$@"
}
calls() { "$PENSTOCK_TOOLS/hive_calls" "$metastore" default - - 0 abort "$@" >"$work/calls.log" 2>&1; } # CONF [PRINCIPAL KEYTAB]
refused() { # TEXT CONF [PRINCIPAL KEYTAB]
    local text=$1
    shift
    ! calls "$@" || fail "nobody refuses: $text"
    grep -qE -- "$text" "$work/calls.log" || fail "the calls do not say: $text"
}

kdc_start $((port + 1)) hive/localhost flume || fail "the KDC does not start"
step "the metastore starts"
keytab=$work/hive.keytab
hive_start
metastore=thrift://localhost:$port
secure=(hive.metastore.sasl.enabled true hive.metastore.kerberos.principal hive/_HOST@PENSTOCK.TEST)
as_flume=(flume@PENSTOCK.TEST "$work/flume.keytab")

step "levels"
for level in authentication integrity privacy; do
    client $level $level "${secure[@]}"
    calls "$work/$level" "${as_flume[@]}" || fail "the calls with $level"
    for text in 'get_table_req: 1 .*no_such_table' 'open_txns: 0 ' 'heartbeat_txn_range: 0 ' 'abort_txns: 0 '; do
        grep -q -- "^$text" "$work/calls.log" || fail "the calls with $level do not say: $text"
    done
done

step "the sink"
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 1
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = hive
a1.sinks.k1.channel = c1
a1.sinks.k1.hive.metastore = $metastore
a1.sinks.k1.hive.database = default
a1.sinks.k1.hive.table = no_such_table
a1.sinks.k1.serializer = JSON
a1.sinks.k1.callTimeout = 60000
a1.sinks.k1.batchSize = 100
a1.sinks.k1.penstock.hadoop.conf = $work/privacy
a1.sinks.k1.penstock.kerberosPrincipal = flume@PENSTOCK.TEST
a1.sinks.k1.penstock.kerberosKeytab = $work/flume.keytab
EOF_
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.log" 2>&1 </dev/null &
agent=$!
for ((i = 0; i < 1200; i++)); do # the metastore knows who asks, and says that there is no table
    ! grep -q 'no_such_table table not found' "$work/agent.log" || break
    patient_tenth
done
kill -KILL $agent
wait $agent 2>/dev/null || true
grep -q 'no_such_table table not found' "$work/agent.log" || fail "the sink is not told that there is no table"

step "mistakes"
export CALL_TIMEOUT_S=15 # it tries until then
client simple authentication
refused '^get_table_req: 7 ' "$work/simple"
client other authentication "${secure[@]/hive\/_HOST/nn/_HOST}"
refused 'nn/localhost@PENSTOCK.TEST not found in Kerberos database' "$work/other" "${as_flume[@]}"
refused 'No key table entry found for flume@PENSTOCK.TEST' "$work/privacy" flume@PENSTOCK.TEST "$work/hive.keytab"
step "done"
