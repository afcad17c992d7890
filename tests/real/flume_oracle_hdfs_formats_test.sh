#!/usr/bin/env bash
# Needs: flume
# The sink hdfs on the local disk compared with a real Flume's: codecs and serializers that flume_oracle_hdfs_test.sh leaves out. Each
# file gets its events in one transaction: behind a flush in the middle nobody can read Flume's gzip (HADOOP-8522). Hadoop reads the
# compressed files, Flume's Avro library those of Avro. Not lz4, snappy and zstandard, for which this Hadoop needs native
# libraries: tests/stages/lib/hadoop/file/writer_test.c has files of theirs.
export FLUME_HADOOP=1
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

sinks="gzip zlib blocks event packed literal url"
for ((i = 0; i < 400; i++)); do printf 'event %03d\n' $i; done >"$work/events" # nine bytes each
echo '{"type":"fixed","name":"Nine","size":9}' >"$work/nine.avsc"

agent_file() {
    local sink
    cat <<-EOF_
	a1.sources = r1 r2
	a1.channels = $sinks
	a1.sinks = $sinks
	a1.sources.r1.channels = ${sinks/literal/}
	a1.sources.r1.interceptors = t
	a1.sources.r2.channels = literal
	a1.sources.r2.interceptors = t i1
	a1.sources.r2.interceptors.i1.type = static
	a1.sources.r2.interceptors.i1.key = flume.avro.schema.literal
	a1.sources.r2.interceptors.i1.value = {"type":"fixed","name":"Literal","size":9}
	a1.sinks.gzip.hdfs.fileType = CompressedStream
	a1.sinks.gzip.hdfs.codeC = gzip
	a1.sinks.gzip.hdfs.fileSuffix = .log.gz
	a1.sinks.zlib.hdfs.fileType = CompressedStream
	a1.sinks.zlib.hdfs.codeC = DefaultCodec
	a1.sinks.zlib.serializer = header_and_text
	a1.sinks.blocks.hdfs.fileType = SequenceFile
	a1.sinks.blocks.hdfs.codeC = bzip2
	a1.sinks.event.hdfs.fileType = DataStream
	a1.sinks.event.serializer = avro_event
	a1.sinks.event.serializer.syncIntervalBytes = 500
	a1.sinks.packed.hdfs.fileType = DataStream
	a1.sinks.packed.hdfs.fileSuffix = .packed
	a1.sinks.packed.serializer = avro_event
	a1.sinks.packed.serializer.compressionCodec = deflate
	a1.sinks.literal.hdfs.fileType = DataStream
	a1.sinks.literal.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder
	a1.sinks.url.hdfs.fileType = DataStream
	a1.sinks.url.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder
	a1.sinks.url.serializer.schemaURL = file://$work/nine.avsc
	a1.sinks.url.serializer.syncIntervalBytes = 1000
	a1.sinks.url.serializer.compressionCodec = deflate
	EOF_
    for source in r1 r2; do
        cat <<-EOF_
		a1.sources.$source.type = exec
		a1.sources.$source.command = cat $work/events
		a1.sources.$source.batchSize = 400
		a1.sources.$source.batchTimeout = 60000
		a1.sources.$source.interceptors.t.type = static
		a1.sources.$source.interceptors.t.key = timestamp
		a1.sources.$source.interceptors.t.value = 1700000123456
		EOF_
    done
    for sink in $sinks; do
        cat <<-EOF_
		a1.channels.$sink.type = memory
		a1.channels.$sink.capacity = 1000
		a1.channels.$sink.transactionCapacity = 1000
		a1.sinks.$sink.type = hdfs
		a1.sinks.$sink.channel = $sink
		a1.sinks.$sink.hdfs.path = file://$1/$sink
		a1.sinks.$sink.hdfs.useRawLocalFileSystem = true
		a1.sinks.$sink.hdfs.batchSize = 400
		a1.sinks.$sink.hdfs.rollInterval = 0
		a1.sinks.$sink.hdfs.rollSize = 0
		a1.sinks.$sink.hdfs.rollCount = 400
		a1.sinks.$sink.hdfs.idleTimeout = 2
		EOF_
    done
}
arrived() { # files that are complete
    find "$1" -type f ! -name '*.tmp' | wc -l
}
both 7

for engine in flume penstock; do
    (cd "$work/$engine" && find . -type f | sed -E 's/[0-9]{13}/NUMBER/' | sort) >"$work/$engine.text"
done
same names "$work/flume.text" "$work/penstock.text"
mkdir "$work/conf"
echo '<configuration/>' >"$work/conf/core-site.xml" # the shell demands one
# One JVM reads all files. In front of each one it prints a mark, `-- ENGINE SINK`.
cut_at_marks() { # FILE: into $work/ENGINE.SINK
    awk -v work="$work" '/^-- (flume|penstock) [a-z]+$/ { file = work "/" $2 "." $3; printf "" >file; next } { print >file }' "$1"
}
files=()
for sink in gzip zlib blocks; do
    for engine in flume penstock; do
        echo "-- $engine $sink" >"$work/mark.$engine.$sink"
        files+=("$work/mark.$engine.$sink" "$work/$engine/$sink"/*)
    done
done
FLUME_LOG=ERROR FLUME_CLASSPATH=$work/conf "$here/flume" run org.apache.hadoop.fs.FsShell -text "${files[@]}" 2>"$work/shell.log" >"$work/shell" ||
    fail "Hadoop does not read a file: $(tail -n 2 "$work/shell.log")"
cut_at_marks "$work/shell"
for sink in gzip zlib blocks; do
    for engine in flume penstock; do (($(wc -l <"$work/$engine.$sink") == 400)) || fail "$engine: $(wc -l <"$work/$engine.$sink") records of $sink"; done
    same "records of $sink" "$work/flume.$sink" "$work/penstock.$sink"
done
files=()
for sink in event packed literal url; do
    for engine in flume penstock; do files+=("-- $engine $sink" "$work/$engine/$sink"/*); done
done
avro_dump "${files[@]}" 2>"$work/avro_dump.log" >"$work/avro_dump.out" || fail "Avro does not read a file"
cut_at_marks "$work/avro_dump.out"
for sink in event packed literal url; do same "Avro's records of $sink" "$work/flume.$sink" "$work/penstock.$sink"; done
