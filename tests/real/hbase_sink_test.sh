#!/usr/bin/env bash
# Needs: flume hbase
# The native sink hbase2 and a real HBase: a real Flume 1.11 and penstock get the same lines and the same keys, and make the same rows and cells;
# then the agent is killed again and again (KILLS=N), and HBase once: behind taildir each line is there, and none twice. Then HBase is frozen, and a table read-only and disabled.
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
# shellcheck source=tests/real/store_kills.sh
source "$here/store_kills.sh"
server_begin hbase
cat >"$work/flume_with_jars" <<EOF_
#!/bin/sh
FLUME_CLASSPATH='$("$here/flume" classpath):$("$here/hbase" classpath)' exec '$here/flume' "\$@"
EOF_
chmod +x "$work/flume_with_jars"
engines[flume]=$work/flume_with_jars
unset HBASE_CONF_DIR HBASE_HOME

# ---- beside Flume ----

# The word of a line is the row's key; a column for each header.
for name in flume penstock; do ask create $name f; done
sink_keys() { # NAME
    printf 'a1.sources.r1.%s\n' "interceptors = i1" "interceptors.i1.type = static" "interceptors.i1.key = from" "interceptors.i1.value = here"
    printf 'a1.sinks.k1.%s\n' "type = hbase2" "table = $1" "columnFamily = f" "zookeeperQuorum = $(ask url)" "batchSize = 50" \
        "serializer = org.apache.flume.sink.hbase2.RegexHBase2EventSerializer" "serializer.regex = (([a-z]+-[0-9]+) .*)" \
        "serializer.colNames = body,ROW_KEY" "serializer.rowKeyIndex = 1" "serializer.depositHeaders = true"
}
words() { ask values "$1" f:body | cut -d ' ' -f 1; }
same_input 2000
for engine in flume penstock; do ask cells $engine | sort >"$work/$engine.cells"; done
same "the cells" "$work/flume.cells" "$work/penstock.cells"
grep -qxF -- 'line-7 f:from here' "$work/penstock.cells" || fail "a header has no cell"

# ---- kills ----

ask create kill f
mkdir -p "$work/logs" "$work/kill"
printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = taildir" "sources.r1.channels = c1" "sources.r1.filegroups = g" \
    "sources.r1.filegroups.g = $work/logs/.*" "sources.r1.positionFile = $work/kill/positions.json" "channels.c1.type = memory" \
    "channels.c1.capacity = 10000" "channels.c1.transactionCapacity = 1000" "sinks.k1.channel = c1" "sinks.k1.type = hbase2" \
    "sinks.k1.table = kill" "sinks.k1.columnFamily = f" "sinks.k1.zookeeperQuorum = $(ask url)" "sinks.k1.batchSize = 100" \
    "sinks.k1.serializer.payloadColumn = body" "sinks.k1.serializer.incrementColumn = events" >"$work/kill.properties"
"$PENSTOCK" check --probe -n a1 -f "$work/kill.properties" >"$work/check.log" || fail "check --probe"
grep -q 'ok .* table kill, family f: the region server .* answers$' "$work/check.log" || fail "check --probe does not find the table"
for wrong in 'table = kill/table = none:it does not exist' 'columnFamily = f/columnFamily = g:the table has no such family'; do
    sed "s/${wrong%:*}/" "$work/kill.properties" >"$work/wrong.properties"
    "$PENSTOCK" check --probe -n a1 -f "$work/wrong.properties" >"$work/check.log" && fail "check --probe finds what is not there"
    grep -q "FAILED .*: ${wrong#*:}; create it" "$work/check.log" || fail "check --probe does not say: ${wrong#*:}"
done
kills=${KILLS:-12} each=1000
agent() {
    "$PENSTOCK" agent -n a1 -f "$work/kill.properties" >>"$work/kill.log" 2>&1 </dev/null &
    agent=$!
}
lines=0
for ((kill = 0; kill < kills; kill++)); do
    agent
    seq $((lines + 1)) $((lines + each)) | sed 's/^/w-/' >>"$work/logs/app.log"
    ((lines += each))
    sleep "0.$((RANDOM % 9 + 1))"
    kill -KILL $agent
    wait $agent 2>/dev/null || true
    if ((kill == kills / 2)); then
        ask stop
        ask start >/dev/null
    fi
done
agent
for ((i = 0; i < 1200; i++)); do
    ask values kill f:body >"$work/kill.values" || true
    (($(sort -u "$work/kill.values" | wc -l) < lines)) || break
    sleep 0.1
done
seq 1 $lines | sed 's/^/w-/' | sort >"$work/kill.expected"
sort "$work/kill.values" >"$work/kill.sorted"
same "the lines after $kills kills" "$work/kill.expected" "$work/kill.sorted"
counted=$(printf %b "$(ask cells kill | sed -n 's/^incRow f:events //p')" | od -An -tu8 --endian=big)
echo "$kills kills of the agent, and HBase started again: $lines lines, each once; the row of increments counts $((counted))"
((counted >= lines)) || fail "the row of increments counts $((counted)) of $lines"

# ---- frozen ----

mapfile -t pids < <(ask pids)
kill -STOP "${pids[@]}"
seq $((lines + 1)) $((lines + each)) | sed 's/^/w-/' >>"$work/logs/app.log"
((lines += each))
sleep 20
kill -CONT "${pids[@]}"
for ((i = 0; i < 600; i++)); do
    ask values kill f:body >"$work/kill.values" || true
    (($(sort -u "$work/kill.values" | wc -l) < lines)) || break
    sleep 0.1
done
seq 1 $lines | sed 's/^/w-/' | sort >"$work/kill.expected"
sort "$work/kill.values" >"$work/kill.sorted"
same "the lines after a freeze of 20 s" "$work/kill.expected" "$work/kill.sorted"
kill -TERM $agent
wait $agent || fail "the agent ends with $?"

# ---- behind a file channel ----

ask create store f
words_of_store() { ask values store f:body | cut -d ' ' -f 1; }
store_kills words_of_store <<EOF_
type = hbase2
table = store
columnFamily = f
zookeeperQuorum = $(ask url)
batchSize = 100
serializer.payloadColumn = body
EOF_

# ---- a table that takes nothing for a while ----

ask create trouble f
trouble_words() { ask values trouble f:body | cut -d ' ' -f 1; }
trouble_begin trouble <<EOF_
type = hbase2
table = trouble
columnFamily = f
zookeeperQuorum = $(ask url)
serializer.payloadColumn = body
EOF_
trouble_lines 50
trouble_ends
for state in 'readonly writable is read only' 'disabled enabled not (enabled|serving)|NotServing|no region'; do
    read -r bad good says <<<"$state"
    ask state trouble "$bad" || fail "the table does not become $bad"
    trouble_lines 50
    trouble_holds "$says"
    ask state trouble "$good" || fail "the table does not become $good"
    trouble_ends
done
stop TERM
echo "$trouble_count lines, each once, though the table was read-only and disabled"
