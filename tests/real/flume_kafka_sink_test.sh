#!/usr/bin/env bash
# Needs: kafka flume
# The Kafka sink compared with a real Flume's: one file of many sinks and the same events for both, every field of every
# record compared: topic, partition, key, headers, time, value.
# shellcheck source=tests/real/kafka_oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/kafka_oracle.sh"

export TZ=America/St_Johns # 3.5 h from UTC: time escapes are local
step "broker"
kafka_share # it keeps records of the year 2000
create_topics flume.format penstock.format

# ---- events with any headers: in Flume's event format, read by the agents' sources ----

step "input"
mkdir "$work/rich"
count=0
event() { # BODY [NAME=VALUE]...
    local file
    printf -v file '%s/%03d' "$work/$folder" $((++count))
    avro_event "$@" >"$file"
}
folder=rich
time=951782400123 # 2000-02-29 00:00:00.123 UTC
event 'no headers'
event '' empty=body
event 'a key' key=one
event 'an empty key' key=
event 'a key of many bytes' key='grüße, 日本, 𝄞'
event "$(printf '\001\177\200\377 not UTF-8')" key=bytes
event 'mapped' who='wer' who2='ü€𝄞' empty= 'größe=10 µm' key=mapped
event 'mapped, one of them' 'größe='
event 'part 3' part=3
event 'part +1' part=+1 key=one
event 'part 0' part=000 key='x y'
event 'of another time' when=$time
event 'of a bad time' when=951782400123x
event 'of the year 2000' timestamp=$time dir=left
event 'of the same' timestamp=951868799999 dir=right
event "$(printf 'long %.0s' {1..300})" "long=$(printf 'x%.0s' {1..200})"
rich=$count
produce in.rich -p 0 "$work"/rich/*

for engine in $engines; do
    folder=over.$engine count=0
    mkdir "$work/$folder"
    event 'named' topic="$engine.over.named"
    event 'named elsewhere' elsewhere="$engine.over.elsewhere"
    event 'both' topic="$engine.over.named" elsewhere="$engine.over.elsewhere" key=both
    event 'neither' key=neither
    produce "in.$engine" -p 0 "$work/$folder"/*
done
over=$count

# Keys of 0 to 31 bytes, all remainders of the hash; not all of them ASCII.
keyed=0
for ((i = 0; i < 400; i++)); do
    head=$((i * 7919)) tail=aé日𝄞aé日𝄞aé日𝄞
    echo "${head:0:i % 7}${tail:0:i % 11}|$((++keyed))"
done | produce in.keyed -K'|' -p 0
keyed=400
texts=50 numbers=200 syslog=4

# ---- the agent ----

sink() { # NAME CHANNEL KEY=VALUE...
    local name=$1 pair
    printf 'a1.sinks.%s.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.%s.channel = %s\n' "$name" "$name" "$2"
    shift 2
    [[ " $* " == *" brokerList="* ]] || echo "a1.sinks.$name.kafka.bootstrap.servers = $brokers"
    for pair; do echo "a1.sinks.$name.${pair%%=*} = ${pair#*=}"; done
}

kafka_source() { # ENGINE NAME TOPIC KEY=VALUE...
    local engine=$1 name=$2 pair
    cat <<-EOF_
	a1.sources.$name.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.$name.kafka.bootstrap.servers = $brokers
	a1.sources.$name.kafka.topics = $3
	a1.sources.$name.kafka.consumer.group.id = $engine.$name
	a1.sources.$name.kafka.consumer.auto.offset.reset = earliest
	a1.sources.$name.kafka.consumer.session.timeout.ms = 30000
	a1.sources.$name.setTopicHeader = false
	EOF_
    shift 3
    for pair; do echo "a1.sources.$name.${pair%%=*} = ${pair#*=}"; done
}

rich_sinks="plain mapped part partother time format escape old"
over_sinks="over literal elsewhere nameless"
agent_text() { # ENGINE
    local e=$1 name channels="keyed shell shell2 numbers syslog back_flume back_penstock"
    for name in $rich_sinks $over_sinks; do channels+=" $name"; done
    printf '%s\n' "a1.sources = rich over keyed shell numbers syslog back_flume back_penstock" "a1.channels = $channels" "a1.sinks = $channels"
    for name in $channels; do
        printf "a1.channels.$name.%s\n" "type = memory" "capacity = 10000" "transactionCapacity = 1000"
    done

    kafka_source "$e" rich in.rich useFlumeEventFormat=true "channels=$rich_sinks"
    sink plain plain kafka.topic="$e.plain"
    sink mapped mapped kafka.topic="$e.mapped" 'header.who=w\u00e9r' 'header.gr\u00f6\u00dfe=size' header.who2=two header.empty=empty header.key=the-key header.none=none
    sink part part kafka.topic="$e.part" partitionIdHeader=part defaultPartitionId=2
    sink partother partother kafka.topic="$e.partother" partitionIdHeader=part
    sink time time kafka.topic="$e.time" timestampHeader=when
    sink format format kafka.topic="$e.format" useFlumeEventFormat=true
    sink escape escape "kafka.topic=$e.esc.%{dir}.%Y%m%d-%H_%j.%{none}"
    sink old old topic="$e.old" brokerList="$brokers" batchSize=3 requiredAcks=-1 serializer.class=kafka.serializer.StringEncoder

    kafka_source "$e" over "in.$e" useFlumeEventFormat=true "channels=$over_sinks" \
        interceptors=i1 interceptors.i1.type=static interceptors.i1.key=engine interceptors.i1.value="$e"
    sink over over kafka.topic="$e.over.usual"
    sink literal literal kafka.topic="$e.over.literal" allowTopicOverride=false
    sink elsewhere elsewhere kafka.topic="$e.over.usual2" topicHeader=elsewhere
    sink nameless nameless allowTopicOverride=false header.engine=engine

    kafka_source "$e" keyed in.keyed channels=keyed batchSize=37
    sink keyed keyed kafka.topic="$e.keyed" kafka.producer.compression.type=gzip kafka.producer.acks=all

    cat <<-EOF_
	a1.sources.shell.type = exec
	a1.sources.shell.shell = /bin/sh -c
	a1.sources.shell.command = for i in \$(seq $texts); do echo text \$i; done
	a1.sources.shell.channels = shell shell2
	a1.sources.shell.interceptors = i1 i2 i3
	a1.sources.shell.interceptors.i1.type = static
	a1.sources.shell.interceptors.i1.key = key
	a1.sources.shell.interceptors.i1.value = fixed
	a1.sources.shell.interceptors.i2.type = timestamp
	a1.sources.shell.interceptors.i2.headerName = made
	a1.sources.shell.interceptors.i3.type = host
	a1.sources.shell.selector.type = multiplexing
	a1.sources.shell.selector.header = key
	a1.sources.shell.selector.mapping.fixed = shell
	a1.sources.shell.selector.default = shell2
	a1.sources.numbers.type = seq
	a1.sources.numbers.totalEvents = $numbers
	a1.sources.numbers.channels = numbers
	a1.sources.syslog.type = syslogtcp
	a1.sources.syslog.host = 127.0.0.1
	a1.sources.syslog.port = $(syslog_port "$e")
	a1.sources.syslog.channels = syslog
	EOF_
    sink shell shell kafka.topic="$e.shell" header.host=host
    sink shell2 shell2 kafka.topic="$e.shell2"
    sink numbers numbers kafka.topic="$e.numbers" defaultPartitionId=1 flumeBatchSize=7
    sink syslog syslog "kafka.topic=$e.syslog.%{host}.%Y%y%m%n%d%e%j.%a%A%b%B.%H%k%I%l%M%S%p.%s_%t.%q%[localhost]_" header.Severity=severity header.Facility=facility timestampHeader=timestamp

    for name in $engines; do # each engine reads the events that both engines wrote
        kafka_source "$e" "back_$name" "$name.format" useFlumeEventFormat=true "channels=back_$name"
        mkdir -p "$work/out/$e/$name"
        printf "a1.sinks.back_$name.%s\n" "type = file_roll" "channel = back_$name" "sink.directory = $work/out/$e/$name" \
            "sink.rollInterval = 0" "sink.serializer = header_and_text"
    done
}

syslog_port() { # ENGINE
    echo $((port + (${#1} > 5 ? 51 : 50)))
}

step "both agents"
both_start
for engine in $engines; do
    await 60 eval "(exec 3<>/dev/tcp/127.0.0.1/$(syslog_port "$engine")) 2>/dev/null" || fail "$engine: no syslog source"
    printf '%s\n' '<13>1 2000-02-29T10:11:12.345Z one.host app - - - first é' '<191>1 2000-03-01T00:00:00+02:00 two.host app - - - second' \
        '<0>1 1999-12-31T23:59:59.999999Z one.host - - - - third' '<13>1 2000-02-29T10:11:12Z one.host - - - - fourth' \
        >"/dev/tcp/127.0.0.1/$(syslog_port "$engine")"
done
both_reach $((rich * 8 + over * 3 + keyed + texts + numbers + syslog + rich * 2))
both_stop

step "compare"
for engine in $engines; do topics_of "$engine" >"$work/$engine.topics"; done
same "names of topics" "$work/flume.topics" "$work/penstock.topics"

spread='s/"partition":[0-9]+,(.*"key":null,)/\1/' # records without a key may be in any partition
same_records keyed "$spread"
same_records plain "$spread"
same_records mapped "$spread"
same_records part
same_records partother '/"part /!{'"$spread"'}'
same_records time "$spread"
same_records old "$spread"
same_records shell
same_records numbers
while read -r topic; do same_records "$topic" "$spread"; done < <(grep -E '^(esc|syslog|over)\.' "$work/flume.topics")
for engine in $engines; do
    records default-flume-topic "$spread" | grep "\"engine\",\"$engine\"" | sed "s/$engine/ENGINE/" >"$work/$engine.records" || true
done
same "topic default-flume-topic" "$work/flume.records" "$work/penstock.records"

for engine in $engines; do
    kcat -C -q -e -b "$brokers" -t "$engine.format" -f '%k %S\n' | sort >"$work/$engine.lengths"
    for writer in $engines; do lines "$engine" "$writer" | by_name >"$work/$engine.$writer.lines"; done
done
same "lengths of Flume's event format" "$work/flume.lengths" "$work/penstock.lengths"
same "written by Flume, read by both" "$work/flume.flume.lines" "$work/penstock.flume.lines"
same "written by penstock, read by both" "$work/flume.penstock.lines" "$work/penstock.penstock.lines"
same "written by both, read by Flume" "$work/flume.flume.lines" "$work/flume.penstock.lines"
all_same
