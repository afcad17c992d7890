#!/usr/bin/env bash
# Needs: flume
# Sink http compared with a real Flume's, before a server that answers by a schedule: the same requests in the same order, and the same
# counters. Where penstock does better, the test shows what Flume does.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in python3 jq curl; do
    command -v $program >/dev/null || skip "no $program"
done

# An event says how its requests are answered: "2 503 200" is the second event, answered 503 and then 200, and so on. The server writes
# a line for each request into DIR/SINK.
cat >"$work/server.py" <<'END'
import collections, os, socketserver, sys, threading, time
top = sys.argv[1]
turns, lock = collections.Counter(), threading.Lock()
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.request_line():
            pass
    def request_line(self):
        line = self.rfile.readline().decode()
        if not line.strip():
            return False
        method, path, version = line.split()
        fields = {}
        while (field := self.rfile.readline().decode().strip()):
            name, value = field.split(":", 1)
            fields[name.lower()] = value.strip()
        body = self.rfile.read(int(fields.get("content-length", 0))).decode()
        _, engine, sink, *rest = path.split("/")
        with lock:
            plan = body.split()[1:] or ["200"]
            turn = turns[engine, sink, body]
            turns[engine, sink, body] += 1
            answer = plan[min(turn, len(plan) - 1)]
            with open(f"{top}/{engine}.{sink}", "a") as out:
                out.write(f"{method} /{'/'.join(rest)} {version} {fields.get('content-type')} {fields.get('accept')} [{body}] {answer}\n")
        return self.answer(answer, f"/{engine}/{sink}/moved")
    def answer(self, answer, moved):
        word = answer.split("-")
        if answer == "close":
            return False
        if answer == "never":
            time.sleep(60)
            return False
        if answer == "slow":
            time.sleep(25)
            word = ["200"]
        if answer == "garbage":
            self.wfile.write(b"nonsense\r\n\r\n")
            return False
        text = b"" if "bare" in word or word[0] in ("204", "304") else b"because\n"
        self.wfile.write(f"HTTP/1.1 {word[0]} Reason\r\nContent-Type: text/plain\r\n".encode())
        if "moved" in word:
            self.wfile.write(f"Location: {moved}\r\n".encode())
        if word[0] not in ("204", "304"):
            self.wfile.write(f"Content-Length: {len(text) * (3 if 'cut' in word else 1)}\r\n".encode())
        self.wfile.write(b"\r\n" + text)
        return "cut" not in word
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
with Server(("127.0.0.1", 0), Handler) as server:
    with open(f"{top}/port.new", "w") as out:
        out.write(str(server.server_address[1]))
    os.rename(f"{top}/port.new", f"{top}/port")
    server.serve_forever()
END
mkdir "$work/server"
python3 "$work/server.py" "$work/server" >"$work/server.log" 2>&1 &
server=$!
trap 'code=$?; kill "$server" 2>/dev/null; finish $code' EXIT
await 60 test -s "$work/server/port" || fail "the server does not start"
port=$(<"$work/server/port")
metrics=$(ports_reserve)

declare -A schedule=(
    [rules]='200,201 200,202,204,300 200,301 200,304 200,400 200,404,410,429 429 200,500 200,503 503 503 201 200,599 200'
    [defaults]='200,503 200,404 200'
    [inverse]='503 503 200,404,302,500 500 200,201'
    [broken]='200,slow 200,200-cut 200,never 200,close close 200,garbage 200,200'
    [better]=',404-bare 200,302-moved 200'
)
sinks="rules defaults inverse broken better"

