#!/usr/bin/env bash
# Needs: flume
# The logger sink's lines compared with a real Flume's: headers in HashMap's order, hex dumps. (maxBytesToLog is not
# compared: Flume 1.11 documents it and does not pass it to the sink; tests/stages/sinks/logger_test.c has dumps of its
# EventHelper.)
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

{
    printf 'short\n\nexactly sixteen.\nseventeen bytes..\nbody with \ttab, \001 control, \177 and é\n'
    for ((i = 0; i < 40; i++)); do echo "line $i $(printf '%*s' $((i * 3)) '' | tr ' ' '#')"; done
} >"$work/events"

agent_file() {
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = exec
	a1.sources.r1.command = cat $work/events
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1 i2 i3 i4 i5
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = timestamp
	a1.sources.r1.interceptors.i1.value = 1700000000000
	a1.sources.r1.interceptors.i2.type = static
	a1.sources.r1.interceptors.i2.key = datacenter
	a1.sources.r1.interceptors.i2.value = NY
	a1.sources.r1.interceptors.i3.type = host
	a1.sources.r1.interceptors.i3.useIP = true
	a1.sources.r1.interceptors.i4.type = static
	a1.sources.r1.interceptors.i4.key = environment
	a1.sources.r1.interceptors.i4.value = tëst
	a1.sources.r1.interceptors.i5.type = host
	a1.sources.r1.interceptors.i5.useIP = false
	a1.sources.r1.interceptors.i5.hostHeader = hostname
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 1000
	a1.sinks.k1.type = logger
	a1.sinks.k1.channel = c1
	EOF_
}
arrived() { # DIR: events in the log
    grep -ac 'Event: { headers:' "$1.log" || true
}
both 45

for engine in flume penstock; do
    sed -nE 's/^.*(Event: \{ headers:.*)$/\1/p' "$work/$engine.log" >"$work/$engine.text"
done
(($(wc -l <"$work/flume.text") == 45)) || fail "Flume logged $(wc -l <"$work/flume.text") events"
same "events" "$work/flume.text" "$work/penstock.text"
