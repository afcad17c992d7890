#!/usr/bin/env bash
# Needs: flume
# All codecs of Avro container files, between penstock and Avro's Java library: files that Java writes are read by spooldir's deserializer
# avro; files that the serializer avro_event writes are read by Java. And records on their way from file to file with their schema in a
# header, as Flume's AvroEventSerializer writes them: the same records, in the schema that they had. Which schemas it takes is Java's
# word: the table that the unit test of the rules reads.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

codecs="null deflate snappy bzip2 xz zstandard"
events=1000

zstd=${ZSTD_JNI:-$("$here/extras" jar zstd 2>"$work/fetch.log" || true)}
if [[ ! -e $zstd ]]; then
    echo "SKIP PART: zstandard: $(tail -n 1 "$work/fetch.log")"
    codecs=${codecs% zstandard}
fi
classpath=$zstd:$("$here/flume" classpath 2>/dev/null)
java_classes "$work/classes" "$classpath" "$here"/Avro{Dump,Write,Schemas}.java >"$work/javac.log" 2>&1 || fail "javac"
classpath=$work/classes:$classpath

files=() # one JVM writes all of them
for codec in $codecs; do
    mkdir -p "$work/$codec/spool" "$work/$codec/out"
    files+=("$work/$codec/spool/java.avro" "$codec")
done
java -XX:TieredStopAtLevel=1 -cp "$classpath" AvroWrite $events "${files[@]}" >"$work/java.log" 2>&1 || fail "Java does not write a codec"

mkdir -p "$work/datum/spool" "$work/datum/out"
cp "$work/null/spool/java.avro" "$work/datum/spool"

# Java's files: records as they stand in the file. The agent's: the same records as bodies.
agent_file() { # DIR
    local codec flows=''
    for codec in $codecs datum; do flows+=" $codec"; done
    printf 'a1.%s =%s\n' sources "$flows" channels "$flows" sinks "$flows"
    for codec in $codecs; do
        cat <<-EOF_
		a1.sources.$codec.type = spooldir
		a1.sources.$codec.spoolDir = $work/$codec/spool
		a1.sources.$codec.deserializer = AVRO
		a1.sources.$codec.channels = $codec
		a1.channels.$codec.type = memory
		a1.channels.$codec.capacity = 10000
		a1.channels.$codec.transactionCapacity = 1000
		a1.sinks.$codec.type = file_roll
		a1.sinks.$codec.channel = $codec
		a1.sinks.$codec.sink.directory = $work/$codec/out
		a1.sinks.$codec.sink.rollInterval = 0
		a1.sinks.$codec.sink.serializer = avro_event
		a1.sinks.$codec.sink.serializer.compressionCodec = $codec
		a1.sinks.$codec.sink.serializer.syncIntervalBytes = 5000
		EOF_
    done
    cat <<-EOF_
	a1.sources.datum.type = spooldir
	a1.sources.datum.spoolDir = $work/datum/spool
	a1.sources.datum.deserializer = AVRO
	a1.sources.datum.deserializer.schemaType = LITERAL
	a1.sources.datum.channels = datum
	a1.channels.datum.type = memory
	a1.channels.datum.capacity = 10000
	a1.channels.datum.transactionCapacity = 1000
	a1.sinks.datum.type = file_roll
	a1.sinks.datum.channel = datum
	a1.sinks.datum.sink.directory = $work/datum/out
	a1.sinks.datum.sink.rollInterval = 0
	a1.sinks.datum.sink.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder
	a1.sinks.datum.sink.serializer.compressionCodec = deflate
	EOF_
}
arrived() { # DIR: how many files are finished
    find "$work"/*/spool -name 'java.avro.COMPLETED' | wc -l
}
# shellcheck disable=SC2086
run penstock "$(wc -w <<<"$codecs datum")" "$PENSTOCK"

files=() # one JVM reads all of them, and prints a mark in front of each
for codec in $codecs; do files+=("-- $codec" "$work/$codec/out/"*); done
files+=("-- java" "$work/datum/spool/java.avro.COMPLETED" "-- datum" "$work/datum/out/"*)
LC_ALL=C.UTF-8 java -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -cp "$classpath" AvroDump "${files[@]}" \
    >"$work/dump" 2>"$work/java.log" || fail "Java does not read a file"
awk -v work="$work" '/^-- [a-z0-9]+$/ { file = work "/" $2 ".dump"; printf "" >file; next } { print >file }' "$work/dump"

for codec in $codecs; do
    head -n 1 "$work/$codec.dump" | grep -q " $codec\$" || fail "the file is not compressed with $codec"
    tail -n +2 "$work/$codec.dump" >"$work/$codec.records"
    cmp "$work/null.records" "$work/$codec.records" || fail "$codec: other records than without compression"
    (($(grep -c 'event [0-9]* é x*$' "$work/$codec.records") == events)) || fail "$codec: not all events"
    echo "$codec: there and back"
done
diff <(sed '1s/ [a-z]*$/ deflate/' "$work/java.dump") "$work/datum.dump" >"$work/datum.log" || fail "AvroEventSerializer: other records, or another schema"
echo "records with their schema: there and back"

table=$here/../stages/data/avro_schemas.txt
LC_ALL=C.UTF-8 java -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -cp "$classpath" AvroSchemas "$table" >"$work/schemas" \
    2>"$work/java.log" || fail "Java does not judge the schemas"
diff "$table" "$work/schemas" >"$work/schemas.log" || fail "Java judges schemas otherwise: $(<"$work/schemas.log")"
echo "schemas that are taken, and those that are refused: as Java"
