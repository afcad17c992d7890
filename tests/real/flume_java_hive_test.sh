#!/usr/bin/env bash
# Needs: flume hive hdfs
# A serializer in Java inside of the sink hive, which then runs as Flume's own class, with a real Hive: a real Flume 1.11 and penstock get the same
# lines and the same keys, in one agent also with Flume's own serializer, once as Flume's class (penstock.engine = java) and once as penstock's stage.
# Then the Java process is killed again and again (KILLS=N). The tables are in a real HDFS: on a local disk, what Hive's library has committed is
# there when it closes the file. It takes six large JVMs, so this is by hand, with HIVE_SINK=1.
export FLUME_HIVE=1
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
[[ ${HIVE_SINK:-} ]] || skip "without HIVE_SINK=1: takes a minute of CPU, and 0.7 GB of jars"
command -v javac >/dev/null || skip "no javac"
hdfs_end() {
    local code=$?
    "$here/hdfs" stop --dir "$work/hdfs" >/dev/null 2>&1 || true
    (exit "$code")
    server_end
}
server_begin hive
trap hdfs_end EXIT
"$here/hdfs" start --dir "$work/hdfs" --port $((server_port + 60)) >"$work/urls" 2>"$work/hdfs.log" || fail "HDFS does not start"
read -r hdfs_url <"$work/urls"
FLUME_CLASSPATH=$("$here/flume" classpath):$work/classes
export FLUME_CLASSPATH
mkdir "$work/classes"
java_compile "$work/classes" "$FLUME_CLASSPATH" "$here/java_servers/hive/MarkedRows.java" 2>"$work/javac.log" || fail "no class"
for package in lang net util util.concurrent; do JAVA_OPTS+=" --add-opens java.base/java.$package=ALL-UNNAMED"; done

declare -A tables=([flume]="own java native" [penstock]="own java native" [kill]=own)
sink_keys() { # NAME: the sinks of its tables
    local table i=0
    for table in ${tables[$1]}; do
        printf "a1.sinks.k$((++i)).%s\n" "type = hive" "hive.metastore = thrift://127.0.0.1:$server_port" "hive.database = far" \
            "hive.table = $1_$table" "hive.txnsPerBatchAsk = 10" "batchSize = 200" "callTimeout = 60000"
        case $table in
        own) printf "a1.sinks.k$i.%s\n" "serializer = example.MarkedRows" "serializer.mark = !" ;;
        *) printf "a1.sinks.k$i.%s\n" "serializer = DELIMITED" 'serializer.delimiter = " "' "serializer.fieldnames = id,,,,rest" ;;
        esac
        [[ $table != java ]] || echo "a1.sinks.k$i.penstock.engine = java"
    done
}
create="create database far location '$hdfs_url/external' managedlocation '$hdfs_url/managed';"
for name in "${!tables[@]}"; do
    for table in ${tables[$name]}; do
        create+="create table far.${name}_$table (id string, rest string) clustered by (id) into 2 buckets stored as orc tblproperties ('transactional'='true');"
    done
done
ask query "$create" >"$work/create.log" || fail "no tables"

words() { # NAME: its rows; of the killed agent's the first column
    local table select=''
    if [[ $1 == kill ]]; then
        select="select id from far.kill_own"
    else
        for table in ${tables[$1]}; do select+="select '$table', id, rest from far.$1_$table;"; done
    fi
    ask query "$select" 2>>"$work/query.log"
}
arrived() { # DIR: lines that are in all of its tables
    pause 1 # each look is a query
    words "${1##*/}" | cut -f 2 | sort | uniq -c | grep -c '^ *3 ' || true
}
sinks=3
same_input 500
(($(sort -u "$work/penstock.words" | wc -l) == 1500)) || fail "$(sort -u "$work/penstock.words" | wc -l) rows came, not 1500"
grep -qx $'own\tline-7\t! of the file äöü' "$work/penstock.words" || fail "the serializer did not make the rows"
grep -qx $'java\tline-7\täöü' "$work/penstock.words" || fail "Flume's serializer did not make the rows"
sinks=1
killed
