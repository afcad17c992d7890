#!/usr/bin/env bash
# Config filter `hadoop`: values from a store that Hadoop made, in `check` and in an agent that runs.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

store=$(cd "$(dirname "${BASH_SOURCE[0]}")/../stages/data/stores" && pwd)/hadoop-password.jceks
unset HADOOP_CREDSTORE_PASSWORD
mkdir "$work/conf" "$work/other"
(umask 077 && echo storepass >"$work/conf/store.password")
cat >"$work/agent.properties" <<END
a1.configfilters = f1
a1.configfilters.f1.type = hadoop
a1.configfilters.f1.credential.provider.path = jceks://file$store
a1.configfilters.f1.credstore.java-keystore-provider.password-file = store.password
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 3
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/\${f1["db-password"]}
a1.sinks.k1.channel = c1
END
"$PENSTOCK" check -n a1 -c "$work/conf" -f "$work/agent.properties" >"$work/check.out" 2>"$work/check.err" || fail "check does not find the secret"
grep -q "writes files in $work/other," "$work/check.out" "$work/check.err" || fail "check does not use the secret"
"$PENSTOCK" agent -n a1 -c "$work/conf" -f "$work/agent.properties" >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
three_lines() { (($(cat "$work"/other/* 2>/dev/null | wc -l) == 3)); }
await "three events are in the directory that the store names" three_lines
stop_agent TERM 0

# A near miss of each: the password, the alias, the place of the password file.
misses() { # REASON ARGUMENT...
    local reason=$1
    shift
    "$PENSTOCK" check -n a1 "$@" >"$work/check.out" 2>"$work/check.err" || true
    grep -q "config filter f1: .*$reason" "$work/check.out" "$work/check.err" || fail "check does not say: $reason"
}
HADOOP_CREDSTORE_PASSWORD=storepass2 misses "the password of the store is wrong" -c "$work/conf" -f "$work/agent.properties"
misses "store.password" -f "$work/agent.properties"
sed 's/db-password/db-passwords/' "$work/agent.properties" >"$work/alias.properties"
misses "has the alias db-passwords" -c "$work/conf" -f "$work/alias.properties"
echo "the secrets are read"