agent_file() { # DIR
    local sink engine=${1##*/}
    cat <<-EOF_
	a1.sources = $sinks
	a1.channels = $sinks
	a1.sinks = $sinks
	a1.sinks.rules.defaultBackoff = false
	a1.sinks.rules.rollback.2XX = false
	a1.sinks.rules.rollback.201 = true
	a1.sinks.rules.rollback.4XX = false
	a1.sinks.rules.rollback.400 = TRUE
	a1.sinks.rules.rollback.429 = true
	a1.sinks.rules.incrementMetrics.2XX = true
	a1.sinks.rules.incrementMetrics.201 = false
	a1.sinks.rules.incrementMetrics.404 = true
	a1.sinks.rules.incrementMetrics.5XX = yes
	a1.sinks.rules.contentTypeHeader = application/json; charset=utf-8
	a1.sinks.rules.acceptHeader = application/json, */*
	a1.sinks.defaults.rollback.2XX = false
	a1.sinks.defaults.backoff.2XX = false
	a1.sinks.inverse.defaultBackoff = false
	a1.sinks.inverse.defaultRollback = false
	a1.sinks.inverse.defaultIncrementMetrics = true
	a1.sinks.inverse.backoff.503 = true
	a1.sinks.inverse.rollback.5XX = true
	a1.sinks.inverse.incrementMetrics.404 = false
	a1.sinks.broken.requestTimeout = 12000
	a1.sinks.broken.rollback.200 = false
	a1.sinks.broken.backoff.200 = false
	a1.sinks.broken.incrementMetrics.200 = true
	a1.sinks.better.defaultBackoff = false
	a1.sinks.better.defaultRollback = false
	a1.sinks.better.rollback.302 = true
	EOF_
    for sink in $sinks; do
        tr , '\n' <<<"${schedule[$sink]}" | awk 'length { printf "%d ", NR } { print }' >"$work/$sink.input"
        echo "last 200" >>"$work/$sink.input"
        cat <<-EOF_
		a1.sources.$sink.type = exec
		a1.sources.$sink.command = cat $work/$sink.input
		a1.sources.$sink.channels = $sink
		a1.channels.$sink.type = memory
		a1.sinks.$sink.type = http
		a1.sinks.$sink.channel = $sink
		a1.sinks.$sink.endpoint = http://127.0.0.1:$port/$engine/$sink/events
		a1.sinks.$sink.connectTimeout = 60000
		EOF_
        [[ $sink == broken ]] || echo "a1.sinks.$sink.requestTimeout = 60000" # a request that a busy machine answers late comes once
    done
}
arrived() { # DIR: how many sinks have sent their last event
    cat "$work/server/${1##*/}".* 2>/dev/null | grep -c 'last 200'
}
# Counters, when the channels are empty and nothing changes any more: an answer is counted after it was sent.
leaving() { # DIR
    local i sizes='[to_entries[] | select(.key | startswith("CHANNEL")) | .value.ChannelSize | tonumber] | add'
    local page=$1.json before=''
    for ((i = 0; i < 600; i++)); do
        if curl -sf "http://127.0.0.1:$metrics/metrics" >"$page" && [[ $(jq "$sizes" "$page") == 0 && $before == "$(jq -cS . "$page")" ]]; then
            break
        fi
        before=$(jq -cS . "$page")
        sleep 0.2
    done
    curl -s "http://127.0.0.1:$metrics/metrics/prometheus" >"$1.prometheus" || true # Flume has none
}

cat >"$work/run_penstock" <<END
#!/bin/sh
exec "$PENSTOCK" "\$@" -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics
END
chmod +x "$work/run_penstock"
FLUME_JAVA="$FLUME_JAVA -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics" run flume 5 "$here/flume"
run penstock 5 "$work/run_penstock"

for sink in rules defaults inverse broken; do
    same "requests of $sink" "$work/server/flume.$sink" "$work/server/penstock.$sink"
done
# Flume's EventDrainSuccessCount has what incrementMetrics selects: here it is `counted`.
count() { # ENGINE SINK COUNTER
    jq -r --arg sink "SINK.$2" --arg counter "$3" '.[$sink][$counter]' "$work/$1.json"
}
for sink in rules defaults inverse broken; do
    if [[ ${ENGINE:-} == java ]]; then
        counted=$(count penstock $sink EventDrainSuccessCount)
    else
        counted=$(sed -nE "s/^penstock_sink_counted_total\{.*\"$sink\".*\} ([0-9]+)$/\1/p" "$work/penstock.prometheus")
    fi
    echo "$sink: $(count flume $sink EventDrainAttemptCount) attempts, $(count flume $sink EventDrainSuccessCount) selected, $(count flume $sink EventWriteFail) failed"
    echo "$sink: $(count penstock $sink EventDrainAttemptCount) attempts, $counted selected, $(count penstock $sink EventWriteFail) failed" >&3
done >"$work/flume.text" 3>"$work/penstock.text"
same counters "$work/flume.text" "$work/penstock.text"

# ---- where Flume repeats an event against the rule, or loses one ----

requests() { # ENGINE: method, event and answer
    sed -E 's/^([A-Z]+) .*\[(.*)\] (.*)$/\1 \2: \3/' "$work/server/$1.better"
}
# An error without a body is an exception in Flume, and the event is sent again. After a redirection Java asks with GET, without the event,
# and Flume takes the event for delivered.
cat >"$work/flume.text" <<END
POST 2 404-bare 200: 404-bare
POST 2 404-bare 200: 200
POST 3 302-moved 200: 302-moved
GET : 200
POST last 200: 200
END
if [[ ${ENGINE:-} == java ]]; then
    cp "$work/flume.text" "$work/penstock.text"
else
    cat >"$work/penstock.text" <<END
POST 2 404-bare 200: 404-bare
POST 3 302-moved 200: 302-moved
POST 3 302-moved 200: 200
POST last 200: 200
END
fi
for engine in flume penstock; do
    requests $engine | diff -u "$work/$engine.text" - || fail "$engine: what was better is so no more"
done
echo "better: an error without a body, a redirection"
