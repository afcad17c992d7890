#!/usr/bin/env bash
# Needs: hdfs kerberos
# Delegation tokens of a file (HADOOP_TOKEN_FILE_LOCATION), made by Hadoop's own tools in both forms, are all that a client has: it writes
# to a real HDFS with Kerberos through RPC and data transfer with privacy, and through WebHDFS. Tokens that are none are refused.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_security.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_security.sh"

fetch() { # FILE CLASS ARG...: by Hadoop, with a ticket of flume
    local file=$1
    shift
    "$secure" run --dir "$d" "$@" >"$work/fetch.log" 2>&1 || fail "no token: $(tail -n 3 "$work/fetch.log")"
    [[ -s $file ]] || fail "no token: $(tail -n 3 "$work/fetch.log")"
}

step "an HDFS with privacy, and a client without tickets"
serve --rpc privacy --data privacy --aes --set dfs.namenode.delegation.token.max-lifetime=36000000
client token
cat >"$work/conf-token/ssl-client.xml" <<-EOF_
	<configuration>
	  <property><name>ssl.client.truststore.location</name><value>$d/https.pem</value></property>
	  <property><name>ssl.client.truststore.type</name><value>PEM</value></property>
	</configuration>
EOF_
as_flume=()
export KRB5CCNAME=$work/no-tickets

step "tokens: hdfs fetchdt (version 0), dtutil (version 1)"
fetch "$work/first" org.apache.hadoop.hdfs.tools.DelegationTokenFetcher --renewer flume "$work/first"
fetch "$work/second" org.apache.hadoop.security.token.DtUtilShell get "$hdfs_url" -renewer flume -format protobuf "$work/second"
[[ $(head -c 5 "$work/first" | od -An -c | tr -d ' ') == 'HDTS\0' && $(head -c 5 "$work/second" | od -An -c | tr -d ' ') == 'HDTS001' ]] ||
    fail "not the two versions"

step "through RPC, and through WebHDFS"
export HADOOP_TOKEN_FILE_LOCATION
for HADOOP_TOKEN_FILE_LOCATION in "$work/first" "$work/second"; do
    as token --batches 5 --batch 50000
    rm -f "$work"/copy/*
    rpc=$hdfs_url
    hdfs_url=swebhdfs://localhost:$((port + 42))
    write web --conf "$work/conf-token" --batches 3 --read
    hdfs_url=$rpc
done

grep -q 'WARN hdfs_writer: the delegation token of flume@PENSTOCK.TEST for .* ends in .* at the latest: fetch a new one' "$work/writer.log" ||
    fail "nothing is said of the tokens' end, ten hours from now"

step "what check says"
{
    printf 'a1.%s\n' "sources = r" "channels = c" "sinks = k" "sources.r.type = seq" "sources.r.channels = c" "channels.c.type = memory" \
        "sinks.k.type = hdfs" "sinks.k.channel = c" "sinks.k.hdfs.path = $hdfs_url/test/%{day}" "sinks.k.penstock.hadoop.conf = $work/conf-token"
} >"$work/token.properties"
probed() { "$PENSTOCK" check --probe -n a1 -f "$work/token.properties" >"$work/checked" 2>&1; } # each step waits 5 s at most
await 60 probed || fail "check fails: $(<"$work/checked")"
grep -qE 'note: a1.sinks.k.hdfs.path: HADOOP_TOKEN_FILE_LOCATION \(.*second\) has a delegation token \(HDFS_DELEGATION_TOKEN\) of flume@PENSTOCK.TEST for .*, which ends at the latest at 20' \
    "$work/checked" || fail "nothing of the token: $(<"$work/checked")"
grep -q 'ok .*hdfs.path: directory /test: a file was written, and removed again' "$work/checked" || fail "no probe: $(<"$work/checked")"

step "mistakes: a token of another password, one for somewhere else, a file that is none"
size=$(stat -c %s "$work/first")
at=$(grep -obaF HDFS_DELEGATION_TOKEN "$work/first" | head -n 1 | cut -d: -f1)
last=$(tail -c +$((at - 1)) "$work/first" | head -c 1 | od -An -tu1) # of the password
# shellcheck disable=SC2059
{ head -c $((at - 2)) "$work/first"; printf "\\$(printf %03o $((last ^ 85)))"; tail -c $((size - at + 1)) "$work/first"; } >"$work/forged"
sed 's/127\.0\.0\.1:/127.0.0.2:/g' "$work/first" >"$work/elsewhere"
echo hello >"$work/text"
HADOOP_TOKEN_FILE_LOCATION=$work/forged refused token "DIGEST-MD5: digest response format violation"
HADOOP_TOKEN_FILE_LOCATION=$work/elsewhere refused token "no tickets in the default cache"
await_refused
! HADOOP_TOKEN_FILE_LOCATION=$work/text "$writer" --url "$hdfs_url" --path /test/text --conf "$work/conf-token" 2>"$work/text.log" ||
    fail "a file without tokens is taken"
grep -q "text: it is not a file of Hadoop's tokens" "$work/text.log" || fail "$(<"$work/text.log")"
