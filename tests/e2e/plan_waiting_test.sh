#!/usr/bin/env bash
# penstock plan against a pipeline whose consumer joins late, delivers in steps, and keeps every second event: a program of
# its own, which knows nothing of the plan. Only its mechanics, at a rate far below what the pipeline holds: search_waiting_test.c
# has the figures, in virtual time.
# Runs alone: trials end early on a busy machine.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v jq python3 >/dev/null || { echo "SKIP: no jq or no python3"; exit 77; }
. "$PENSTOCK_SOURCE/tests/support/patience.sh"
work=$(mktemp -d)
relay=
trap '[[ -z $relay ]] || kill "$relay" 2>/dev/null; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; tail -c 3000 "$work/out" >&2; cat "$work/err" >&2; exit 1; }

# Reads lines from TCP connections; from JOINS seconds after its start it writes what it has to a file, every PERIOD seconds.
cat >"$work/relay.py" <<'END'
import os, selectors, socket, sys, time
directory, period, joins = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
server = socket.create_server(("127.0.0.1", 0))
with open(directory + "/port.new", "w") as port:
    port.write(str(server.getsockname()[1]))
os.rename(directory + "/port.new", directory + "/port")
out = open(directory + "/out", "ab", buffering=0)
selector = selectors.DefaultSelector()
selector.register(server, selectors.EVENT_READ)
halves, waiting, lines = {}, [], 0
begin = written = time.monotonic()
while True:
    for key, _ in selector.select(0.02):
        if key.fileobj is server:
            client, _ = server.accept()
            selector.register(client, selectors.EVENT_READ)
            halves[client] = b""
            continue
        data = key.fileobj.recv(65536)
        if not data:
            selector.unregister(key.fileobj)
            key.fileobj.close()
            continue
        *whole, halves[key.fileobj] = (halves[key.fileobj] + data).split(b"\n")
        for line in whole:
            lines += 1
            if lines % 2 == 0:
                waiting.append(line + b"\n")
    now = time.monotonic()
    if now - begin >= joins and now - written >= period:
        out.write(b"".join(waiting))
        waiting, written = [], now
END
touch "$work/out" "$work/err"
python3 "$work/relay.py" "$work" 0.7 1.5 &
relay=$!
patient_await 60 test -e "$work/port" || fail "the relay does not listen"

code=0
"$PENSTOCK" plan --json --target "tcp://127.0.0.1:$(<"$work/port")" --from "file://$work/out?follow=true" --rate-min 50 \
    --rate-first 100 --rate-max 100 --within 60s >"$work/result" 2>"$work/err" || code=$?
mv "$work/result" "$work/out"
result() { # JQ-FILTER
    tail -n 1 "$work/out" | jq -e "$1" >/dev/null || fail "the result does not fulfil: $1"
}
echo "the rate is held although it delivers in steps, half of the events never, and nothing at all at first"
((code == 0)) || fail "exit $code"
result '.goals[0].status == "above-range" and .goals[0].lower == 100'
result '.trials[0].verdict == "untold" and ([.trials[].verdict] | index("held") != null)'
result '[.trials[] | select(.verdict == "held") | .received * 2 - .sent] | all(. > -3 and . < 3)'
result '.assumptions | any(test("delivers in steps")) and any(test("% of the events arrive whatever the rate"))'

echo "interrupted before any rate was too high: no limit is named"
"$PENSTOCK" plan --json --target "tcp://127.0.0.1:$(<"$work/port")" --from "file://$work/out?follow=true" --rate-first 100 \
    --rate-max 100 --within 10m >"$work/cut" 2>"$work/err" &
plan=$!
patient_await 60 grep -q '"type":"trial"' "$work/cut" || fail "no first trial"
kill -INT $plan
wait $plan || true
tail -n 1 "$work/cut" | jq -e '.interrupted and [.limits[].part] == ["not known"] and .goals[0].confidence == null
    and (.goals[0].note | test("let it run to its end"))' >/dev/null || fail "it names a limit: $(tail -c 1000 "$work/cut")"
