#!/usr/bin/env bash
# Needs: flume hdfs kite
# The DatasetSink of Flume 1.9, which exists only in Java, with penstock, Kite and a real HDFS: a real Flume 1.9 and penstock get the same lines
# and the same keys, and then the Java process is killed again and again (KILLS=N).
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
"$here/kite" fetch >"$work/fetch.log" 2>&1 || skip "Kite's jars cannot be fetched"
command -v javac >/dev/null || skip "no javac"
server_begin hdfs
engines[flume]=$here/old_flume
FLUME_CLASSPATH=$("$here/old_flume" classpath):$work/classes:$("$here/kite" classpath)
export FLUME_CLASSPATH
mkdir "$work/classes"
java_compile "$work/classes" "$FLUME_CLASSPATH" "$here/java_servers/kite/LineParser.java" 2>"$work/javac.log" || fail "no class"

dataset() { echo "dataset:hdfs://127.0.0.1:$server_port/datasets/$1"; }
"$here/kite" create "$(dataset flume)" "$(dataset penstock)" "$(dataset kill)" >"$work/create.log" 2>&1 || fail "no datasets"
sink_keys() { # NAME
    printf 'a1.sinks.k1.%s\n' "type = org.apache.flume.sink.kite.DatasetSink" "kite.dataset.uri = $(dataset "$1")" "kite.batchSize = 50" \
        "kite.rollInterval = 5" "kite.entityParser = example.LineParser\$Builder"
}
web_root=datasets
words() { # of all files of a dataset, those that a killed writer left unfinished among them; the records are not compressed
    lines "$1" avro | { LC_ALL=C grep -aoE '(line|w)-[0-9]+ ' || true; } | tr -d ' '
}
same_input 2000
killed
