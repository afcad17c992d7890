#!/usr/bin/env bash
# Needs: hdfs
# WebHDFS over TLS, of a real HDFS with Kerberos: SPNEGO by keytab and by tickets that are there, for another user, and refused.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
secure=$PENSTOCK_SOURCE/tests/real/hdfs_secure
writer=$PENSTOCK_TOOLS/hdfs_writer
[[ -x $writer ]] || skip "no program $writer"
for program in krb5kdc kadmin.local kinit openssl curl; do
    PATH=$PATH:/usr/sbin command -v $program >/dev/null || skip "$program is needed for a KDC"
done
mkdir "$work/copy"

step "an HDFS with Kerberos"
"$secure" start --dir "$work/secure" --port "$((port + 60))" >"$work/secure.log" 2>&1 || fail "HDFS with Kerberos does not start"
for file in "$work"/secure/*.pid; do # they end with the script
    read -r pid _ <"$file"
    children[$pid]=${file##*/}
done
url=swebhdfs://localhost:$((port + 62))
export KRB5_CONFIG=$work/secure/krb5.conf
# Java's clients of Hadoop read their trust store so.
cat >"$work/secure/conf/ssl-client.xml" <<-EOF_
	<configuration>
	  <property><name>ssl.client.truststore.location</name><value>$work/secure/https.pem</value></property>
	  <property><name>ssl.client.truststore.type</name><value>PEM</value></property>
	</configuration>
EOF_

ask() { # OPTION... PATH?OPERATION: curl asks as flume
    KRB5_CLIENT_KTNAME=$work/secure/flume.keytab KRB5CCNAME=$work/curl.cache \
        curl -sfL --cacert "$work/secure/https.pem" --negotiate -u : "${@:1:$#-1}" "https://localhost:$((port + 62))/webhdfs/v1${*: -1}"
}

write() { # NAME [OPTION]... of hdfs_writer: sets wrote
    local name=$1
    shift
    wrote=$("$writer" --url "$url" --conf "$work/secure/conf" --path "/$name" --copy "$work/copy" --timeout 120000 "$@" \
        2>>"$work/writer.log")
}

writes() { # NAME OWNER [OPTION]...: it does, and the file belongs to OWNER
    local name=$1 owner=$2
    shift 2
    write "$name" "$@" || fail "$name: $wrote"
    ask "/$name.0?op=OPEN" >"$work/read" || fail "$name cannot be read"
    cmp -s "$work/read" "$work/copy/$name.0" || fail "$name differs"
    [[ $(ask "/$name.0?op=GETFILESTATUS") == *"\"owner\":\"$owner\""* ]] || fail "$name is not $owner's"
}

refuses() { # NAME WORDS [OPTION]...
    local name=$1 words=$2
    shift 2
    ! write "$name" "$@" || fail "$name is written"
    [[ $wrote == *"$words"* ]] || fail "$name: no word of $words: $wrote"
}

step "by keytab, for another user, by tickets of kinit"
ask -X PUT "/?op=SETPERMISSION&permission=777" || fail "the root directory cannot be opened to all"
writes keytab flume --principal flume --keytab "$work/secure/flume.keytab" --batches 3 --read
writes proxy bob --principal flume@PENSTOCK.TEST --keytab "$work/secure/flume.keytab" --proxy bob --batches 1
KRB5CCNAME=$work/tickets kinit -k -t "$work/secure/alice.keytab" alice || fail "no tickets for alice"
KRB5CCNAME=$work/tickets writes tickets alice --batches 1

step "refused: not for another one, no tickets, a certificate of nobody known"
KRB5CCNAME=$work/tickets refuses proxy_of_alice "is not allowed to impersonate" --proxy bob
KRB5CCNAME=$work/none refuses no_tickets Kerberos
rm "$work/secure/conf/ssl-client.xml"
refuses unknown_authority SSL --principal flume --keytab "$work/secure/flume.keytab"
