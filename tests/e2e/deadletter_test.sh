#!/usr/bin/env bash
# Dead letters of a whole agent: events that are too large for the topic go to the directory and the others to the topic;
# list, show and replay; what comes again is set aside. (Killed again and again: tests/scenarios/deadletter_killed.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
broker_port=$(free_port)
port=$(free_port)
dead=$work/dead

"$PENSTOCK" mock-broker --port "$broker_port" --topic out:1 >"$work/broker.out" 2>"$work/broker.err" &
children[$!]=1
await "no broker" test -s "$work/broker.out"

agent_start() { # NAME FILE
    "$PENSTOCK" agent -n "$1" -f "$2" 2>>"$work/$1.err" &
    agent=$!
    children[$agent]=1
}
agent_stop() {
    send_signal "$agent" TERM
    wait "$agent" || fail "the agent exits with $?"
    unset "children[$agent]"
}
sink() { # BYTES: of the largest request
    cat <<END
a1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
a1.sinks = k1
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.channel = c1
a1.sinks.k1.kafka.topic = out
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.sinks.k1.kafka.producer.max.request.size = $1
a1.sinks.k1.penstock.deadletter = $dead
END
}
netcat_agent() { # BYTES
    sink "$1"
    cat <<END
a1.sources = r1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.max-line-length = 100000
a1.sources.r1.channels = c1
END
}
reader_agent() { # TOPIC: into files
    cat <<END
a2.channels = c1
a2.channels.c1.type = memory
a2.channels.c1.capacity = 10000
a2.channels.c1.transactionCapacity = 1000
a2.sources = r1
a2.sources.r1.type = org.apache.flume.source.kafka.KafkaSource
a2.sources.r1.channels = c1
a2.sources.r1.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a2.sources.r1.kafka.topics = $1
a2.sources.r1.kafka.consumer.group.id = reader
a2.sources.r1.kafka.consumer.auto.offset.reset = earliest
a2.sinks = k1
a2.sinks.k1.type = file_roll
a2.sinks.k1.channel = c1
a2.sinks.k1.sink.directory = $work/read
a2.sinks.k1.sink.rollInterval = 0
END
}
lines() { # FIRST LAST: every tenth is too large
    awk -v first="$1" -v last="$2" 'BEGIN {
        large = sprintf("%5000s", ""); gsub(/ /, "x", large)
        for (i = first; i <= last; i++) print (i % 10 == 3 ? "large " i " " large " \303\251\\\"" : "small " i)
    }'
}
send() { # FILE: to the netcat source
    command -v nc >/dev/null || { echo "SKIP: no nc"; exit 77; }
    nc -N 127.0.0.1 "$port" <"$1" >"$work/answers" || fail "nc"
}
listening() { [[ $(grep -c "listening on 127.0.0.1:$port" "$work/a1.err") -eq $1 ]]; }
listed() { # KEY
    "$PENSTOCK" deadletter list "$dead" --json 2>"$work/list.err" | jq -r "$1"
}
has_letters() { [[ -d $dead && $(listed .letters) -eq $1 ]]; }
replay() {
    "$PENSTOCK" deadletter replay "$dead" "$@" 2>"$work/replay.err"
}

