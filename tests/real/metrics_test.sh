#!/usr/bin/env bash
# Needs: flume
# The same agent file run by a real Flume 1.11 and by penstock: /metrics has the same components with the same fields and
# the same forms of values, and the counters that do not depend on timing are equal. Other paths and methods have the same
# answers.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for program in java mvn curl jq nc; do
    command -v $program >/dev/null || { echo "SKIP: no $program (./test.sh --real installs it)"; exit 77; }
done
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
"$here/flume" fetch >/dev/null 2>&1 || { echo "SKIP: Flume's jars cannot be fetched"; exit 77; }

# shellcheck source=tests/support/patience.sh
source "$here/../support/patience.sh"
work=$(mktemp -d)
agent=''
finish() {
    [[ -z $agent ]] || kill "$agent" 2>/dev/null || true
    [[ -z $agent ]] || wait "$agent" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

ask() { curl -s --noproxy '*' --max-time 120 "$@"; }

# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
port_base=$(ports_reserve)

agent_file() { # NAME PORT: writes the file for this engine
    mkdir -p "$work/$1"
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = counter events
	a1.channels = c1 c2
	a1.sinks = k1
	a1.sources.counter.type = seq
	a1.sources.counter.totalEvents = 150
	a1.sources.counter.channels = c1
	a1.sources.events.type = syslogtcp
	a1.sources.events.host = 127.0.0.1
	a1.sources.events.port = $2
	a1.sources.events.channels = c2
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 1000
	a1.channels.c2.type = memory
	a1.channels.c2.capacity = 300
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/$1
	a1.sinks.k1.channel = c1
	a1.penstock.drain.timeout = 100
	EOF_
}

is_bound() { ! port_is_free "$1"; } # PORT
has_delivered() { # URL: the sink has delivered the events of the counter, or the program has ended
    [[ $(ask "$1/metrics" | jq -r '."SINK.k1".EventDrainSuccessCount' 2>/dev/null) == 150 ]] || ! kill -0 "$agent" 2>/dev/null
}
# A source counts an event as accepted after the channel has it.
has_counted() { # URL
    local counts='[."CHANNEL.c2".ChannelSize, ."SOURCE.events".EventAcceptedCount, ."SOURCE.counter".EventAcceptedCount] | join(" ")'
    [[ $(ask "$1/metrics" | jq -r "$counts") == "20 20 150" ]]
}

# Runs one engine, sends 20 events to a channel without a sink, and keeps the answers in $work/NAME.*.
observe() { # NAME SYSLOG-PORT METRICS-PORT COMMAND...
    local name=$1 syslog=$2 url=http://127.0.0.1:$3 i
    shift 3
    "$@" >"$work/$name.log" 2>&1 &
    agent=$!
    patient_await 120 has_delivered "$url" || true
    kill -0 "$agent" 2>/dev/null || fail "$name ended: $(tail -5 "$work/$name.log")"
    for ((i = 0; i < 20; i++)); do echo "<13>Nov 20 09:00:0$((i % 10)) host event $i"; done >"$work/events"
    patient_await 60 is_bound "$syslog" || fail "$name does not listen for syslog" # the other source may have begun long before
    nc -q 1 127.0.0.1 "$syslog" <"$work/events" >/dev/null || true
    patient_await 60 has_counted "$url" || true # a difference of the values says which are wrong
    ask "$url/metrics" >"$work/$name.json"
    {
        ask -o /dev/null -w 'metrics %{http_code} %{content_type}\n' "$url/metrics"
        ask -o /dev/null -w 'other case %{http_code}\n' "$url/METRICS"
        ask -w ' root %{http_code} %{content_type}\n' "$url/"
        ask -o /dev/null -w 'missing %{http_code}\n' "$url/nothing"
        ask -o /dev/null -w 'below %{http_code}\n' "$url/metrics/"
        ask -o /dev/null -w 'post %{http_code}\n' -X POST "$url/metrics"
        ask -o /dev/null -w 'trace %{http_code} %{size_download}\n' -X TRACE "$url/metrics"
        ask -o /dev/null -w 'options %{http_code} %{size_download}\n' -X OPTIONS "$url/metrics"
    } >"$work/$name.answers"
    kill "$agent"
    wait "$agent" || true
    agent=''
}

agent_file flume "$port_base"
agent_file penstock $((port_base + 1))
FLUME_JAVA="-Xmx256m -XX:TieredStopAtLevel=1 -Dflume.monitoring.type=http -Dflume.monitoring.port=$((port_base + 2))" FLUME_LOG=WARN \
    observe flume "$port_base" $((port_base + 2)) "$here/flume" agent -n a1 -f "$work/flume.properties"
observe penstock $((port_base + 1)) $((port_base + 3)) "$PENSTOCK" agent -n a1 -f "$work/penstock.properties" \
    -Dflume.monitoring.type=http "-Dflume.monitoring.port=$((port_base + 3))"

# Components and their fields; the form of each value.
forms='to_entries | map({(.key): (.value | map_values(if type != "string" then "no string" elif test("^[0-9]+$") then "whole"
    elif test("^[0-9]+\\.[0-9]+(E-?[0-9]+)?$") then "double" else . end))}) | add'
for name in flume penstock; do jq -S "$forms" "$work/$name.json" >"$work/$name.forms"; done
diff "$work/flume.forms" "$work/penstock.forms" || fail "fields or forms differ (< Flume, > penstock)"

# Values that do not depend on timing.
values='{
    accepted: ."SOURCE.counter".EventAcceptedCount,
    syslog: [."SOURCE.events".EventReceivedCount, ."SOURCE.events".EventAcceptedCount],
    c1: [."CHANNEL.c1".ChannelSize, ."CHANNEL.c1".ChannelCapacity, ."CHANNEL.c1".ChannelFillPercentage, ."CHANNEL.c1".EventTakeSuccessCount],
    c2: [."CHANNEL.c2".ChannelSize, ."CHANNEL.c2".ChannelCapacity, ."CHANNEL.c2".ChannelFillPercentage, ."CHANNEL.c2".EventPutSuccessCount],
    k1: [."SINK.k1".EventDrainSuccessCount, ."SINK.k1".ConnectionCreatedCount],
    running: map(.StopTime) | unique }'
for name in flume penstock; do jq -S "$values" "$work/$name.json" >"$work/$name.values"; done
diff "$work/flume.values" "$work/penstock.values" || fail "values differ (< Flume, > penstock)"
diff "$work/flume.answers" "$work/penstock.answers" || fail "answers differ (< Flume, > penstock)"
