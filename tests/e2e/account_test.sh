#!/usr/bin/env bash
# The agent's last line: events that the interceptor drops, that the selector gives no channel, and that a full optional channel
# does not take are dropped, each once; what stays in that channel is not delivered, and the exit status says so.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v nc >/dev/null || { echo "SKIP: no nc"; exit 77; }
port=$(free_port)
mkdir "$work/out"
cat >"$work/a.properties" <<END
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = regex_filter
a1.sources.r1.interceptors.i1.regex = ^drop
a1.sources.r1.interceptors.i1.excludeEvents = true
a1.sources.r1.interceptors.i2.type = regex_extractor
a1.sources.r1.interceptors.i2.regex = ^([a-z]+)
a1.sources.r1.interceptors.i2.serializers = s1
a1.sources.r1.interceptors.i2.serializers.s1.name = kind
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = kind
a1.sources.r1.selector.mapping.a = c1
a1.sources.r1.selector.mapping.b = c1
a1.sources.r1.selector.optional.b = c2
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c2.type = memory
a1.channels.c2.capacity = 4
a1.channels.c2.transactionCapacity = 1
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k2.type = file_roll
a1.sinks.k2.channel = c2
a1.sinks.k2.sink.batchSize = 1
a1.sinks.k2.sink.directory = $work/nowhere
a1.penstock.drain.timeout = 1000
END
metrics_port=$(free_port)
"$PENSTOCK" agent -n a1 -f "$work/a.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "the source does not listen" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"

lines() { # COUNT TEXT
    local i
    for ((i = 1; i <= $1; i++)); do echo "$2 $i"; done
}
{ lines 10 a; lines 9 b; lines 3 drop; lines 2 unrouted; } >"$work/sent"
nc -N 127.0.0.1 "$port" <"$work/sent" >"$work/answers" || fail "nc"
[[ $(sort "$work/answers" | uniq -c | xargs) == '24 OK' ]] || fail "not every line is accepted: $(sort "$work/answers" | uniq -c)"
delivered() { [[ $(cat "$work"/out/* | wc -l) -eq 19 ]]; }
await "19 lines in the file" delivered
counts() { [[ $(metric "$1" "$2") == "$3" ]]; }
await "the sink has settled 19 events" counts penstock_channel_events_taken_total c1 19 # a stop waits for it only a second

kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
((code == 3)) || fail "exit status $code"
grep -q 'stopped: events accepted 24, delivered 19, dropped 10, refused by the far end 0, possibly doubled 0, not delivered 4, kept in durable channels 0,' \
    "$work/agent.err" || fail "the account: $(grep stopped: "$work/agent.err")"
diff <(cat "$work"/out/*) <(lines 10 a; lines 9 b) || fail "the file"
echo "ok: $(grep -o 'stopped: .*' "$work/agent.err")"
