#!/usr/bin/env bash
# Events that penstock load never wrote are not lost by the pipeline: a TCP target that stops reading, a full disk, a web server
# that refuses, brokers that go away, load that is interrupted or killed. In each case verify reads the far end, which has all that
# came, and blames nothing; then one event is taken out there, and exactly that one is lost.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

load() { # OPTION...: writes $work/load.json, and the manifest
    rm -f "$work/manifest"
    "$PENSTOCK" load --json --quiet --seed 3 --manifest "$work/manifest" "$@" >"$work/load.json" 2>"$work/load.err" || true
}
loaded() { # CONDITION of load's summary
    tail -n 1 "$work/load.json" | jq -e "$1" >/dev/null || fail "load does not fulfil $1: $(cat "$work/load.json" "$work/load.err")"
}
verified() { # WANTED-EXIT FROM CONDITION
    local code=0
    "$PENSTOCK" verify --json --quiet --from "$2" --manifest "$work/manifest" --idle 1s >"$work/verify.json" 2>"$work/verify.err" || code=$?
    tail -n 1 "$work/verify.json" | jq -e "$3" >/dev/null || fail "verify does not fulfil $3: $(cat "$work/verify.json" "$work/verify.err")"
    ((code == $1)) || fail "verify: exit $code, not $1: $(cat "$work/verify.json")"
}
# The far end is a file: nothing is lost; without its second line one event is.
file_verified() { # FILE
    verified 0 "$1" '.lost == 0 and .not_written > 0 and .exit_code == 0'
    sed 2d "$1" >"$1.less"
    verified 1 "$1.less" '.lost == 1 and .not_written > 0'
}

# Takes what the first connection sends, up to some bytes, into a file; then it stops reading until it is told to read on.
cat >"$work/reader.py" <<'END'
import os, signal, socket, sys
directory, most = sys.argv[1], int(sys.argv[2])
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind(("127.0.0.1", 0))
server.listen()
with open(directory + "/port.new", "w") as port:
    port.write(str(server.getsockname()[1]))
os.rename(directory + "/port.new", directory + "/port")
client, _ = server.accept()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
with open(directory + "/out", "wb") as out:
    while most > 0:
        data = client.recv(min(most, 4096))
        out.write(data)
        most -= len(data)
    out.flush()
    signal.sigwait([signal.SIGUSR1])
    while data := client.recv(65536):
        out.write(data)
END
reader_start() {
    rm -f "$work/port" "$work/out"
    python3 "$work/reader.py" "$work" 20000 &
    reader=$!
    children[$reader]=1
    await "the reader does not listen" test -e "$work/port"
    target="tcp://127.0.0.1:$(<"$work/port")?send_buffer=4KiB"
}
reader_end() {
    kill -USR1 "$reader"
    wait "$reader" || fail "the reader failed"
}

echo "a target that stops reading"
reader_start
load --target "$target" --rate 100k --events 50k --size 200 --settle 200ms
reader_end
loaded '.undelivered > 0 and .completed > 0'
file_verified "$work/out"

echo "load is interrupted while its target does not read"
reader_start
rm -f "$work/manifest"
"$PENSTOCK" load --json --quiet --rate 20k --size 200 --settle 100ms --target "$target" --manifest "$work/manifest" >"$work/load.json" &
loader=$!
children[$loader]=1
stands() { [[ -s $work/out ]] && jq -e '.running and .seconds > 0.5 and .sources[0].completed > 0 and .sources[0].events > .sources[0].completed' "$work/manifest" >/dev/null; }
await "load does not stand still" stands
kill -INT "$loader"
wait "$loader" || true
unset "children[$loader]"
reader_end
loaded '.interrupted'
file_verified "$work/out"

echo "load is killed: what it had completed is accounted for, and what it did later is not known"
reader_start
rm -f "$work/manifest"
"$PENSTOCK" load --json --quiet --rate 20k --size 200 --settle 100ms --target "$target" --manifest "$work/manifest" >"$work/load.json" &
loader=$!
children[$loader]=1
await "load does not stand still" stands
kill -KILL "$loader"
wait "$loader" || true
unset "children[$loader]"
reader_end
verified 2 "$work/out" '.lost == null and .lost_at_least == 0 and (.incomplete_because | test("was killed"))'
sed 1,100d "$work/out" >"$work/out.less"
[[ -s $work/out.less ]] || fail "fewer than 100 lines came"
verified 1 "$work/out.less" '.lost_at_least > 0'

echo "a web server that refuses every other event"
cat >"$work/web.py" <<'END'
import http.server, json, os, sys
directory, number = sys.argv[1], 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        global number
        number += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        good = number % 2 == 0
        if good:
            for event in json.loads(body):
                out.write(event["body"].encode() + b"\n")
            out.flush()
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
out = open(directory + "/web", "wb")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(directory + "/port.new", "w") as port:
    port.write(str(server.server_address[1]))
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
END
rm -f "$work/port"
python3 "$work/web.py" "$work" &
children[$!]=1
await "the web server does not listen" test -e "$work/port"
load --target "http://127.0.0.1:$(<"$work/port")/" --rate 2000 --events 200
loaded '.failed > 0 and .completed > 0'
file_verified "$work/web"

echo "brokers that go away"
"$PENSTOCK" mock-broker --topic whole:1 >"$work/brokers" 2>"$work/brokers.err" &
broker=$!
children[$broker]=1
await "no mock broker" test -s "$work/brokers"
rm -f "$work/manifest"
"$PENSTOCK" load --json --rate 1000 --settle 300ms --every 100ms --target "kafka://$(<"$work/brokers")/whole" --manifest "$work/manifest" \
    >"$work/load.json" 2>"$work/load.err" &
loader=$!
children[$loader]=1
completes() { grep -q '"completed":[1-9]' "$work/load.json"; }
await "load completes nothing" completes
"$PENSTOCK" verify --json --quiet --from "kafka://$(<"$work/brokers")/whole" --duration 1s >"$work/early.json" || true
kill -STOP "$broker"
await "no manifest with unfinished events" jq -e '.sources[0].events > .sources[0].completed' "$work/manifest"
kill -INT "$loader"
wait "$loader" || true
unset "children[$loader]"
kill -CONT "$broker"
loaded '.undelivered > 0'
verified 0 "kafka://$(<"$work/brokers")/whole" '.lost == 0 and .failed_at_load == 0'
kill "$broker"
unset "children[$broker]"

echo "a full disk"
full() {
    mkdir "$1/disk" && mount -t tmpfs -o size=32k none "$1/disk" || exit 77
    "$PENSTOCK" load --json --quiet --rate 100k --events 1000 --size 200 --settle 200ms --manifest "$1/manifest" --target "$1/disk/log" >"$1/load.json" 2>"$1/load.err" || true
    cp "$1/disk/log" "$1/full"
}
code=0
rm -f "$work/manifest"
export -f full
# shellcheck disable=SC2016 # it is the other shell's
unshare -Urm bash -c 'full "$1"' - "$work" 2>"$work/unshare.err" || code=$?
if ((code == 77)) || grep -qi 'not permitted' "$work/unshare.err"; then
    echo "skipped: no mount namespace here"
else
    ((code == 0)) || fail "exit $code: $(cat "$work/unshare.err")"
    loaded '.completed > 0 and .undelivered + .failed > 0'
    file_verified "$work/full"
fi
