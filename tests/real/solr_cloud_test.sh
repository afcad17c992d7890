#!/usr/bin/env bash
# Needs: solr
# The sink solr with zkHost, and two nodes of a real SolrCloud: one of them is killed and comes back while lines arrive; each line is there once.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
export SOLR_CLOUD=2
server_begin solr
zookeeper=127.0.0.1:$(($(ask url | sed 's/.*127.0.0.1:\([0-9]*\).*/\1/') + 1000))

mkdir -p "$work/in"
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = taildir
a1.sources.r1.filegroups = f
a1.sources.r1.filegroups.f = $work/in/lines
a1.sources.r1.positionFile = $work/in/positions
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = solr
a1.sinks.k1.channel = c1
a1.sinks.k1.zkHost = $zookeeper
a1.sinks.k1.collection = flume
a1.sinks.k1.body = message
a1.sinks.k1.requestTimeout = 10000
EOF_
count() { ask values '*:*' message | wc -l; }
distinct() { ask values '*:*' message | sort -u | wc -l; }
has() { [[ $(distinct) == "$1" ]]; }

"$PENSTOCK" check --probe -n a1 -f "$work/agent.properties" >"$work/check.log" || fail "check --probe: $(cat "$work/check.log")"
# one node may lead both shards
grep -q "ok .*zkHost $zookeeper: [12] nodes" "$work/check.log" || fail "check --probe finds no node: $(cat "$work/check.log")"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.log" 2>&1 </dev/null &
agent=$!
children+=("$agent")
seq -f 'line %g' 1 1000 >"$work/in/lines"
await 120 has 1000 || fail "Solr has $(distinct) lines, not 1000: $(tail -3 "$work/agent.log")"
second=$(ask pids | sed -n 2p)
kill -KILL "$second" # ZooKeeper is in the first one
seq -f 'line %g' 1001 3000 >>"$work/in/lines"
await 120 has 3000 || fail "Solr has $(distinct) lines, not 3000: $(tail -3 "$work/agent.log")"
[[ $(count) == 3000 ]] || fail "documents came twice: $(count)"
kill -TERM "$agent"
wait "$agent" || fail "the agent ends with $?"
echo "3,000 lines, one of two nodes killed: each is there once"
