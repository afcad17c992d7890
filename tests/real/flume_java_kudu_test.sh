#!/usr/bin/env bash
# Needs: flume kudu
# The KuduSink in Java (penstock.engine = java) with penstock and a real Kudu: a real Flume 1.11 and penstock get the same lines and the same keys,
# and then the Java process is killed again and again (KILLS=N). The sink is not on Maven Central: KUDU_SINK=FILE is its jar, compiled from
# java/kudu-flume-sink of Kudu 1.9.0, which was its last, against the jars of Flume and of Kudu's client.
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
[[ -r ${KUDU_SINK:-} ]] || skip "no KUDU_SINK=FILE, the jar of the sink, which Maven Central does not have"
server_begin kudu
FLUME_CLASSPATH=$(FLUME_HADOOP=1 "$here/flume" classpath):$KUDU_SINK:$("$here/kudu" classpath)
export FLUME_CLASSPATH

for name in flume penstock kill; do ask create $name >"$work/create.log"; done
sink_keys() { # NAME
    printf 'a1.sinks.k1.%s\n' "type = org.apache.kudu.flume.sink.KuduSink" "masterAddresses = $(ask url)" "tableName = $1" "batchSize = 50" "penstock.engine = java" \
        "producer = org.apache.kudu.flume.sink.SimpleKuduOperationsProducer"
}
words() { { ask values "$1" || true; } | sed -n 's/^(binary payload="\([^ "]*\).*/\1/p'; }
same_input 2000
killed
