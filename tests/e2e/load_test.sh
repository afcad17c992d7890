#!/usr/bin/env bash
# penstock load from the command line: messages, exit codes, output, and repeatability.
# shellcheck disable=SC2016 # the program's messages contain backticks
set -euo pipefail

# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Runs penstock load and expects this exit code; its output is in $work/out and $work/err.
load() { # CODE OPTION...
    local wanted=$1 code=0
    shift
    # No time is asserted: the test does not depend on whether a busy machine holds the rate.
    "$PENSTOCK" load --tolerance 100% "$@" >"$work/out" 2>"$work/err" || code=$?
    ((code == wanted)) || fail "load $*: exit code $code, not $wanted: $(cat "$work/err")"
}

refused() { # MESSAGE OPTION...
    local message=$1
    shift
    load 2 "$@"
    grep -qF -- "$message" "$work/err" || fail "load $*: \"$(cat "$work/err")\" does not contain \"$message\""
    (($(wc -l <"$work/err") <= 3)) || fail "load $*: a long message: $(cat "$work/err")"
}

# ---- errors on the command line; tests/commands/data/load*.txt has the others, and the help ----

refused 'a target is given as --target tcp://x' tcp://x
refused '--target is missing'
for address in 127.0.0.1:1 localhost:5140 '[::1]:5140'; do
    refused "did you mean tcp://$address?" --events 1 --target "$address"
    [[ ! -e $address ]] || fail "load made a file $address"
done
refused 'there is no CPU 1000' --cpus 1000 --target -

# ---- standard output has only the events; the summary is on standard error ----

repeatable=(--seed 7 --run 0a0b0c --start-time 2026-01-02T03:04:05Z --format rfc3164 --size 120)
load 0 --events 5000 --rate 1M "${repeatable[@]}" --target -
(($(wc -l <"$work/out") == 5000)) || fail "not 5,000 lines on standard output"
(($(wc -c <"$work/out") == 600000)) || fail "not 120 bytes an event"
grep -qE '^  completed +5,000 ' "$work/err" || fail "no summary: $(cat "$work/err")"
head -1 "$work/out" | grep -q 'Jan  2 03:04:05' || fail "wrong start time: $(head -1 "$work/out")"
mv "$work/out" "$work/first"

# The same load gives the same bytes, also in a file; another seed gives other bytes.
load 0 --events 5000 --rate 1M "${repeatable[@]}" --target stdout:
cmp "$work/out" "$work/first" || fail "the same seed gave different bytes"
load 0 --events 5000 --rate 1M "${repeatable[@]}" --seed 8 --target -
! cmp -s "$work/out" "$work/first" || fail "another seed gave the same bytes"
load 0 --events 5000 --rate 1M "${repeatable[@]}" --target "file://$work/events.log" --json
cmp "$work/events.log" "$work/first" || fail "the file differs from standard output"

# Random arrivals are repeatable, too.
load 0 --events 2000 --rate 100k --shape poisson "${repeatable[@]}" --target -
mv "$work/out" "$work/first"
load 0 --events 2000 --rate 100k --shape poisson "${repeatable[@]}" --pace sleep --target -
cmp "$work/out" "$work/first" || fail "the same seed gave different arrivals"

# ---- JSON lines: the progress line, and every documented member of the summary ----

progress='^{"type":"progress","t":1\.[0-9]+,"asked":[0-9.e+]+,"due":[0-9]+,"sent":[0-9]+,"completed":[0-9]+,"failed":0,"backlog":[0-9]+,'
progress+='"rate":[0-9.e+]+,"bytes":[0-9]+,"connections_up":1,"latency_ns":{"p50":[0-9]+,"p99":[0-9]+,"max":[0-9]+},"outage":false}$'
progresses() { # a load that has no CPU for a second has no such line
    load 0 --rate 2000 --duration 2s --json --target "file://$work/json.log"
    grep -qE "$progress" "$work/out"
}
patient_await 60 progresses || fail "wrong progress line: $(head -1 "$work/out")"
for member in run source_first sources seconds asked_rate achieved_rate held closed_loop due sent completed failed backlog_max bytes \
    cpu_seconds schedule_error_ns schedule_error_net_ns witness_gap_ns latency_ns completion outages clock_step_ms p99.99; do
    tail -1 "$work/out" | grep -qF "\"$member\":" || fail "the summary has no $member: $(tail -1 "$work/out")"
