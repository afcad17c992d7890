#!/usr/bin/env bash
# Events whose headers name an Avro schema that cannot be read, or that Java refuses, before the sinks file_roll and hdfs (on the local disk). With dead
# letters they go aside and the others are written, in order and into one file; without them the first one waits, and the log and
# /readyz name it. A schema that the configuration names is waited for.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/support/http_agent.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/http_agent.sh"
port=$(free_port)
metrics_port=$(free_port)
closed_port=$(free_port)
dead=$work/dead
mkdir "$work/roll" "$work/hdfs" "$work/schemas"
echo '"bytes"' >"$work/schemas/good"
echo 'no schema' >"$work/schemas/text"
mkfifo "$work/schemas/pipe"

agent() { # LINE...
    http_agent "a1.channels = c1 c2" "a1.sinks = k1 k2" "a1.sources.r1.channels = c1 c2" "a1.channels.c1.type = memory" "a1.channels.c2.type = memory" \
        "a1.sinks.k1.type = file_roll" "a1.sinks.k1.channel = c1" "a1.sinks.k1.sink.directory = $work/roll" "a1.sinks.k1.sink.rollInterval = 0" \
        "a1.sinks.k1.sink.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder" \
        "a1.sinks.k2.type = hdfs" "a1.sinks.k2.channel = c2" "a1.sinks.k2.hdfs.path = file://$work/hdfs" "a1.sinks.k2.hdfs.fileType = DataStream" \
        "a1.sinks.k2.hdfs.rollInterval = 0" "a1.sinks.k2.hdfs.rollCount = 0" "a1.sinks.k2.hdfs.rollSize = 0" \
        "a1.sinks.k2.serializer = org.apache.flume.sink.hdfs.AvroEventSerializer\$Builder" "$@"
}
sent=0
post() { # HEADER VALUE..: one request with an event for each value, whose body is its number and value
    local header=$1 body=() value
    shift
    for value; do
        ((++sent))
        body+=("$(jq -nc --arg name "$header" --arg value "$value" --arg body "<$sent $value>" '{headers: {($name): $value}, body: $body}')")
    done
    post_events "${body[@]}"
}
# The numbers of the events in a container of Avro. Its sync markers are 16 random bytes, so a look for "<" alone finds some there.
written() { grep -ao '<[0-9]* file:' "$1" | tr -dc '0-9\n' | xargs; }
url=flume.avro.schema.url
schemas=file://$work/schemas

agent "a1.sinks.k1.penstock.deadletter = $dead" "a1.sinks.k2.penstock.deadletter = $dead"
post $url "$schemas/none" "$schemas/good" # the first event of the agent, and the first good one behind it
post $url "$schemas/good" "$schemas/text" "$schemas/text" "$schemas" "$schemas/pipe" "" "gopher://x/y" "http://127.0.0.1:$closed_port/a" "$schemas/good"
post flume.avro.schema.literal '{' '["null","null"]' ''
post $url "http://127.0.0.1:$closed_port/b" "$schemas/good"
for sink in k1 k2; do
    await "$sink: the others are not written" is_metric penstock_sink_events_delivered_total $sink 4
    await "$sink: they are no dead letters" is_metric penstock_sink_events_deadletter_total $sink 12
done
stop_agent TERM 0
for sink in k1 k2; do
    "$PENSTOCK" deadletter show "$dead" --component $sink --reason event-unwritable --json >"$work/letters.json"
    [[ $(jq -r .body "$work/letters.json" | grep -o '<[0-9]*' | tr -d '<' | xargs) == '1 4 5 6 7 8 9 10 12 13 14 15' ]] || fail "$sink: $(<"$work/letters.json")"
    grep -q "cannot read the Avro schema $schemas/none: No such file" "$work/letters.json" || fail "$sink: $(<"$work/letters.json")"
done
for folder in roll hdfs; do
    files=("$work/$folder"/*)
    [[ ${#files[@]} == 1 && $(written "${files[0]}") == '2 3 11 16' ]] || fail "$folder: ${files[*]}: $(written "${files[0]}")"
done

# ---- without dead letters ----
agent a1.sinks.k{1,2}.penstock.retry.backoff{,.max}=100
post $url "$schemas/later" "$schemas/good"
for sink in k1 k2; do
    await "$sink: /readyz does not name it" not_ready "sink $sink has failed [0-9]* times in a row: an event cannot be written: cannot read the Avro schema $schemas/later: No such file"
    grep -q "ERROR sink $sink: an event cannot be written: cannot read the Avro schema $schemas/later: No such file" "$work/agent.err" || fail "$sink: the log does not name it"
    is_metric penstock_sink_events_delivered_total $sink 0 || fail "$sink: the event behind it overtook it"
done
echo '"string"' >"$work/schemas/later"
for sink in k1 k2; do await "$sink: they are not written" is_metric penstock_sink_events_delivered_total $sink 2; done
stop_agent TERM 0

# ---- a schema of the configuration, with dead letters ----
agent "a1.sinks.k1.penstock.deadletter = $dead" "a1.sinks.k2.penstock.deadletter = $dead" \
    "a1.sinks.k1.sink.serializer.schemaURL = $schemas/key" "a1.sinks.k2.serializer.schemaURL = $schemas/key"
post other 1
for sink in k1 k2; do
    await "$sink: the log does not name it" grep -q "ERROR sink $sink: cannot read the Avro schema $schemas/key: No such file" "$work/agent.err"
done
echo '"bytes"' >"$work/schemas/key"
for sink in k1 k2; do
    await "$sink: it is not written" is_metric penstock_sink_events_delivered_total $sink 1
    is_metric penstock_sink_events_deadletter_total $sink 0 || fail "$sink: a dead letter for a mistake of the configuration"
done
stop_agent TERM 0
