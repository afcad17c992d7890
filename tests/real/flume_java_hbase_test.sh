#!/usr/bin/env bash
# Needs: flume hbase
# Flume's sink hbase2 in Java (penstock.engine = java), with penstock and a real HBase: a real Flume 1.11 and penstock get the same lines and the same
# keys, and then the Java process is killed again and again (KILLS=N). HBase's jars come from `hbase classpath`, as in bin/flume-ng.
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
server_begin hbase

# The jars lack HBase's command: this one answers what a client is asked for.
export HBASE_HOME=$work/home
mkdir -p "$HBASE_HOME"/{bin,conf}
cat >"$HBASE_HOME/bin/hbase" <<EOF_
#!/bin/sh
[ "\$1" = classpath ] && echo '$("$here/hbase" classpath)'
EOF_
chmod +x "$HBASE_HOME/bin/hbase"
cat >"$work/flume_with_jars" <<EOF_
#!/bin/sh
FLUME_CLASSPATH='$("$here/flume" classpath):$("$here/hbase" classpath)' exec '$here/flume' "\$@"
EOF_
chmod +x "$work/flume_with_jars"
engines[flume]=$work/flume_with_jars
FLUME_CLASSPATH=$("$here/flume" classpath)
export FLUME_CLASSPATH

for name in flume penstock kill; do ask create $name f; done
sink_keys() { # NAME
    printf 'a1.sinks.k1.%s\n' "type = hbase2" "penstock.engine = java" "table = $1" "columnFamily = f" "zookeeperQuorum = $(ask url)" "batchSize = 50" \
        "serializer = org.apache.flume.sink.hbase2.SimpleHBase2EventSerializer" "serializer.payloadColumn = body"
}
words() { ask values "$1" f:body | cut -d ' ' -f 1; }
same_input 2000
grep -q "note: hbase: the output of .$HBASE_HOME/bin/hbase classpath. is appended to Flume's class path" "$work/penstock.log" ||
    fail "the log does not say that HBase's class path is used"
killed
