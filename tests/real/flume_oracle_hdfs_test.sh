#!/usr/bin/env bash
# Needs: flume
# The sink hdfs on the local disk compared with a real Flume's, with every key but those of Kerberos (hdfs_kerberos_test.sh): how many files there are, their
# names (their numbers replaced by their order), which are in use, what is in each, where they are rolled, the counters. Not with gzip: Flume
# flushes into the middle of a file what gzip cannot read (HADOOP-8522); gzip and the serializers of Avro are in
# flume_oracle_hdfs_formats_test.sh.
export FLUME_HADOOP=1
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

sinks="count size standard buckets names bare few sequence text bzip2 idle timer hours seconds year"
metrics=$(ports_reserve)
for ((i = 0; i < 400; i++)); do echo "k$((i % 3)) $(printf %03d $i) $(printf '%*s' $((i * 7 % 100)) '' | tr ' ' x)"; done >"$work/events"

agent_file() {
    local sink
    cat <<-EOF_
	a1.sources = r1
	a1.channels = $sinks
	a1.sinks = $sinks
	a1.sources.r1.type = exec
	a1.sources.r1.command = cat $work/events
	a1.sources.r1.channels = $sinks
	a1.sources.r1.interceptors = i1 i2 i3
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = timestamp
	a1.sources.r1.interceptors.i1.value = 1700000123456
	a1.sources.r1.interceptors.i2.type = regex_extractor
	a1.sources.r1.interceptors.i2.regex = ^(\\\\w+) (.)
	a1.sources.r1.interceptors.i2.serializers = s1 s2
	a1.sources.r1.interceptors.i2.serializers.s2.name = hundred
	a1.sources.r1.interceptors.i2.serializers.s1.name = kind
	a1.sources.r1.interceptors.i3.type = static
	a1.sources.r1.interceptors.i3.key = host
	a1.sources.r1.interceptors.i3.value = web1
	a1.sinks.count.hdfs.rollCount = 25
	a1.sinks.count.hdfs.rollSize = 0
	a1.sinks.count.hdfs.batchSize = 30
	a1.sinks.count.hdfs.threadsPoolSize = 3
	a1.sinks.count.hdfs.rollTimerPoolSize = 2
	a1.sinks.size.hdfs.rollCount = 0
	a1.sinks.size.hdfs.rollSize = 2000
	a1.sinks.size.hdfs.callTimeout = 120000
	a1.sinks.size.hdfs.minBlockReplicas = 1
	a1.sinks.buckets.hdfs.path = $1/buckets/%Y-%m-%d/%H%M%S/%{kind}
	a1.sinks.buckets.hdfs.filePrefix = %{host}-%e-%n
	a1.sinks.buckets.hdfs.fileSuffix = .log
	a1.sinks.buckets.hdfs.rollCount = 40
	a1.sinks.buckets.hdfs.rollSize = 0
	a1.sinks.buckets.hdfs.round = true
	a1.sinks.buckets.hdfs.roundValue = 10
	a1.sinks.buckets.hdfs.roundUnit = minute
	a1.sinks.buckets.hdfs.timeZone = Asia/Kolkata
	a1.sinks.names.hdfs.filePrefix = events
	a1.sinks.names.hdfs.inUsePrefix = _
	a1.sinks.names.hdfs.inUseSuffix = .busy
	a1.sinks.names.hdfs.rollCount = 150
	a1.sinks.names.hdfs.rollSize = 0
	a1.sinks.bare.hdfs.emptyInUseSuffix = true
	a1.sinks.bare.hdfs.rollCount = 150
	a1.sinks.bare.hdfs.rollSize = 0
	a1.sinks.bare.serializer = header_and_text
	a1.sinks.bare.serializer.appendNewline = true
	a1.sinks.few.hdfs.path = $1/few/%{hundred}
	a1.sinks.few.hdfs.maxOpenFiles = 2
	a1.sinks.few.hdfs.rollCount = 0
	a1.sinks.few.hdfs.rollSize = 0
	a1.sinks.few.hdfs.useLocalTimeStamp = true
	a1.sinks.sequence.hdfs.fileType = SequenceFile
	a1.sinks.sequence.hdfs.rollCount = 60
	a1.sinks.sequence.hdfs.rollSize = 0
	a1.sinks.text.hdfs.fileType = SequenceFile
	a1.sinks.text.hdfs.writeFormat = Text
	a1.sinks.text.hdfs.codeC = deflate
	a1.sinks.text.hdfs.rollCount = 100
	a1.sinks.text.hdfs.rollSize = 0
	a1.sinks.bzip2.hdfs.fileType = CompressedStream
	a1.sinks.bzip2.hdfs.codeC = BZip2Codec
	a1.sinks.bzip2.hdfs.rollCount = 70
	a1.sinks.bzip2.hdfs.rollSize = 0
	a1.sinks.idle.hdfs.rollCount = 300
	a1.sinks.idle.hdfs.rollSize = 0
	a1.sinks.idle.hdfs.idleTimeout = 30
	a1.sinks.idle.hdfs.closeTries = 3
	a1.sinks.idle.hdfs.retryInterval = 60
	a1.sinks.idle.hdfs.proxyUser = somebody
	a1.sinks.timer.hdfs.filePrefix = %[localhost]-%t
	a1.sinks.timer.hdfs.rollCount = 0
	a1.sinks.timer.hdfs.rollSize = 0
	a1.sinks.hours.hdfs.path = $1/hours/%Y%m%d-%H%M%S
	a1.sinks.hours.hdfs.rollCount = 0
	a1.sinks.hours.hdfs.rollSize = 0
	a1.sinks.hours.hdfs.round = true
	a1.sinks.hours.hdfs.roundValue = 6
	a1.sinks.hours.hdfs.roundUnit = hour
	a1.sinks.seconds.hdfs.path = $1/seconds/%Y%m%d-%H%M%S
	a1.sinks.seconds.hdfs.rollCount = 0
	a1.sinks.seconds.hdfs.rollSize = 0
	a1.sinks.seconds.hdfs.round = true
	a1.sinks.seconds.hdfs.roundValue = 10
	a1.sinks.year.hdfs.path = $1/year/%Y
	a1.sinks.year.hdfs.useLocalTimeStamp = true
	a1.sinks.year.hdfs.rollCount = 0
	a1.sinks.year.hdfs.rollSize = 0
	EOF_
    for sink in $sinks; do
        cat <<-EOF_
		a1.channels.$sink.type = memory
		a1.channels.$sink.capacity = 1000
		a1.channels.$sink.transactionCapacity = 1000
		a1.sinks.$sink.type = hdfs
		a1.sinks.$sink.channel = $sink
		a1.sinks.$sink.hdfs.useRawLocalFileSystem = true
		EOF_
        [[ $sink == @(buckets|few|hours|seconds|year) ]] || echo "a1.sinks.$sink.hdfs.path = file://$1/$sink"
        [[ $sink == @(sequence|text|bzip2) ]] || echo "a1.sinks.$sink.hdfs.fileType = DataStream"
        echo "a1.sinks.$sink.hdfs.rollInterval = $(case $sink in standard) echo 600 ;; timer) echo 30 ;; *) echo 0 ;; esac)"
    done
}

