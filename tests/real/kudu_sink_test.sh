#!/usr/bin/env bash
# Needs: kudu
# The native sink kudu and a real Kudu: values of every type, and rows of each partition; then the agent is killed again and again (KILLS=N), and
# Kudu once: behind taildir each line is there, and none twice, while a tenth of the lines, which the table cannot have, becomes dead letters.
# Then Kudu is frozen, and a partition is added for which rows have waited. At last three masters and three tablet servers, one killed after the other.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
# shellcheck source=tests/real/store_kills.sh
source "$here/store_kills.sh"
server_begin kudu

flow() { # NAME TABLE PRODUCER: the agent's file; further keys of the sink come from the standard input
    mkdir -p "$work/$1.logs"
    printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = taildir" "sources.r1.channels = c1" "sources.r1.filegroups = g" \
        "sources.r1.filegroups.g = $work/$1.logs/.*" "sources.r1.positionFile = $work/$1.positions.json" "channels.c1.type = memory" \
        "channels.c1.capacity = 10000" "channels.c1.transactionCapacity = 1000" "sinks.k1.channel = c1" \
        "sinks.k1.type = org.apache.kudu.flume.sink.KuduSink" "sinks.k1.masterAddresses = $(ask url)" "sinks.k1.tableName = $2" \
        "sinks.k1.producer = org.apache.kudu.flume.sink.${3}KuduOperationsProducer"
    sed 's/^/a1.sinks.k1./'
}
agent() { # NAME
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" >>"$work/$1.log" 2>&1 </dev/null &
    agent=$!
    children+=($!)
}
stop_agent() {
    kill -TERM $agent
    wait $agent || fail "the agent ends with $?"
}
rows() { { ask rows "$1" || true; } | grep '^(' || true; }
wait_for_rows() { # TABLE COUNT
    local i
    for ((i = 0; i < 300; i++)); do
        (($(rows "$1" | wc -l) < $2)) || return 0
        sleep 0.1
    done
    fail "$1 has $(rows "$1" | wc -l) rows and not $2"
}

# ---- types and partitions ----

column() { echo "{\"column_name\": \"$1\", \"column_type\": \"$2\"${3:+, $3}}"; }
nullable='"is_nullable": true'
decimal() { echo "$nullable, \"type_attributes\": {\"precision\": $1, \"scale\": $2}"; }
columns=$(column number INT32),$(column name STRING),$(column b BOOL "$nullable"),$(column i8 INT8 "$nullable"),$(column i16 INT16 "$nullable")
columns+=,$(column i64 INT64 "$nullable"),$(column f FLOAT "$nullable"),$(column d DOUBLE "$nullable"),$(column at UNIXTIME_MICROS "$nullable")
columns+=,$(column day DATE "$nullable"),$(column small DECIMAL "$(decimal 9 2)"),$(column large DECIMAL "$(decimal 38 3)")
columns+=,$(column short VARCHAR "$nullable, \"type_attributes\": {\"length\": 4}"),$(column bytes BINARY "$nullable")
range() { echo "{\"lower_bound\": {\"bound_type\": \"inclusive\", \"bound_values\": [\"$1\"]}, \"upper_bound\": {\"bound_type\": \"exclusive\", \"bound_values\": [\"$2\"]}}"; }
ask make types "{\"columns\": [$columns], \"key_column_names\": [\"number\", \"name\"]}" \
    "{\"hash_partitions\": [{\"columns\": [\"name\", \"number\"], \"num_buckets\": 3, \"seed\": 7}], \"range_partition\": {\"columns\": [\"number\"],
        \"range_bounds\": [$(range -100 0), $(range 0 1000)]}}"
pattern='(?<number>[^|]*)'
for name in name b i8 i16 i64 f d at day small large short bytes; do pattern+="[|](?<$name>[^|]*)"; done
flow types types Regexp >"$work/types.properties" <<EOF_
producer.pattern = $pattern
penstock.requests = 4
EOF_
"$PENSTOCK" check --probe -n a1 -f "$work/types.properties" >"$work/check.log" || fail "check --probe"
grep -q 'ok .* table types: 14 columns, of the key: number, name$' "$work/check.log" || fail "check --probe does not describe the table"
sed 's/tableName = types/tableName = none/' "$work/types.properties" >"$work/none.properties"
"$PENSTOCK" check --probe -n a1 -f "$work/none.properties" >"$work/check.log" && fail "check --probe finds a table that is not there"
grep -q 'FAILED .* the table none does not exist; create it' "$work/check.log" || fail "check --probe does not say that the table is missing"
for ((i = -100; i < 1000; i += 20)); do
    echo "$i|name-$i|true|-8|-1600|64000000000|1.5|2.25|1700000000000000|2024-02-29|$i.5|12345678901234567890123456789.001|äbcdefg|bytes$i"
done >"$work/types.logs/lines"
agent types
wait_for_rows types 55
rows types >"$work/types.rows"
expected='(int32 number=700, string name="name-700", bool b=true, int8 i8=-8, int16 i16=-1600, int64 i64=64000000000, float f=1.5, double d=2.25,'
expected+=' unixtime_micros at=2023-11-14T22:13:20.000000Z, date day=2024-02-29, decimal small=70050_D32, decimal'
expected+=' large=12345678901234567890123456789001_D128, varchar short="äbcd", binary bytes="bytes700")'
grep -qxF "$expected" "$work/types.rows" || fail "the row is $(grep number=700 "$work/types.rows")"

