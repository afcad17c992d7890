#!/usr/bin/env bash
# Needs: hdfs kerberos
# A real HDFS with Kerberos, and penstock's client: each level of protection of RPC and of data transfer, tickets that expire while files
# are written, a KDC that is away, and what people do wrong. Hadoop's own client reads what was written.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_security.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_security.sh"

events_in() { # COUNT: the sink's files have so many lines, as Hadoop reads them
    "$secure" fs --dir "$d" -cat '/test/sink/*' >"$work/lines" 2>"$work/fs.log" && (($(wc -l <"$work/lines") == $1)) &&
        seq 0 $(($1 - 1)) | cmp -s - "$work/lines"
}

step "a HDFS that allows each level"
all=authentication,integrity,privacy
serve --rpc $all --data $all --aes
for level in authentication integrity privacy; do
    client $level hadoop.rpc.protection=$level dfs.data.transfer.protection=$level dfs.encrypt.data.transfer.cipher.suites=
done
client aes hadoop.rpc.protection=privacy dfs.data.transfer.protection=privacy
client other hadoop.rpc.protection=authentication dfs.namenode.kerberos.principal=nn/_HOST@PENSTOCK.TEST
client unprotected hadoop.rpc.protection=privacy dfs.data.transfer.protection=
client simple hadoop.security.authentication=simple

step "tickets of four seconds, and a file that takes longer: privacy, so that each call uses the context of the ticket"
sed 's/\[libdefaults\]/&\nticket_lifetime = 4s/' "$d/krb5.conf" >"$work/short.conf"
KRB5_CONFIG=$work/short.conf write_start expiry --conf "$work/conf-privacy" "${as_flume[@]}" --rest 300 --batch 100000 \
    --block-size 1048576

step "levels"
for level in authentication integrity privacy aes; do as $level --batches 20 --batch 100000; done

step "mistakes"
flume=(--principal flume@PENSTOCK.TEST)
refused aes "no Kerberos ticket: No key table entry found for flume@PENSTOCK.TEST .*klist -k" "${flume[@]}" --keytab "$d/alice.keytab"
refused aes "Key table file '.*none.keytab' not found" "${flume[@]}" --keytab "$d/none.keytab"
refused other "nn/localhost@PENSTOCK.TEST not found in Kerberos database .*it says that it is hdfs/localhost" "${as_flume[@]}"
refused unprotected "could only be written to 0 of|does it expect SASL" "${as_flume[@]}"
refused simple "SIMPLE authentication is not enabled" "${as_flume[@]}"
refused aes "user=alice, access=WRITE" "${as_flume[@]}" --proxy alice
refused aes "alice@PENSTOCK.TEST is not allowed to impersonate bob" --principal alice@PENSTOCK.TEST --keytab "$d/alice.keytab" --proxy bob
KRB5CCNAME=$work/no-tickets refused aes "run kinit, or set a principal and a keytab"
kadmin.local -r PENSTOCK.TEST addprinc -randkey gone >/dev/null 2>&1
for keytab in old new; do kadmin.local -r PENSTOCK.TEST ktadd -k "$work/$keytab.keytab" gone >/dev/null; done
refused aes "the keytab is older than the principal's keys: export it again" --principal gone --keytab "$work/old.keytab"
kadmin.local -r PENSTOCK.TEST addprinc -randkey former >/dev/null 2>&1
kadmin.local -r PENSTOCK.TEST ktadd -k "$work/former.keytab" former >/dev/null
kadmin.local -r PENSTOCK.TEST delprinc -force former >/dev/null
refused aes "Client 'former@PENSTOCK.TEST' not found in Kerberos database" --principal former --keytab "$work/former.keytab"
await_refused
grep -q "does it expect SASL?" "$work/writer.log" || fail "nothing says that datanodes expect SASL"

step "tickets of kinit"
export KRB5CCNAME=$work/tickets
kinit -k -t "$d/flume.keytab" flume@PENSTOCK.TEST
as_flume=()
as aes --batches 5
unset KRB5CCNAME
as_flume=("${flume[@]}" --keytab "$d/flume.keytab")

step "an agent with the sink"
{
    printf 'a1.%s\n' "sources = r" "channels = c" "sinks = k" "sources.r.type = seq" "sources.r.totalEvents = 500" "sources.r.channels = c" \
        "channels.c.type = memory" "channels.c.capacity = 1000" "channels.c.transactionCapacity = 100" \
        "sinks.k.type = hdfs" "sinks.k.channel = c" "sinks.k.hdfs.path = $hdfs_url/test/sink" "sinks.k.hdfs.fileType = DataStream" \
        "sinks.k.hdfs.rollInterval = 0" "sinks.k.hdfs.rollSize = 0" "sinks.k.hdfs.rollCount = 0" \
        "sinks.k.penstock.hadoop.conf = $work/conf-privacy" "sinks.k.hdfs.kerberosPrincipal = flume@PENSTOCK.TEST" \
        "sinks.k.hdfs.kerberosKeytab = $d/flume.keytab"
} >"$work/sink.properties"
sed "s|/flume.keytab|/none.keytab|" "$work/sink.properties" >"$work/none.properties"
"$PENSTOCK" check -n a1 -f "$work/none.properties" >"$work/checked" 2>&1 || true
grep -q "hdfs.kerberosKeytab: .*none.keytab: No such file" "$work/checked" || fail "check does not name the keytab: $(<"$work/checked")"
agent_start sink
await 120 events_in 500 || fail "not the 500 events of the sink: $(wc -l <"$work/lines") lines"
agent_stop sink
[[ $(accounted delivered) == 500 ]] || fail "$account"

await_progress 30 # at least nine seconds
write_wait expiry
hadoop_reads authentication integrity privacy aes expiry

step "the KDC is away, and comes back"
kdc=$(cut -d' ' -f1 "$d/kdc.pid")
kill "$kdc"
await 10 is_gone "$kdc" || fail "the KDC does not end" # until then it may answer
refused privacy "no KDC of the realm answers" "${as_flume[@]}"
await_refused
: >"$work/writer.log"
write_start back --conf "$work/conf-privacy" "${as_flume[@]}"
await 30 grep -q "localhost:.*no KDC of the realm answers.*; tried again" "$work/writer.log" || fail "the writer does not try again"
krb5kdc -n -r PENSTOCK.TEST >>"$d/kdc.log" 2>&1 </dev/null &
children[$!]=kdc
await_progress 3
write_wait back
