#!/usr/bin/env bash
# taildir and http in one file channel whose disk fills up while both put: what taildir cannot refuse keeps no client of http from its
# 503. When there is room again, every line and every acknowledged request is delivered.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
own_mounts "$@"
has python3 "the clients" || exit 77

port=$(free_port)
small_disk 6m
mkdir "$work/logs"
lines=10000
python3 -c '
import sys
for number in range(int(sys.argv[1])):
    print("line %d %s" % (number, "x" * 1000))' $lines >"$work/app.log"
cat >"$work/agent.properties" <<END
a1.sources = t h
a1.channels = c1
a1.sinks = k1
a1.sources.t.type = TAILDIR
a1.sources.t.filegroups = f1
a1.sources.t.filegroups.f1 = $work/logs/app.log
a1.sources.t.positionFile = $work/positions.json
a1.sources.t.channels = c1
a1.sources.h.type = http
a1.sources.h.bind = 127.0.0.1
a1.sources.h.port = $port
a1.sources.h.channels = c1
a1.channels.c1.type = file
a1.channels.c1.keep-alive = 1
a1.channels.c1.minimumRequiredSpace = 1
a1.channels.c1.maxFileSize = 1048576
a1.channels.c1.checkpointDir = $work/disk/checkpoint
a1.channels.c1.dataDirs = $work/disk/data
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END

cat >"$work/clients.py" <<'END'
"""Twelve clients of http, each one request after the other until one is answered 503. Prints each body that was acknowledged."""
import json, sys, threading, urllib.error, urllib.request
wrong, lock = [], threading.Lock()

def client(name):
    for number in range(100000):
        body = f"request {name}.{number} "
        data = json.dumps([{"headers": {}, "body": body + "y" * 500}]).encode()
        try:
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/", data)).read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                wrong.append(error.code)
            return
        with lock:
            print(body, flush=True)

threads = [threading.Thread(target=client, args=(name,)) for name in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(f"a client was answered {wrong}" if wrong else 0)
END

start_agent
no_proxy='*' python3 "$work/clients.py" "$port" >"$work/taken" 2>"$work/clients.err" &
clients=$!
children[$clients]=1
has_taken() { [[ $(wc -l <"$work/taken") -ge 100 ]]; }
await "requests are acknowledged" has_taken
mv "$work/app.log" "$work/logs/app.log"
await "every client has an answer, the last one 503" eval "! kill -0 $clients 2>/dev/null"
wait "$clients" || fail "$(<"$work/clients.err")"
# The next segment does not fit, or a look at the free space came first.
grep -qE "the channel acknowledges no events until its storage works again|events are refused until there is more room" "$work/agent.err" ||
    fail "the disk was not full"
echo "$(wc -l <"$work/taken") requests were acknowledged before the disk was full"

mount -o remount,size=64m "$work/disk"
mkdir "$work/out"
delivered() { cat "$work"/out/* 2>/dev/null | cut -d' ' -f1,2 | sort -u; }
cut -d' ' -f1,2 "$work/taken" | sort -u >"$work/wanted"
seq -f 'line %.0f' 0 $((lines - 1)) >>"$work/wanted"
all_are_delivered() { [[ -z $(sort -u "$work/wanted" | comm -23 - <(delivered)) ]]; }
await "every line and every acknowledged request is delivered" all_are_delivered
stop_agent TERM