arrived() { # lines of the text files; those of the others cannot be counted, but their files
    local sink sum=0
    for sink in count size standard buckets names bare few idle timer hours seconds year; do
        [[ ! -d $1/$sink ]] || ((sum += $(find "$1/$sink" -type f -exec cat {} + 2>/dev/null | wc -l))) || true
    done
    [[ ! -d $1/sequence ]] || ((sum += $(find "$1/sequence" -type f | wc -l))) || true
    [[ ! -d $1/text ]] || ((sum += $(find "$1/text" -type f | wc -l))) || true
    [[ ! -d $1/bzip2 ]] || ((sum += $(find "$1/bzip2" -type f | wc -l))) || true
    echo $sum
}

numbered() { # names of files, one a line: the number of a file becomes its place in the order of those of its directory and prefix
    sed -E 's/^(.*)[.]([0-9]{13})(.*)$/\1 \1 \2 \3/; s/[/]_([^ ]* )/\/\1/' | sort -k1,1 -k3,3 | awk '
        $1 != last { place = 0; last = $1 }
        { print $2 "." ++place $4 }'
}
has_closed() { [[ ! $(find "$@" -name '*.tmp') ]]; } # DIR...
leaving() { # when all files that were idle or old are closed, and the agent still runs: names, and what JSON says of the sinks
    await 60 has_closed "$1/idle" "$1/timer" || true # names that end with .tmp are compared below
    (cd "$1" && find . -type f | numbered) >"$1.running"
    curl -fs "http://127.0.0.1:$metrics/metrics" | jq -S 'with_entries(select(.key | startswith("SINK.")))
        | map_values(del(.StartTime, .StopTime, .Type, .BatchCompleteCount, .BatchUnderflowCount, .BatchEmptyCount))' >"$1.counters"
}

