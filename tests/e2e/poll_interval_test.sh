#!/usr/bin/env bash
# How often an agent asks for a configuration that is read over http: once at the start, then once in each interval, and
# not more often after the first.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
port=$(free_port)
cat >"$work/a1.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 1
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
python3 -m http.server "$port" --bind 127.0.0.1 --directory "$work" >"$work/server.out" 2>"$work/requests" &
children[$!]=1
await 'the server does not answer' curl -s -o "$work/got" --noproxy '*' --max-time 20 "http://127.0.0.1:$port/a1.properties"
requests() { grep -c 'GET /a1.properties' "$work/requests" || true; }
before=$(requests)
began=$SECONDS
no_proxy='*' "$PENSTOCK" agent -n a1 -u "http://127.0.0.1:$port/a1.properties" -i 3 2>"$work/agent.err" &
agent=$!
children[$agent]=1
three() { (($(requests) - before >= 4)); }
await 'it does not ask again' three
sleep 4
asked=$(($(requests) - before))
took=$((SECONDS - began + 1))
((asked <= took / 3 + 2)) || fail "asked $asked times in $took s, not once in 3 s"
kill "$agent"
wait "$agent" || fail "exit $?"
unset "children[$agent]"
