#!/usr/bin/env bash
# penstock load and penstock verify on both sides of an agent (syslogtcp, replicated into a file_roll sink and a Kafka
# sink): their figures equal the agent's own counters. Then faults: one event dropped, one doubled, two neighbours
# swapped, one byte flipped; planted before the agent, so that topic and files have them, and behind it in the files of
# file_roll. verify finds exactly these. At last the kernel drops datagrams before an agent reads them: verify reports as
# many as lost as the agent counts as dropped.
# tests/real/load_verify_peers_test.sh does this with real brokers, rsyslog and Flume.
# shellcheck disable=SC2016 # awk programs
# Runs alone: drops by the kernel and the load's rate depend on the machine.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---- the agent ----

"$PENSTOCK" mock-broker --topic whole:1 >"$work/brokers" 2>"$work/brokers.err" &
children[$!]=1
await "no mock broker" test -s "$work/brokers"
brokers=$(<"$work/brokers")
port=$(free_port)
metrics_port=$(free_port)
mkdir "$work/rolled"
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = files topic
a1.sinks = files topic
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = files topic
a1.channels.files.type = memory
a1.channels.files.capacity = 20000
a1.channels.topic.type = memory
a1.channels.topic.capacity = 20000
a1.sinks.files.type = file_roll
a1.sinks.files.channel = files
a1.sinks.files.sink.directory = $work/rolled
a1.sinks.files.sink.rollInterval = 1
a1.sinks.topic.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.topic.channel = topic
a1.sinks.topic.kafka.bootstrap.servers = $brokers
a1.sinks.topic.kafka.topic = whole
EOF_
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port" \
    >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1

metric() { # COMPONENT COUNTER
    curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics" | jq -r ".\"$1\".$2"
}
metric_is() { [[ $(metric "$1" "$2") == "$3" ]]; }
listens() { ! port_is_free "$port"; }
await "the agent does not listen" listens
await "no metrics" metric_is SOURCE.r1 EventReceivedCount 0

# ---- figures ----

# Expects that the summary of a load or a verify ($work/NAME.json) fulfils a condition of jq.
says() { # NAME CONDITION
    tail -n 1 "$work/$1.json" | jq -e "select(.type == \"summary\") | $2" >/dev/null ||
        fail "$1: not $2: $(tail -n 1 "$work/$1.json" | jq -c 'del(.histogram)' | cut -c 1-900)"
}

verify() { # NAME EXIT URL MANIFEST [IDLE]
    local code=0
    "$PENSTOCK" verify --from "$3" --manifest "$work/$4" --idle "${5:-20s}" --json >"$work/$1.json" 2>"$work/$1.err" || code=$?
    ((code == $2)) || fail "verify $1: exit $code, not $2: $(tail -n 1 "$work/$1.json" | cut -c 1-600)"
}

load() { # NAME URL OPTION...: all events are sent; no time is asserted
    local name=$1 url=$2
    shift 2
    "$PENSTOCK" load --target "$url" --wait --settle 300s --format rfc3164 --json --tolerance 1 --manifest "$work/$name.manifest" "$@" \
        >"$work/$name.json" 2>"$work/$name.err" || fail "load $name: exit $?"
}

clean='.lost == 0 and .complete and .known_by == "manifest" and .duplicated == 0 and .reordered == 0 and .corrupted == 0 and
    .cut == 0 and .broken == 0 and .foreign == 0 and .unknown == 0 and .lossy_far_end == null'

# ---- through the agent: load, the agent's counters and verify have the same figures ----

events=6000
load load "tcp://127.0.0.1:$port" --rate 3k --events $events --connections 3
says load ".completed == $events and .failed == 0 and .sources == 3"
verify topic 0 "kafka://$brokers/whole" load.manifest
verify files 0 "file://$work/rolled?follow=true" load.manifest
for far in topic files; do
    says $far "$clean and .received == $events and .records == $events and .sent == $events"
    says $far "[.sources[] | .received] == [2000, 2000, 2000] and all(.sources[]; .lost_ranges == [] and .end_known)"
done

counters() { # EVENTS: expects this number at the source and at both channels and sinks
    local component
    await "r1: $(metric SOURCE.r1 EventReceivedCount) received, not $1" metric_is SOURCE.r1 EventReceivedCount "$1"
    await "r1: $(metric SOURCE.r1 EventAcceptedCount) accepted, not $1" metric_is SOURCE.r1 EventAcceptedCount "$1"
    for component in files topic; do
        await "$component: not $1 put" metric_is CHANNEL.$component EventPutSuccessCount "$1"
        await "$component: not $1 taken" metric_is CHANNEL.$component EventTakeSuccessCount "$1"
        await "$component: not $1 drained" metric_is SINK.$component EventDrainSuccessCount "$1"
    done
}
counters $events
echo "ok: $events events: load, verify and the agent's counters agree"

