#!/usr/bin/env bash
# Needs: hbase kerberos
# The native sinks and a real HBase that asks for Kerberos: each level of protection, each of the three sinks with one; a keytab that is replaced, and
# tickets that expire, while events are written; and what people do wrong. HBase's own client reads the rows.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
# shellcheck source=tests/support/kdc.sh
source "$here/../support/kdc.sh"
kdc_programs || skip "krb5-kdc and krb5-admin-server are needed"
unset HBASE_CONF_DIR HBASE_HOME KRB5CCNAME
kdc_port=$(ports_reserve)
kdc_start "$kdc_port" hbase/localhost flume || fail "the KDC does not start"
children+=("$kdc")
export HBASE_KEYTAB=$work/hbase.keytab HBASE_PROTECTION=authentication,integrity,privacy
server_begin hbase

conf() { # NAME SED: the configuration of a client
    mkdir -p "$work/conf-$1"
    sed "$2" "$work/hbase/conf/hbase-site.xml" >"$work/conf-$1/hbase-site.xml"
}
only() { echo "s/$HBASE_PROTECTION/$1/"; } # LEVEL
for level in authentication integrity privacy; do conf $level "$(only $level)"; done
who=("kerberosPrincipal = flume@PENSTOCK.TEST" "kerberosKeytab = $work/flume.keytab")
sink() { # NUMBER TYPE TABLE CONF KEY...: takes from the channel of this number
    printf "a1.sinks.k$1.%s\n" "channel = c$1" "type = $2" "table = $3" "columnFamily = f" "zookeeperQuorum = $(ask url)" "batchSize = 100" \
        "serializer.payloadColumn = body" "penstock.hbase.conf = $work/conf-$4" "${@:5}"
}
has_rows() { # TABLE FILE
    ask values "$1" f:body | sort >"$work/rows" && cmp -s "$work/rows" "$2"
}

# ---- levels ----

seq -f 'line %g' 3000 | sort >"$work/input"
conf async '/hbase.security/d; /hbase.rpc/d; /kerberos/d'
{
    printf 'a1.%s\n' "sources = r1" "channels = c1 c2 c3" "sinks = k1 k2 k3" "sources.r1.type = exec" "sources.r1.command = cat $work/input" \
        "sources.r1.channels = c1 c2 c3" "channels."c{1,2,3}".type = memory" "channels."c{1,2,3}".capacity = 10000" \
        "channels."c{1,2,3}".transactionCapacity = 1000"
    sink 1 hbase authentication authentication "${who[@]}"
    sink 2 hbase2 integrity integrity "${who[@]}"
    sink 3 asynchbase privacy async "${who[@]}" "async.hbase.security.auth.enable = true" "async.hbase.security.authentication = kerberos" \
        "async.hbase.kerberos.regionserver.principal = hbase/_HOST@PENSTOCK.TEST" "async.hbase.rpc.protection = privacy"
} >"$work/levels.properties"
for level in authentication integrity privacy; do ask create $level f || fail "HBase makes no table"; done
"$PENSTOCK" check --probe -n a1 -f "$work/levels.properties" >"$work/check.log" 2>&1 || fail "check --probe"
for level in authentication integrity privacy; do
    grep -q "ok .* table $level, family f: the region server localhost:.* answers$" "$work/check.log" || fail "check --probe does not find the table $level"
done
start "$work/levels" "$PENSTOCK"
for level in authentication integrity privacy; do
    await 60 has_rows $level "$work/input" || fail "the table $level has $(wc -l <"$work/rows") rows of 3000, or others"
done
stop TERM
echo "3000 rows with each of authentication, integrity, privacy"

# ---- what people do wrong ----

wrong() { # PATTERN CONF KEY...
    {
        printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = seq" "sources.r1.channels = c1" "channels.c1.type = memory"
        sink 1 hbase2 privacy "$2" "${@:3}"
    } >"$work/wrong.properties"
    ! "$PENSTOCK" check --probe -n a1 -f "$work/wrong.properties" >"$work/wrong.log" 2>&1 || fail "nothing is wrong with: $1"
    grep -qE -- "$1" "$work/wrong.log" || fail "check --probe does not say: $1"
    echo "refused: $(grep -oE -- "$1" "$work/wrong.log" | head -n 1)"
}
keys=("${who[0]}" "kerberosKeytab = $work/hbase.keytab")
conf other 's|hbase/_HOST|nn/_HOST|g'
conf simple 's|<value>kerberos<|<value>simple<|'
conf secret "$(only secret)"
conf unnamed 's|hbase.regionserver.kerberos.principal|other|'
wrong 'FAILED .*kerberosPrincipal, kerberosKeytab: .*No key table entry found for flume@PENSTOCK.TEST .*klist -k shows' privacy "${keys[@]}"
wrong 'hbase.regionserver.kerberos.principal: .*Server nn/localhost@PENSTOCK.TEST not found' other "${who[@]}"
wrong 'Authentication is required: hbase-site.xml has to say hbase.security.authentication = kerberos' simple
wrong 'hbase-site.xml:[0-9]*: hbase.rpc.protection: secret: only authentication, integrity and privacy' secret "${who[@]}"
wrong 'hbase-site.xml has to have hbase.regionserver.kerberos.principal' unnamed "${who[@]}"
wrong 'kerberosKeytab: cannot read .*none.keytab' privacy "${who[0]}" "kerberosKeytab = $work/none.keytab"
wrong 'kerberosKeytab: is missing: principal and keytab are needed together' privacy "${who[0]}"
export KRB5CCNAME=$work/tickets
wrong 'no tickets in the default cache \(run kinit, or set a principal and a keytab' privacy
kinit -l 1s -k -t "$work/flume.keytab" flume
sleep 2
wrong 'Ticket expired \(the ticket has expired: run kinit' privacy
unset KRB5CCNAME

# ---- a keytab that is replaced, and tickets of three seconds ----

cp "$work/flume.keytab" "$work/agent.keytab"
kadmin.local -r PENSTOCK.TEST ktadd -k "$work/new.keytab" flume >>"$work/kdc.log" 2>&1 || fail "no new keys"
ask create keytab f
mkdir -p "$work/logs"
{
    printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = taildir" "sources.r1.channels = c1" "sources.r1.filegroups = g" \
        "sources.r1.filegroups.g = $work/logs/.*" "sources.r1.positionFile = $work/positions.json" "channels.c1.type = memory"
    sink 1 hbase2 keytab privacy "${who[0]}" "kerberosKeytab = $work/agent.keytab"
} >"$work/keytab.properties"
sed 's/\[libdefaults\]/&\nticket_lifetime = 3s/' "$work/krb5.conf" >"$work/short.conf"
seq -f 'line %g' 50 >"$work/logs/a"
KRB5_CONFIG=$work/short.conf start "$work/keytab" "$PENSTOCK"
await 60 grep -q 'the keytab is older than the principal.s keys: export it again' "$work/keytab.log" || fail "the log does not say that the keytab is old"
mv "$work/new.keytab" "$work/agent.keytab"
sort "$work/logs/a" >"$work/expected"
await 60 has_rows keytab "$work/expected" || fail "the table keytab has $(wc -l <"$work/rows") rows of 50"
sleep 4 # the ticket of the connection has expired
seq -f 'line %g' 51 100 >>"$work/logs/a"
sort "$work/logs/a" >"$work/expected"
await 60 has_rows keytab "$work/expected" || fail "the table keytab has $(wc -l <"$work/rows") rows of 100"
stop TERM
echo "100 rows, by a keytab that was replaced and tickets that expire"