done
load 0 --rate 2000 --duration 2s --quiet --json --target "file://$work/json.log"
(($(wc -l <"$work/out") == 1)) || fail "--quiet prints more than the summary"

load 0 --events 100 --target "file://$work/json.log" # a pipe gets text, too
grep -qE '^  completed +100 ' "$work/out" || fail "no text: $(cat "$work/out")"
! grep -q '[{}]' "$work/out" || fail "JSON among the text: $(cat "$work/out")"

# ---- replaying a trace, a manifest, a closed loop ----

printf '2026-11-20T10:00:00.000Z a\n2026-11-20T10:00:00.100Z b\n2026-11-20T10:00:00.300Z c\n' >"$work/trace"
load 0 --shape "replay:$work/trace,speed=3" --manifest "$work/manifest" --run 00beef --first-source 9 --target -
(($(wc -l <"$work/out") == 3)) || fail "the trace has 3 arrivals"
grep -q '"run":"00beef".*"sources":\[{"source":9,"events":3,"completed":3,"failed":0}\]' "$work/manifest" || fail "manifest: $(cat "$work/manifest")"
[[ ! -e $work/manifest.new ]] || fail "the manifest was not renamed"
load 0 --events 100 --target -
grep -q '^CLOSED LOOP ' "$work/err" || fail "a closed loop is not labelled"
load 2 --events 1 --manifest "$work/no/such/place" --target -
grep -q 'No such file' "$work/err" || fail "no message about a manifest that cannot be written"

# ---- the reader closes the pipe: the run ends, and events are counted as failed ----

timeout 60 "$PENSTOCK" load --rate 100k --target - 2>"$work/err" | head -1 >/dev/null || true
grep -q 'the reader closed it' "$work/err" || fail "no message about a closed pipe: $(cat "$work/err")"

# ---- a signal ends the run with a correct manifest and summary ----

rm -f "$work/out"
"$PENSTOCK" load --json --rate 1000 --manifest "$work/manifest" --target - >"$work/out" 2>"$work/err" &
pid=$!
for ((i = 0; i < 600; i++)); do
    [[ ! -s $work/out ]] || break
    patient_tenth
done
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
((code == 0 || code == 3)) || fail "exit code $code after a signal: $(cat "$work/err")"
sent=$(wc -l <"$work/out")
grep -q "\"events\":$sent,\"completed\":$sent,\"failed\":0" "$work/manifest" || fail "$sent lines, manifest: $(cat "$work/manifest")"
grep -q '"interrupted":true' "$work/err" || fail "no summary after a signal"

# ---- on a terminal: a live line, no JSON; colour unless NO_COLOR is set ----

if command -v script >/dev/null; then
    run="'$PENSTOCK' load --rate 1000 --duration 2s --tolerance 100% --target file://$work/tty.log"
    TERM=xterm script -qec "$run" /dev/null >"$work/tty" </dev/null || fail "on a terminal"
    grep -q 'HELD' "$work/tty" || fail "no verdict on a terminal: $(cat "$work/tty")"
    ! grep -q '"type"' "$work/tty" || fail "JSON on a terminal"
    grep -q $'\033\\[32m' "$work/tty" || fail "no colour on a terminal"
    NO_COLOR=1 TERM=xterm script -qec "$run" /dev/null >"$work/tty" </dev/null || fail "on a terminal"
    ! grep -q $'\033\\[32m' "$work/tty" || fail "colour in spite of NO_COLOR"
else
    echo "SKIP PART: terminal: no script"
fi
