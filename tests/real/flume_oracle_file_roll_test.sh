#!/usr/bin/env bash
# Needs: flume
# Sink file_roll compared with a real Flume's: names, rolling, path managers, all serializers. Flume's Avro library reads
# the Avro files.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

sinks="text headers avro deflate snappy time"
for ((i = 0; i < 300; i++)); do echo "event $i of some length: $(printf '%*s' $((i * 7)) '' | tr ' ' x) é"; done >"$work/events"
echo >>"$work/events"

agent_file() {
    local sink
    cat <<-EOF_
	a1.sources = r1
	a1.channels = $sinks
	a1.sinks = $sinks
	a1.sources.r1.type = exec
	a1.sources.r1.command = cat $work/events
	a1.sources.r1.channels = $sinks
	a1.sources.r1.interceptors = i1 i2 i3 i4
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = datacenter
	a1.sources.r1.interceptors.i1.value = New York
	a1.sources.r1.interceptors.i2.type = static
	a1.sources.r1.interceptors.i2.key = gone
	a1.sources.r1.interceptors.i3.type = static
	a1.sources.r1.interceptors.i3.key = environment
	a1.sources.r1.interceptors.i3.value = é test
	a1.sources.r1.interceptors.i4.type = remove_header
	a1.sources.r1.interceptors.i4.fromList = gone, not-there
	a1.sinks.headers.sink.serializer = HEADER_AND_TEXT
	a1.sinks.headers.sink.serializer.appendNewline = true
	a1.sinks.avro.sink.serializer = avro_event
	a1.sinks.avro.sink.serializer.syncIntervalBytes = 4096
	a1.sinks.deflate.sink.serializer = avro_event
	a1.sinks.deflate.sink.serializer.compressionCodec = deflate
	a1.sinks.snappy.sink.serializer = org.apache.flume.serialization.FlumeEventAvroEventSerializer\$Builder
	a1.sinks.snappy.sink.serializer.compressionCodec = snappy
	a1.sinks.snappy.sink.pathManager.extension = avro
	a1.sinks.time.sink.pathManager = ROLLTIME
	a1.sinks.time.sink.pathManager.prefix = roll-
	a1.sinks.time.sink.pathManager.extension = txt
	EOF_
    for sink in $sinks; do
        mkdir -p "$1/$sink"
        cat <<-EOF_
		a1.channels.$sink.type = memory
		a1.channels.$sink.capacity = 1000
		a1.channels.$sink.transactionCapacity = 1000
		a1.sinks.$sink.type = file_roll
		a1.sinks.$sink.channel = $sink
		a1.sinks.$sink.sink.directory = $1/$sink
		a1.sinks.$sink.sink.rollInterval = $([[ $sink == time ]] && echo 1 || echo 0)
		EOF_
    done
}
arrived() {
    local folder sum=0
    for folder in text headers time; do ((sum += $(find "$1/$folder" -type f -exec cat {} + | wc -l))) || true; done
    echo $sum
}
# ROLLTIME has rolled behind the last event: an empty file is the last one.
has_rolled() { # DIR
    local names
    names=("$1"/time/*)
    ((${#names[@]} >= 2)) && [[ ! -s ${names[-1]} ]]
}
leaving() { # DIR: when it has rolled, and the files of Avro, whose events nobody counts, grow no more
    local before='' now
    while now=$(cat "$1"/{avro,deflate,snappy}/* | wc -c); [[ $now != "$before" ]]; do before=$now; patient_rest 3; done
    await 60 has_rolled "$1" || true # what follows says what is missing
}
SETTLE=3 both 903

same_content "text" text
same_content "header_and_text" headers
same_content "text, rolled" time
for sink in avro deflate snappy; do
    for engine in flume penstock; do
        avro_dump "$work/$engine/$sink/"* 2>"$work/avro_dump.log" >"$work/$engine.text" ||
            fail "Avro does not read $engine's file ($sink)"
    done
    same "avro_event, $sink" "$work/flume.text" "$work/penstock.text"
    (($(wc -l <"$work/penstock.text") == 302)) || fail "not all events are in the $sink file"
done

for engine in flume penstock; do
    (cd "$work/$engine" && find text avro snappy -type f | sort | sed -E 's/[0-9]{13}/MILLIS/') >"$work/$engine.text"
done
same "file names" "$work/flume.text" "$work/penstock.text"
for engine in flume penstock; do
    mapfile -t names < <(cd "$work/$engine/time" && ls)
    ((${#names[@]} >= 2)) || fail "$engine never rolled" # Flume rolls only when its sink runs
    for name in "${names[@]}"; do
        [[ $name =~ ^roll-20[0-9]{12}-[0-9]+\.txt$ ]] || fail "$engine: wrong file name $name"
    done
    [[ ! -s "$work/$engine/time/${names[-1]}" ]] || fail "$engine: the last file is not empty"
done
echo "same: names and empty files of ROLLTIME"
