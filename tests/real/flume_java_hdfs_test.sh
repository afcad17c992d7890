#!/usr/bin/env bash
# Needs: flume hdfs
# A serializer in Java inside of the sink hdfs, which then runs as Flume's own class, with penstock and a real HDFS: a real Flume 1.11 and
# penstock get the same lines and the same keys, once with a serializer of sequence files (hdfs.writeFormat), too, and then the Java process is
# killed again and again (KILLS=N).
export FLUME_HADOOP=1
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
with_java_classes
server_begin hdfs

web_root=flume
part='' # of the test: the beginning of a directory
sink_keys() { # NAME
    if [[ $part ]]; then
        printf 'a1.sinks.k1.%s\n' "hdfs.fileType = SequenceFile" "hdfs.writeFormat = example.OwnRecords\$Builder" "writeFormat.mark = record"
    else
        printf 'a1.sinks.k1.%s\n' "hdfs.fileType = DataStream" "serializer = example.FramedSerializer\$Builder" "serializer.mark = $1"
    fi
    printf 'a1.sinks.k1.%s\n' "type = hdfs" "hdfs.path = hdfs://127.0.0.1:$server_port/flume/$part$1" \
        "hdfs.rollInterval = 0" "hdfs.rollSize = 0" "hdfs.rollCount = 700" "hdfs.batchSize = 50" "hdfs.minBlockReplicas = 1"
}
words() { # NAME; the value of a sequence file's record stands in the file as it is
    if [[ $part ]]; then
        lines "$part$1" | grep -ao 'record [0-9]* line-[0-9]* of the file äöü' || true
    else
        lines "$1" | sed -n 's/^{} \([^ ]*\) .*/\1/p'
    fi
}
same_input 2000
for engine in flume penstock; do lines $engine | sed "s/^$engine /NAME /" | sort >"$work/$engine.lines"; done
same "the lines" "$work/flume.lines" "$work/penstock.lines"
[[ $(grep -c 'NAME ends after 700' "$work/penstock.lines") == 2 && $(grep -c 'NAME begins' "$work/penstock.lines") == 3 ]] ||
    fail "the serializer did not write the first and last lines"

part=records-
same_input 2000
(($(sort -u "$work/penstock.words" | wc -l) == 2000)) || fail "$(sort -u "$work/penstock.words" | wc -l) records came, not 2000"
for file in $(files ${part}penstock); do
    web "${part}penstock/$file" OPEN "$work/record.file" || fail "$file cannot be read"
    head -c 80 "$work/record.file" | LC_ALL=C grep -aq '^SEQ.*org.apache.hadoop.io.LongWritable.*org.apache.hadoop.io.Text' || fail "$file is no sequence file of texts"
done

part=''
killed
