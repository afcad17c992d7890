#!/usr/bin/env bash
# A stop while a channel on disk is full and its sink is slow: the sink makes room for what the source has read, and leaves the
# rest in the channel. Without that the source would wait until the drain's time is over, and lose what it has read.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

far=$(free_port)
metrics_port=$(free_port)
cat >"$work/far.py" <<END_
import http.server, sys, time
class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.002)
        arrived.write(body + b"\n")
        arrived.flush()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
arrived = open(sys.argv[2], "wb")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Slow).serve_forever()
END_
python3 "$work/far.py" "$far" "$work/arrived" >/dev/null 2>"$work/far.err" &
children[$!]=1

cat >"$work/agent.properties" <<END_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sinks.k1.rollback.2XX = false
a1.sinks.k1.backoff.2XX = false
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/state
a1.channels.c1.dataDirs = $work/data
a1.channels.c1.capacity = 400
a1.channels.c1.transactionCapacity = 50
a1.sinks.k1.type = http
a1.sinks.k1.channel = c1
a1.sinks.k1.endpoint = http://127.0.0.1:$far/
a1.penstock.drain.timeout = 60s
END_
waits() { # whether the source waits for room
    curl -s "http://127.0.0.1:$metrics_port/metrics" |
        awk '/^penstock_source_blocked_seconds_total\{component="r1"\}/ && $2 > 0.05 {found = 1} END {exit !found}'
}
answers() { curl -s -o /dev/null --data '' "http://127.0.0.1:$far/"; }
arrived() { [[ $(wc -l <"$work/arrived") -ge $1 ]]; }
number() { tail -n 1 "$work/agent.err" | sed -nE "s/.*[:,] $1 ([0-9,]*[0-9]).*/\1/p" | tr -d ,; } # WORDS: of the account

await "the far end answers" answers
accepted=0 delivered=0
for ((i = 0; i < 2; i++)); do
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" \
        >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the source waits for room" waits
    stop_agent TERM 0
    [[ $(number "not delivered") == 0 ]] || fail "what the source has read was not put"
    accepted=$((accepted + $(number "events accepted")))
    delivered=$((delivered + $(number delivered)))
    [[ $(number "kept in durable channels") == $((accepted - delivered)) && $delivered -lt $accepted ]] ||
        fail "$accepted accepted, $delivered delivered: the rest is not in the channel"
    await "all that was delivered has arrived" arrived "$delivered"
done