# ---- faults before the agent, which forwards them ----

# With a single source, event n is line n + 1.
load again "file://$work/again.log" --rate 100k --events 1000 --run 0fa017
(($(wc -l <"$work/again.log") == 1000)) || fail "load wrote $(wc -l <"$work/again.log") lines"
flip='{ last = substr($0, length($0)); $0 = substr($0, 1, length($0) - 1) (last == "x" ? "y" : "x") }'
faults="NR == 100 { next } NR == 200 { print } NR == 300 { kept = \$0; next } NR == 400 $flip { print } NR == 301 { print kept }"
awk "$faults" "$work/again.log" >"$work/faulty.log"
(($(wc -l <"$work/faulty.log") == 1000)) || fail "the faults are not planted"
cat "$work/faulty.log" >"/dev/tcp/127.0.0.1/$port"
counters $((events + 1000))
verify before 1 "kafka://$brokers/whole" again.manifest 15s
found='.received == 999 and .records == '$((events + 1000))' and .other_runs == '$events' and .lost == 1 and .complete and
    .duplicated == 1 and .reordered == 1 and .corrupted == 1 and .cut == 0 and .broken == 0 and .foreign == 0 and
    .sources[0].lost_ranges == [[99, 99]]'
says before "$found"
verify before_files 1 "file://$work/rolled?follow=true" again.manifest 15s
says before_files "$found"
# The events of the first run are still complete.
verify still 0 "kafka://$brokers/whole" load.manifest
says still "$clean and .other_runs == 1000"
echo "ok: faults before the agent, found behind it"

# ---- after the agent has ended: faults in its files, one at a time ----

kill -TERM $agent
wait $agent || fail "the agent ended with $?"
unset "children[$agent]"
grep -q "events accepted $(grouped $((events + 1000))), delivered $(grouped $((2 * (events + 1000)))), dropped 0" "$work/agent.err" ||
    fail "wrong account of the agent: $(grep 'stopped:' "$work/agent.err")"

# Chooses a rolled file that begins with 400 events of the first run; on a busy machine a file may have events of both.
file=''
second=$(head -n 1 "$work/again.log" | grep -oE '~1[A-Za-z0-9_-]{4}') # version and run
for one in "$work"/rolled/*; do
    (($(head -n 400 "$one" | grep -cvF -e "$second" || true) < 400)) || file=${file:-$one}
done
[[ $file ]] || fail "no file with 400 events: $(wc -l "$work"/rolled/*)"
cp -r "$work/rolled" "$work/whole"

# Prints the number that these base64url digits of a stamp encode.
digits() { # TEXT
    local -i value=0
    local alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ i before
    for ((i = 0; i < ${#1}; i++)); do
        before=${alphabet%%"${1:i:1}"*}
        value=$((value * 64 + ${#before}))
    done
    echo $value
}
stamp_of() { # LINE: sets source and sequence
    local stamp
    stamp=$(sed -n "${1}p" "$work/whole/${file##*/}" | grep -oE '~1[A-Za-z0-9_-]{36}')
    source=$(digits "${stamp:6:3}") sequence=$(digits "${stamp:9:7}")
}

# Edits that file, runs verify, and restores the file. Its modification time changes, so files are read in the order of
# their names.
plant() { # NAME AWK CONDITION
    awk "$2" "$work/whole/${file##*/}" >"$file"
    verify "$1" 1 "file://$work/rolled?order=name" load.manifest
    says "$1" "$3"
    cp "$work/whole/${file##*/}" "$file"
}
one() { # FIELD: a condition of jq: this field is 1, all other faults are 0
    local field=$1 all=(lost duplicated reordered corrupted cut broken foreign) condition='.complete' name
    for name in "${all[@]}"; do condition+=" and .$name == $([[ $name == "$field" ]] && echo 1 || echo 0)"; done
    echo "$condition"
}
stamp_of 100
plant dropped 'NR != 100' "$(one lost) and .received == $((events - 1)) and
    (.sources[] | select(.lost == 1) | .source == $source and .lost_ranges == [[$sequence, $sequence]])"
stamp_of 200
plant doubled '{ print } NR == 200 { print }' "$(one duplicated) and .received == $events and
    (.sources[] | select(.duplicated == 1) | .source == $source)"

