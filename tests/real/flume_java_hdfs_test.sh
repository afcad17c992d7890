#!/usr/bin/env bash
# Needs: flume hdfs
# A serializer in Java inside of the sink hdfs, which then runs as Flume's own class, with penstock and a real HDFS: a real Flume 1.11 and
# penstock get the same lines and the same keys, and then the Java process is killed again and again (KILLS=N).
export FLUME_HADOOP=1
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
with_java_classes
server_begin hdfs

sink_keys() { # NAME
    printf 'a1.sinks.k1.%s\n' "type = hdfs" "hdfs.path = hdfs://127.0.0.1:$server_port/flume/$1" "hdfs.fileType = DataStream" \
        "hdfs.rollInterval = 0" "hdfs.rollSize = 0" "hdfs.rollCount = 700" "hdfs.batchSize = 50" "hdfs.minBlockReplicas = 1" \
        "serializer = example.FramedSerializer\$Builder" "serializer.mark = $1"
}
web() { # PATH OPERATION
    curl -sfL --max-time 60 "http://127.0.0.1:$((server_port + 1))/webhdfs/v1/flume/$1?op=$2&user.name=$(id -un)"
}
files() { { web "$1" LISTSTATUS || true; } | grep -o '"pathSuffix":"[^"]*"' | cut -d '"' -f 4; } # NAME
lines() { # NAME: of its files, those that a killed writer left open among them
    local file
    for file in $(files "$1"); do web "$1/$file" OPEN || true; done
}
words() { lines "$1" | sed -n 's/^{} \([^ ]*\) .*/\1/p'; }
same_input 2000
for engine in flume penstock; do lines $engine | sed "s/^$engine /NAME /" | sort >"$work/$engine.lines"; done
same "the lines" "$work/flume.lines" "$work/penstock.lines"
[[ $(grep -c 'NAME ends after 700' "$work/penstock.lines") == 2 && $(grep -c 'NAME begins' "$work/penstock.lines") == 3 ]] ||
    fail "the serializer did not write the first and last lines"
killed