opens=--add-opens=java.base/java.lang=ALL-UNNAMED # Hadoop's client asks for them
[[ ${ENGINE:-} != java ]] || JAVA_OPTS+=" $opens"
FLUME_JAVA="$FLUME_JAVA $opens -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics"
cat >"$work/run_penstock" <<END
#!/usr/bin/env bash
exec "$PENSTOCK" "\$@" -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics
END
chmod +x "$work/run_penstock"
engines[penstock]=$work/run_penstock
events=$((400 * 12 + 7 + 4 + 6))
SETTLE=1 both $events

for engine in flume penstock; do cp "$work/$engine.running" "$work/$engine.text"; done
same "names while it runs" "$work/flume.text" "$work/penstock.text"
for engine in flume penstock; do
    (cd "$work/$engine" && find . -type f | numbered) >"$work/$engine.text"
done
same "names after a stop" "$work/flume.text" "$work/penstock.text"
for engine in flume penstock; do cp "$work/$engine.counters" "$work/$engine.text"; done
same "counters" "$work/flume.text" "$work/penstock.text"

by_number() { find "$1" -type f | sed -E 's/.*[.]([0-9]{13}).*/\1 &/' | sort | cut -d ' ' -f 2-; }
listed() { # FOLDER COMMAND...: what is in each of its files, in the order of their numbers, with a line between
    local folder=$1 file
    shift
    by_number "$folder" | while read -r file; do
        echo "-- $(basename "$(dirname "$file")")"
        "$@" <"$file"
    done
}
for sink in count size standard names bare idle timer hours seconds year few/0 few/1 few/2 few/3; do
    # the order of headers is tested with file_roll
    for engine in flume penstock; do listed "$work/$engine/$sink" sed -E 's/^[{][^}]*host=web1[^}]*[}]/{..}/' >"$work/$engine.text"; done
    same "files of $sink" "$work/flume.text" "$work/penstock.text"
done
for kind in k0 k1 k2; do
    for engine in flume penstock; do
        listed "$work/$engine/buckets/2023-11-15/034000/$kind" cat >"$work/$engine.text"
        [[ -s $work/$engine.text ]] || fail "$engine has no files of buckets"
    done
    same "files of buckets, $kind" "$work/flume.text" "$work/penstock.text"
done
for engine in flume penstock; do listed "$work/$engine/bzip2" bzcat >"$work/$engine.text"; done
same "files of bzip2" "$work/flume.text" "$work/penstock.text"
mkdir "$work/conf"
echo '<configuration/>' >"$work/conf/core-site.xml" # the shell demands one
files=() # one JVM reads all of them, and a mark in front of each engine's: `-- ENGINE SINK`
for sink in sequence text; do
    for engine in flume penstock; do
        echo "-- $engine $sink" >"$work/mark.$engine.$sink"
        mapfile -t -O "${#files[@]}" files < <(echo "$work/mark.$engine.$sink"; by_number "$work/$engine/$sink")
    done
done
FLUME_LOG=ERROR FLUME_CLASSPATH=$work/conf "$here/flume" run org.apache.hadoop.fs.FsShell -text "${files[@]}" 2>"$work/shell.log" >"$work/shell" ||
    fail "Hadoop does not read a file: $(tail -n 2 "$work/shell.log")"
awk -v work="$work" '/^-- (flume|penstock) [a-z]+$/ { file = work "/" $2 "." $3 ".records"; printf "" >file; next } { print >file }' "$work/shell"
for sink in sequence text; do
    for engine in flume penstock; do (($(wc -l <"$work/$engine.$sink.records") == 400)) || fail "$engine: $(wc -l <"$work/$engine.$sink.records") records"; done
    same "records of $sink" "$work/flume.$sink.records" "$work/penstock.$sink.records"
done
