#!/usr/bin/env bash
# penstock demo: it delivers, and its account is correct: it reports the losses and the duplicates of agent files that
# lose events or send them twice. With --keep: tail, topics, health while the demo is held open.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
example=$PENSTOCK_SOURCE/conf/examples/quickstart.properties
sent=20000
# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"
work=$(mktemp -d)
held=''
# The demo keeps the files of an agent that failed: in this folder they are removed with the test's.
export TMPDIR=$work
finish() {
    [[ -z $held ]] || kill -INT "$held" 2>/dev/null || true
    [[ -z $held ]] || wait "$held" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

fail() { echo "FAILED: $*" >&2; cat "$work"/out "$work"/penstock-demo-*/agent.log 2>/dev/null | tail -60 >&2; exit 1; }

demo() { # WANTED-EXIT OPTION...
    local wanted=$1 code=0
    shift
    "$PENSTOCK" demo --rate $((sent / 2)) --seconds 2 "$@" >"$work/out" 2>&1 || code=$?
    ((code == wanted)) || fail "demo $*: exit $code, not $wanted"
}

# The number of error events that load draws, about one in ten, for each of the demo's 4 sources. The draws depend only
# on the numbers of source, event and field.
errors=0
for ((source = 0; source < 4; source++)); do
    count=$("$PENSTOCK" load --target - --events $((sent / 4)) --first-source "$source" --quiet \
        --template '<{choice:11=1,14=9}> {stamp}' 2>/dev/null | grep -c '^<11>')
    errors=$((errors + count))
done
((errors > sent / 20 && errors < sent / 5)) || fail "$errors of $sent events are errors"

grouped() { # NUMBER: 1,234,567
    sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"
}

shows() { # PATTERN
    grep -qE "$1" "$work/out" || fail "the summary does not show: $1"
}

echo "delivers"
demo 0 --config "$example"
shows "^  sent +$(grouped "$sent") events over 4 connections in [0-9.]+ s"
shows "^  delivered +$(grouped "$sent")$"
shows '^  lost +0$'
shows '^  duplicated +0$'
shows '^  reordered +0$'
shows '^  latency +p50 [0-9.]+ [mu]?s, p99 [0-9.]+ [mu]?s, p99.9 [0-9.]+ [mu]?s'
shows '^ +[0-9]+ s +in +[0-9,]+ +delivered +[0-9,]+ +[0-9.,]+ [kM]?/s +agent CPU +[0-9]+ %'
shows '^  rate +[0-9,]+ events/s'
shows '^  CPU +[0-9,]+ events per CPU-second of the agent'
shows '^topic +kcat -b 127.0.0.1:[0-9]+ -t quickstart.rest'
[[ -z $(find "$work" -name 'penstock-demo-*') ]] || fail "the demo left files behind"

echo "finds losses"
grep -v 'selector.default' "$example" >"$work/lossy.properties"
demo 1 --config "$work/lossy.properties"
shows "^  delivered +$(grouped "$errors")$"
shows "^  lost +$(grouped $((sent - errors)))$"

echo "finds duplicates"
sed -e 's/^quickstart.channels = .*/& twice/; s/^quickstart.sinks = .*/& twice/; s/^\(quickstart.sources.syslog.channels = .*\)/\1 twice/' \
    -e 's/^\(quickstart.sources.syslog.selector.default = .*\)/\1 twice/' "$example" >"$work/twice.properties"
sed -n 's/^quickstart.channels.rest/quickstart.channels.twice/p; s/^quickstart.sinks.rest/quickstart.sinks.twice/p' "$example" |
    sed 's/channel = rest/channel = twice/' >>"$work/twice.properties"
demo 1 --config "$work/twice.properties"
shows "^  delivered +$(grouped "$sent")$"
shows '^  lost +0$'
shows '^  duplicated +[1-9]'

echo "reports errors"
demo 2 --config /nonexistent/agent.properties
shows 'the agent ended'
demo 2 --rate none

echo "warms up at its rate, and at no more than 100,000 events a second"
if command -v cc >/dev/null; then
    # Each process of the demo writes its command line.
    cat >"$work/lines.c" <<'END'
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void write_line(void)
{
    char line[4096];
    int from = open("/proc/self/cmdline", O_RDONLY), to = open(getenv("COMMAND_LINES"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    ssize_t length = read(from, line, sizeof line - 1);
    for (ssize_t i = 0; i < length; i++)
        if (line[i] == '\0')
            line[i] = ' ';
    line[length++] = '\n';
    write(to, line, (size_t)length);
    close(from);
    close(to);
}
END
    cc -w -shared -fPIC "$work/lines.c" -o "$work/lines.so" || fail "lines.c does not compile"
    warms() { # RATE WANTED: the demo's rate, and that of its warm-up
        local i
        rm -f "$work/lines"
        ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" COMMAND_LINES=$work/lines LD_PRELOAD=$work/lines.so \
            "$PENSTOCK" demo --rate "$1" --seconds 600 --config "$example" >"$work/out" 2>&1 &
        held=$!
        for ((i = 0; i < 600; i++)); do
            ! grep -qs '^penstock load ' "$work/lines" || break
            kill -0 "$held" 2>/dev/null || fail "demo --rate $1 ended"
            patient_tenth
        done
        for ((i = 0; i < 600; i++)); do # a first signal ends the load, a second one all
            kill -INT "$held" 2>/dev/null || break
            patient_tenth
        done
        wait "$held" || true
        held=''
        grep '^penstock load ' "$work/lines" | head -n 1 >"$work/warm"
        ! grep -q -e '--manifest' "$work/warm" || fail "demo --rate $1 does not warm up"
        grep -q -e " --rate $2 .* --duration 1s " "$work/warm" || fail "demo --rate $1 warms up with: $(<"$work/warm")"
    }
    warms 100 100
    warms 99999 99999
    warms 100001 100000
else
    echo "SKIP PART: the warm-up: no cc"
fi

echo "interrupted: the events sent so far are accounted for"
mkdir "$work/hand"
true >"$work/out" # the shell in the background empties it too late: the seconds of the demo before would be found
TMPDIR=$work/hand "$PENSTOCK" demo --rate 2000 --seconds 600 --config "$example" >"$work/out" 2>&1 &
held=$!
for ((i = 0; i < 600; i++)); do
    ! grep -q '^   2 s' "$work/out" || break
    kill -0 "$held" 2>/dev/null || fail "demo ended"
    patient_tenth
done
kill -INT "$held"
code=0
wait "$held" || code=$?
held=''
((code == 0)) || fail "interrupted demo: exit $code"
shows '^  sent +[1-9][0-9,]* events'
shows '^  lost +0$'
rmdir "$work/hand" || fail "the demo left files behind"

echo "held open"
"$PENSTOCK" demo --rate 2000 --seconds 1 --keep --config "$example" >"$work/out" 2>&1 &
held=$!
for ((i = 0; i < 600; i++)); do
    grep -q 'Running on with a few events' "$work/out" && break
    kill -0 "$held" 2>/dev/null || fail "demo --keep ended"
    patient_tenth
done
shows 'Running on with a few events'
url=$(sed -n 's/^metrics *curl \(.*\)\/metrics\/prometheus$/\1/p' "$work/out" | head -1)
"$PENSTOCK" tail rest -n 2 -w 60 -u "$url" >"$work/tail" || fail "tail: exit $?"
[[ $(wc -l <"$work/tail") == 2 ]] || fail "tail shows $(cat "$work/tail")"
grep -qE '^\{.*origin=quickstart.*\} demo: ~1[0-9A-Za-z_-]{36} GET ' "$work/tail" || fail "tail shows $(cat "$work/tail")"
"$PENSTOCK" tail errors -j -n 1 -w 60 -u "$url" >"$work/tail" || fail "tail -j: exit $?"
grep -q '^{"headers":{.*"Severity":"3"' "$work/tail" || fail "tail -j shows $(cat "$work/tail")"
code=0
"$PENSTOCK" tail nothing -u "$url" >"$work/tail" 2>&1 || code=$?
((code == 2)) || fail "tail of a missing component: exit $code"
grep -qF 'no channel, sink, source or interceptor (SOURCE.INTERCEPTOR) nothing' "$work/tail" || fail "tail of a missing component: $(cat "$work/tail")"
code=0
"$PENSTOCK" tail rest -u http://127.0.0.1:1 >"$work/tail" 2>&1 || code=$?
((code == 2)) || fail "tail without an agent: exit $code"
grep -q 'flume.monitoring.type=http' "$work/tail" || fail "tail without an agent: $(cat "$work/tail")"
if command -v curl >/dev/null; then
    [[ $(curl -s --noproxy '*' "$url/healthz") == ok ]] || fail "not healthy: $(curl -s --noproxy '*' "$url/healthz")"
    curl -s --noproxy '*' "$url/metrics" >"$work/metrics"
    grep -q '"SINK.rest":{"Type":"SINK"' "$work/metrics" || fail "no SINK.rest in /metrics"
    curl -s --noproxy '*' "$url/metrics/prometheus" >"$work/prometheus"
    grep -q '^penstock_source_events_accepted_total{component="syslog"} [1-9]' "$work/prometheus" || fail "no events in Prometheus' text"
    grep -q '^# TYPE penstock_sink_kafka_queue_messages gauge' "$work/prometheus" || fail "no librdkafka statistics in Prometheus' text"
    grep -q '^penstock_sink_latency_seconds_count{component="rest"} [1-9]' "$work/prometheus" || fail "no latency in Prometheus' text"
else
    echo "SKIP PART: metrics: no curl"
fi
if command -v kcat >/dev/null; then
    brokers=$(sed -n 's/^broker *\([^ ]*\).*/\1/p' "$work/out" | head -1)
    kcat -m 120 -b "$brokers" -t quickstart.errors -C -e -q >"$work/topic" || fail "kcat: exit $?"
    (($(wc -l <"$work/topic") >= 200)) || fail "kcat finds $(wc -l <"$work/topic") errors"
else
    echo "SKIP PART: kcat_reads: no kcat"
fi
kill -INT "$held"
code=0
wait "$held" || code=$?
held=''
((code == 0)) || fail "demo --keep: exit $code after ^C"