# Swaps two lines of one source; lines of other sources may be between them. Of four lines two have the same of the three sources.
for ((kept = 300; kept < 303; kept++)); do
    stamp_of $kept
    first=$source
    for ((next = kept + 1; next <= 303; next++)); do
        stamp_of $next
        ((source != first)) || break 2
    done
done
((source == first)) || fail "lines 300 to 303 have more than three sources"
plant swapped "NR == $kept { kept = \$0; next } { print } NR == $next { print kept }" \
    "$(one reordered) and .received == $events and (.sources[] | select(.reordered == 1) | .source == $source)"
stamp_of 350
plant flipped "NR == 350 $flip { print }" "$(one corrupted) and .received == $events and
    (.sources[] | select(.corrupted == 1) | .source == $source)"
verify whole 0 "file://$work/rolled?order=name" load.manifest
says whole "$clean and .received == $events and .records == $((events + 1000)) and .other_runs == 1000"
echo "ok: faults behind the agent"

# ---- real losses: an agent is stopped (SIGSTOP) while datagrams arrive ----

mkdir "$work/datagrams"
cat >"$work/datagrams.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = syslogudp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.penstock.receive.buffer = 65536
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 20000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/datagrams
a1.sinks.k1.sink.rollInterval = 0
EOF_
"$PENSTOCK" agent -n a1 -f "$work/datagrams.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port" \
    >"$work/datagrams.out" 2>"$work/datagrams.err" &
agent=$!
children[$agent]=1
await "the agent does not listen" grep -q 'listening on' "$work/datagrams.err"
await "no metrics" metric_is SOURCE.r1 EventReceivedCount 0

dropped() {
    curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics/prometheus" |
        sed -nE 's/^penstock_source_events_kernel_dropped_total\{.*\} ([0-9]+)$/\1/p'
}

# Datagrams are sent one by one: if the kernel drops a batch of datagrams sent together, it may count it as one.
"$PENSTOCK" load --target "udp://127.0.0.1:$port?segment=false" --wait --rate 1k --events 1M --format rfc3164 --json --tolerance 1 \
    --manifest "$work/datagrams.manifest" >"$work/datagrams-load.json" 2>"$work/datagrams-load.err" &
loader=$!
children[$loader]=1
await "no events arrive" eval '(($(metric SOURCE.r1 EventReceivedCount) > 500))'
kill -STOP $agent
printf -v listening ':%04X ' "$port"
kernel_drops() { # the last column of the socket's line
    (($(cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk -v socket="$listening" '$2 " " ~ socket { drops += $NF } END { print drops + 0 }') > 0))
}
await "nothing is dropped" kernel_drops
kill -CONT $agent
# The load ends when the agent has gone on: one of a given length could be over before the stop.
goes_on() { going_on=$(metric SOURCE.r1 EventReceivedCount); }
await "the agent does not go on" goes_on
arrive_again() { (($(metric SOURCE.r1 EventReceivedCount) > going_on + 500)); }
await "no events arrive after the stop" arrive_again
kill -TERM $loader
wait $loader || fail "load of datagrams: exit $?"
unset "children[$loader]"
says datagrams-load '.completed > 1000 and .failed == 0'
sent=$(tail -n 1 "$work/datagrams-load.json" | jq .completed)
all_counted() { (($(dropped) + $(metric SOURCE.r1 EventReceivedCount) == sent)); }
await "$(dropped) dropped and $(metric SOURCE.r1 EventReceivedCount) received are not $sent" all_counted
lost=$(dropped)
((lost > 0)) || fail "nothing was dropped"
await "not all received events are accepted" metric_is SOURCE.r1 EventAcceptedCount $((sent - lost))
await "not all drained" metric_is SINK.k1 EventDrainSuccessCount $((sent - lost))
kill -TERM $agent
wait $agent || fail "the agent of datagrams: exit $?"
unset "children[$agent]"
grep -q "WARN.*stopped: .*, dropped by the kernel (UDP) $(grouped "$lost"), dead letters 0\$" "$work/datagrams.err" || fail "the last line does not have the kernel's drops"
code=0
"$PENSTOCK" verify --from "file://$work/datagrams" --manifest "$work/datagrams.manifest" --json >"$work/datagrams.json" \
    2>"$work/datagrams-verify.err" || code=$?
((code == 1)) || fail "verify of datagrams: exit $code"
says datagrams ".lost == $lost and .received == $((sent - lost)) and .complete and .duplicated == 0 and .reordered == 0 and
    .corrupted == 0 and .broken == 0 and ([.sources[].lost_ranges[] | .[1] - .[0] + 1] | add) == $lost"
echo "ok: $lost datagrams dropped by the kernel, counted by the agent and found by verify"
