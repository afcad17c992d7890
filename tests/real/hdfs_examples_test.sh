#!/usr/bin/env bash
# Needs: hdfs kafka
# The worked examples of docs/HADOOP.md, whose agent files are in conf/examples, against a real HDFS and Kafka: each gets its input, and
# Hadoop's shell reads what it has written (text, Avro by Avro's own reader, SequenceFiles): every event, in the directory of its time.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for program in kcat jq; do command -v $program >/dev/null || skip "no $program"; done

step "an HDFS and a Kafka"
hdfs_share
kafka_share
folder=/examples.$$
topic=examples.$$
export TZ=UTC HDFS=$hdfs_url$folder BROKERS=$brokers TOPIC=$topic SPOOL=$work/spool LOGS=$work/logs STATE=$work/state
mkdir "$SPOOL" "$LOGS" "$STATE"

declare -A metrics=([spooldir]=41 [kafka]=42 [taildir]=43)
example() { # NAME: starts the agent of conf/examples/NAME-to-hdfs.properties
    cp "$PENSTOCK_SOURCE/conf/examples/$1-to-hdfs.properties" "$work/$1.properties"
    agent_start "$1" -Dflume.monitoring.type=http -Dflume.monitoring.port=$((port + metrics[$1]))
}
delivered() { # NAME COUNT
    [[ $(curl -s "http://127.0.0.1:$((port + metrics[$1]))/metrics" | jq -r '.["SINK.k1"].EventDrainSuccessCount // 0') -ge $2 ]]
}
# Whether the source has read all lines, and the channel is empty: after a kill lines may come twice, and no count says it.
taildir_is_done() {
    [[ $(jq -r '.[].pos' "$STATE/positions.json") == "$(stat -c %s "$LOGS/app.log")" ]] &&
        [[ $(curl -s "http://127.0.0.1:$((port + metrics[taildir]))/metrics" | jq -r '.["CHANNEL.c1"].ChannelSize') == 0 ]]
}
finish_example() { # NAME COUNT: when so many events are in HDFS the agent is stopped, which gives the files their final names
    await 120 delivered "$1" "$2" || fail "$1: not all events arrive"
    agent_stop "$1"
    echo "    $1: $account"
    deliver_kept "$1" $((port + metrics[$1])) example "$1"
}

step "their input"
kafka_topic "$topic" 2
for day in 18 19 20; do
    for ((i = 0; i < 300; i++)); do printf '2026-11-%d 12:%02d:%02d line %d\n' $day $((i / 60)) $((i % 60)) $i; done
done >"$SPOOL/app.log"
for ((i = 0; i < 1000; i++)); do echo "record $i"; done | kcat -P -b "$brokers" -t "$topic" 2>"$work/kcat.log"
for ((i = 0; i < 1000; i++)); do echo "logged $i"; done >"$LOGS/app.log"
for name in spooldir kafka taildir; do example $name; done

step "a kill in between, of the one whose channel is on disk"
await 120 delivered taildir 1000 || fail "taildir: not all events arrive"
agent_kill taildir
for ((i = 1000; i < 2000; i++)); do echo "logged $i"; done >>"$LOGS/app.log"
example taildir
await 120 taildir_is_done || fail "taildir: not all lines are read and delivered"
finish_example taildir 1000
finish_example spooldir 900
finish_example kafka 1000

step "Hadoop's shell reads them"
"$hdfs" run org.apache.hadoop.fs.FsShell -ls -R -C "$hdfs_url$folder" --dir "$hdfs_dir" >"$work/files" 2>"$work/shell.log" || fail "no files"
! grep -E '\.tmp$' "$work/files" || fail "files are in use"
for day in 18 19 20; do echo "/logs/2026-11-$day/app"; done >"$work/expected.days"
grep -E '/logs/.*\.log$' "$work/files" | sed "s|^$HDFS||; s|[.].*||" | sort -u | diff "$work/expected.days" - >"$work/diff.log" || fail "not a directory for each day"
mapfile -t files < <(grep -E '\.(log|avro|snappy)$' "$work/files")
"$hdfs" run org.apache.hadoop.fs.FsShell -text "${files[@]}" --dir "$hdfs_dir" >"$work/read" 2>>"$work/shell.log" || fail "Hadoop does not read them"
grep '^2026' "$work/read" | sort >"$work/read.spooldir"
sort "$SPOOL"/app.log.COMPLETED | cmp - "$work/read.spooldir" || fail "spooldir: other lines"
! grep '\.avro$' "$work/files" | grep -vE "$folder/events/$topic/[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{2}/part\.[0-9]+\.avro$" || fail "kafka: other names"
grep '^{' "$work/read" >"$work/avro"
jq -r '.body' "$work/avro" | sort >"$work/read.kafka"
for ((i = 0; i < 1000; i++)); do echo "record $i"; done | sort | cmp - "$work/read.kafka" || fail "kafka: other records"
jq -r '.headers.topic' "$work/avro" | sort -u | grep -qx "$topic" || fail "kafka: no headers"
grep -P '\tlogged' "$work/read" | cut -f 2 | sort >"$work/twice.taildir"
sort -u "$work/twice.taildir" >"$work/read.taildir"
for ((i = 0; i < 2000; i++)); do echo "logged $i"; done | sort | cmp - "$work/read.taildir" || fail "taildir: other lines"
! grep -vE '^2026-|^\{|	logged [0-9]+$' "$work/read" || fail "more was read than was written"
step "${#files[@]} files, $(wc -l <"$work/read") events, $(($(wc -l <"$work/twice.taildir") - 2000)) of them twice after the kill"