# Rows for which there is no partition wait, and others do not.
echo "2000|late|true|1|1|1|1|1|1|2024-01-01|1|1|a|a" >>"$work/types.logs/lines"
sleep 1
echo "1|late|true|1|1|1|1|1|1|2024-01-01|1|1|a|a" >>"$work/types.logs/lines"
wait_for_rows types 56
grep -q 'no partition of the table covers the row' "$work/types.log" || fail "the log does not say why a row waits"
ask partition types '[1000]' '[3000]'
wait_for_rows types 57
# A range with other hash buckets than the table's: the row's key is another one.
echo "5000|later|true|1|1|1|1|1|1|2024-01-01|1|1|a|a" >>"$work/types.logs/lines"
sleep 1
ask partition types '[4000]' '[6000]' '--hash_schema={"hash_schema": [{"columns": ["name"], "num_buckets": 5}]}'
wait_for_rows types 58
stop_agent

# ---- kills, with a tenth that the table cannot have ----

ask make kill "{\"columns\": [$(column id STRING),$(column number INT8),$(column line STRING)], \"key_column_names\": [\"id\"]}" \
    '{"hash_partitions": [{"columns": ["id"], "num_buckets": 4}]}'
mkdir -p "$work/dead"
flow kill kill Regexp >"$work/kill.properties" <<EOF_
producer.pattern = (?<number>\\\\d+) (?<line>.*)
producer.operation = insert
producer.penstock.keyColumn = id
penstock.ids = identity
penstock.deadletter = $work/dead
batchSize = 100
EOF_
kills=${KILLS:-12} each=1000 lines=0
more() { # a number that is too large is in each tenth line
    seq $((lines + 1)) $((lines + each)) | sed 's/.*/7 w-&/; s/^7\( w-.*0\)$/700\1/' >>"$work/kill.logs/app.log"
    ((lines += each))
}
expect_lines() { # WHAT
    wait_for_rows kill $((lines * 9 / 10))
    rows kill | sed -n 's/.*string line="\(.*\)")/\1/p' | sort >"$work/kill.lines"
    seq 1 $lines | grep -v '0$' | sed 's/^/w-/' | sort >"$work/kill.expected"
    same "the lines after $1" "$work/kill.expected" "$work/kill.lines"
}
for ((kill = 0; kill < kills; kill++)); do
    agent kill
    more
    sleep "0.$((RANDOM % 9 + 1))"
    kill -KILL $agent
    wait $agent 2>/dev/null || true
    if ((kill == kills / 2)); then
        ask stop
        ask start >/dev/null
    fi
done
agent kill
expect_lines "$kills kills"
for ((i = 0; i < 600; i++)); do
    dead=$(cat "$work"/dead/* 2>/dev/null | grep -aoE '700 w-[0-9]+0' | sort -u | wc -l)
    ((dead < lines / 10)) || break
    sleep 0.1
done
((dead == lines / 10)) || fail "$dead of $((lines / 10)) lines that the table cannot have are dead letters"
echo "$kills kills of the agent, and Kudu started again: $((lines * 9 / 10)) lines in the table, each once, and $dead dead letters"

# ---- Kudu killed and frozen under load ----

for ((i = 0; i < 3; i++)); do
    more
    mapfile -t pids < <(ask pids)
    kill -KILL "${pids[@]}"
    ask stop
    ask start >/dev/null
done
expect_lines "three kills of Kudu"
mapfile -t pids < <(ask pids)
kill -STOP "${pids[@]}"
more
sleep 20
kill -CONT "${pids[@]}"
expect_lines "a freeze of 20 s"
stop_agent

# ---- behind a file channel ----

ask make store "{\"columns\": [$(column id STRING),$(column line STRING)], \"key_column_names\": [\"id\"]}" \
    '{"hash_partitions": [{"columns": ["id"], "num_buckets": 4}]}'
words() { rows store | sed -n 's/.*string line="\([^ ]*\) .*")/\1/p'; }
store_kills words <<EOF_
type = org.apache.kudu.flume.sink.KuduSink
masterAddresses = $(ask url)
tableName = store
producer = org.apache.kudu.flume.sink.RegexpKuduOperationsProducer
producer.pattern = (?<line>.+)
producer.operation = insert
producer.penstock.keyColumn = id
penstock.ids = identity
batchSize = 100
EOF_

# ---- three masters, three tablet servers, three replicas: leaders are killed under load ----

ask stop
export NODES=3
rm -r "$work/kudu"
ask start >/dev/null
ask make three "{\"columns\": [$(column id STRING),$(column line STRING)], \"key_column_names\": [\"id\"]}" \
    '{"hash_partitions": [{"columns": ["id"], "num_buckets": 6}]}'
flow three three Regexp >"$work/three.properties" <<EOF_
producer.pattern = (?<line>.+)
producer.operation = insert
producer.penstock.keyColumn = id
penstock.ids = identity
EOF_
agent three
lines=30000
for ((i = 0; i < lines; i += 100)); do
    seq $((i + 1)) $((i + 100))
    sleep 0.05
done >>"$work/three.logs/app.log" &
children+=($!)
feeder=$!
for node in 0 1 2; do
    ask again tserver $node 1.5
    ask again master $node 1.5
    sleep 1
done
wait $feeder
unset 'children[-1]'
wait_for_rows three $lines
rows three | sed -n 's/.*string line="\(.*\)")/\1/p' | sort >"$work/three.lines"
seq 1 $lines | sort >"$work/three.expected"
same "the lines after kills of leaders" "$work/three.expected" "$work/three.lines"
stop_agent