# ---- too large: to the directory, and the next ones go on ----
mkdir "$work/read"
reader_agent out >"$work/a2.properties"
"$PENSTOCK" agent -n a2 -f "$work/a2.properties" 2>"$work/a2.err" &
children[$!]=1
netcat_agent 4000 >"$work/a1.properties"
lines 1 500 >"$work/sent"
agent_start a1 "$work/a1.properties"
await "the source does not listen" listening 1
send "$work/sent"
await "50 dead letters: $(listed .letters)" has_letters 50
diff <("$PENSTOCK" deadletter show "$dead" --json | jq -r .body) <(grep '^large' "$work/sent") >"$work/diff" || fail "the letters differ"
arrived() { [[ $(cat "$work"/read/* 2>/dev/null | wc -l) -ge $1 ]]; }
await "450 records" arrived 450
diff <(cat "$work"/read/*) <(grep '^small' "$work/sent") || fail "the topic"
[[ $(listed '.kinds[0] | .agent, .component, .reason, .letters' | xargs) == 'a1 sink k1 record-too-large 50' ]] || fail "list"
"$PENSTOCK" deadletter show "$dead" --component k1 --reason record-too-large --limit 1 | grep 'sink k1 record-too-large: .*attempts 0' >/dev/null || fail "show"
[[ -z $("$PENSTOCK" deadletter show "$dead" --component k2) ]] || fail "show of another component"

# ---- replayed into the same agent it comes again; the third time it is set aside ----
for round in 1 2 3; do
    replay --to "tcp://127.0.0.1:$port" --limit 1 --max 3 || fail "replay $round: $(<"$work/replay.err")"
    grep -q '1 replayed' "$work/replay.err" || fail "replay $round"
    await "it does not come again" has_letters $((50 + round))
    # the one that came again is the newest; the others are set to replayed to get at it
    ((round > 1)) || { replay --limit 49 >"$work/rest" || fail "replay to standard output"; }
done
diff <(tail -n +1 "$work/rest") <(grep '^large' "$work/sent" | tail -n +2) >"$work/diff" || fail "standard output differs"
[[ $(listed '.letters, .replayed, .aside' | xargs) == '53 52 1' ]] || fail "after three rounds: $(listed '.letters, .replayed, .aside' | xargs)"
replay --to "tcp://127.0.0.1:$port" || fail "a replay of nothing"
grep -q ' 0 replayed; 1 set aside after 3 unsuccessful replays' "$work/replay.err" || fail "set aside: $(<"$work/replay.err")"
agent_stop
grep -q 'dead letters 53' "$work/a1.err" || fail "the account: $(grep stopped: "$work/a1.err")"

# ---- put right, all of it replayed: what arrives is what was sent, byte for byte, once ----
netcat_agent 1000000 >"$work/a1.properties"
agent_start a1 "$work/a1.properties"
await "the source does not listen" listening 2
replay --to "tcp://127.0.0.1:$port" --again --limit 50 || fail "replay: $(<"$work/replay.err")"
await "all 500 records" arrived 500
sleep 0.5
diff <(sort <(cat "$work"/read/*)) <(sort "$work/sent") >"$work/diff" || fail "sent and read differ"
agent_stop
if replay --again --to "tcp://127.0.0.1:$port"; then fail "a replay to nobody"; fi
code=0
replay --to nonsense || code=$?
((code == 2)) || fail "a wrong address: exit $code"

# ---- a source without answers, a line that is too long: named, and not marked ----
netcat_agent 1000000 | sed 's/max-line-length = .*/max-line-length = 100/' >"$work/a1.properties"
agent_start a1 "$work/a1.properties"
await "the source does not listen" listening 3
before=$(listed .replayed)
if replay --again --to "tcp://127.0.0.1:$port"; then fail "lines that are too long are replayed"; fi
grep -q 'FAILED: Event exceeds the maximum length' "$work/replay.err" || fail "too long: $(<"$work/replay.err")"
[[ $(listed .replayed) == "$before" ]] || fail "marked without an answer"
agent_stop

# ---- torn lines, and lines that are none ----
files=("$dead"/*.jsonl)
printf '{"v":1,"time":"2026' >>"${files[-1]}"
echo 'no letter' >"$dead/00000000T000000-x-1-1.jsonl"
code=0
"$PENSTOCK" deadletter list "$dead" --json >"$work/list.json" 2>"$work/list.err" || code=$?
((code == 1)) || fail "exit $code"
[[ $(jq -r '.letters, .unreadable, .torn' "$work/list.json" | xargs) == '53 1 1' ]] || fail "torn: $(<"$work/list.json")"

# ---- a pipe with the name of a file: nobody waits for it ----
mkfifo "$dead/pipe.jsonl"
code=0
patient_limit 60 "$PENSTOCK" deadletter list "$dead" --json >"$work/list.json" 2>"$work/list.err" || code=$?
((code == 1)) || fail "exit $code with a pipe"
grep -q 'pipe.jsonl: it is not a regular file' "$work/list.err" || fail "the pipe: $(<"$work/list.err")"
mkdir "$dead/x.jsonl.replayed" # a read of it fails: what is marked there would be replayed again
code=0
"$PENSTOCK" deadletter list "$dead" --json >"$work/list.json" 2>"$work/list.err" || code=$?
((code > 0)) || fail "exit 0 with marks that cannot be read"
grep -q 'x.jsonl.replayed: Is a directory' "$work/list.err" || fail "marks that cannot be read: exit $code, $(<"$work/list.err")"
rmdir "$dead/x.jsonl.replayed"

echo "ok: $(listed .letters) letters"
