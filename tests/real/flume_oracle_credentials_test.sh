#!/usr/bin/env bash
# Needs: flume
# Config filter hadoop compared with a real Flume's: stores of Hadoop's own tool and of keytool, with the password "none", of a file and
# of the environment; and what gives no value: another password, a missing alias, store or password file. Every reference is in one
# value, so that each Flume starts once. penstock names the reason of each refusal.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v keytool >/dev/null || skip "no keytool"
export FLUME_HADOOP=1 FLUME_CLASSPATH=$work/conf
unset HADOOP_CREDSTORE_PASSWORD

mkdir "$work/conf"
(umask 077 && printf ' storepass \r\n\n' >"$work/conf/store.password" && echo other >"$work/conf/wrong.password")
# Java hashes a password 200,000 times for each secret that it stores or reads; ten thousand times is the least. The store of keytool has the former.
credential() { # STORE ALIAS SECRET
    "$here/flume" run -Djdk.jceks.iterationCount=10000 org.apache.hadoop.security.alias.CredentialShell create "$2" -value "$3" -provider "localjceks://file$work/$1.jceks" \
        >>"$work/hadoop.log" 2>&1 || fail "Hadoop does not store $2"
}
long=$(printf 'x%.0s' {1..4096})
credential none db-password "s3crét \$pass \\ \${none[Mixed]} "
credential none Mixed "€ 𝄞"
credential none long "$long"
HADOOP_CREDSTORE_PASSWORD=storepass credential closed token "of a store with a password"
echo tools-secret | keytool -J-XX:TieredStopAtLevel=1 -importpass -alias tool -storetype JCEKS -keystore "$work/keytool.jceks" -storepass storepass -keypass storepass \
    >"$work/keytool.log" 2>&1 || fail "keytool stores nothing"
head -c 300 "$work/none.jceks" >"$work/broken.jceks"
before=$(sha256sum "$work"/*.jceks)

declare -A paths=() passwords=() # of filters
references=''
filter() { # NAME PATH [PASSWORD-FILE]
    paths[$1]=$2 passwords[$1]=${3:-}
}
refer() { references+="|$1"; }
in_file=jceks://file
filter none "$in_file$work/none.jceks"
filter local "localjceks://file$work/none.jceks"
filter slashes "$in_file/$work/none.jceks"
filter closed "$in_file$work/closed.jceks" store.password
filter keytool "$in_file$work/keytool.jceks" store.password
filter wrong "$in_file$work/closed.jceks" wrong.password
filter unset "$in_file$work/closed.jceks"
filter nowhere "$in_file$work/closed.jceks" nowhere.password
filter gone "$in_file$work/gone.jceks"
filter broken "$in_file$work/broken.jceks"
filter several "$in_file$work/closed.jceks,localjceks://file$work/keytool.jceks" store.password
filter gone_first "$in_file$work/gone.jceks,$in_file$work/none.jceks"
filter broken_first "$in_file$work/broken.jceks,$in_file$work/none.jceks"
filter broken_later "$in_file$work/none.jceks,$in_file$work/broken.jceks"
filter gone_later "$in_file$work/none.jceks,$in_file$work/gone.jceks"
refer "\${none[\"db-password\"]}"
refer "\${none['Mixed']}\${none[mixed]}\${none[MIXED]}"
refer "\${none[long]}"
refer "\${local[mixed]}"
refer "\${slashes[mixed]}"
refer "a\${closed[token]}b\${closed['token']}c\${keytool[tool]}d"
refer "\${several[tool]} \${several[token]}"
refer "\${gone_first[mixed]}"
refer "\${wrong[token]}"
refer "\${unset[token]}"
refer "\${nowhere[token]}"
refer "\${none[missing]}"
refer "\${gone[mixed]}"
refer "\${broken[mixed]}"
refer "\${broken_first[mixed]}"
refer "\${broken_later[mixed]}"
refer "\${gone_later[mixed]}"

agent_file() {
    local name
    mkdir -p "$1/out"
    printf 'a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.configfilters = %s\n' "${!paths[*]}"
    for name in "${!paths[@]}"; do
        printf "a1.configfilters.$name.%s\n" "type = hadoop" "credential.provider.path = ${paths[$name]}"
        [[ -z ${passwords[$name]} ]] || echo "a1.configfilters.$name.credstore.java-keystore-provider.password-file = ${passwords[$name]}"
    done
    cat <<-EOF_
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = 1
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = secrets
	a1.sources.r1.interceptors.i1.value = $references
	a1.channels.c1.type = memory
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $1/out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.sink.serializer = header_and_text
	EOF_
}
printf '#!/bin/sh\nexec "%s" "$@" -c "%s"\n' "$PENSTOCK" "$work/conf" >"$work/with_conf"
chmod +x "$work/with_conf"
engines[penstock]=$work/with_conf
lines() { tr '|' '\n'; }
both 1
same_content "values" out lines
[[ $(grep -cF "tools-secret" "$work/penstock.text") == 2 ]] || fail "the secrets are not there"
refused() { # FILTER REASON
    grep -qE "config filter $1: .*$2" "$work/penstock.log" || fail "penstock does not say why filter $1 has no value: $2"
}
refused wrong "closed.jceks: the password of the store is wrong"
refused unset "closed.jceks: the password of the store is wrong"
refused nowhere "nowhere.password"
refused none "has the alias missing"
refused gone "gone.jceks"
refused broken "broken.jceks: "
refused broken_first "broken.jceks: "
refused broken_later "broken.jceks: "

# The environment's password comes before that of the file.
export HADOOP_CREDSTORE_PASSWORD=storepass
rm -r "$work/flume" "$work/penstock"
both 1
same_content "values with the password of the environment" out lines
grep -qF "of a store with a password" <(grep -F 'wrong[' -v "$work/penstock.text") || fail "the secret is not there"
refused none "none.jceks: the password of the store is wrong"
[[ $(sha256sum "$work"/*.jceks) == "$before" ]] || fail "a store has changed"
