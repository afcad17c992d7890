#!/usr/bin/env bash
# Two sinks of one channel, of which one has penstock.retry.max and dead letters, and cannot write its file. It keeps the batch that it has tried until
# its attempts are used up: the count is that of this batch, and the other sink takes all others. When the sink can write again, it delivers that batch.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
mkdir "$work/tried" "$work/good"
cat >"$work/agent.properties" <<END
a1.penstock.workers = 1
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/tried
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
a1.sinks.k1.penstock.retry.max = 1000000
a1.sinks.k1.penstock.retry.backoff = 5
a1.sinks.k1.penstock.retry.backoff.max = 5
a1.sinks.k1.penstock.deadletter = $work/letters
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/good
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.channel = c1
END
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"

exec 3<>"/dev/tcp/127.0.0.1/$port"
sent=0
send() {
    local answer
    echo "$((++sent))" >&3
    read -r answer <&3
    [[ $answer == OK ]] || fail "the source answers $answer"
}
lines() { cat "$work/$1"/* 2>/dev/null | wc -l; } # DIRECTORY
# Both sinks have their files after some lines; then that of k1 cannot be made again.
has_file() {
    local file
    for file in "$work/tried"/*; do [[ ! -s $file ]] || return 0; done
    return 1
}
while ((sent < 2000)) && ! has_file; do send; done
has_file || fail "k1 takes nothing"
before=$(lines tried)
rm -r "$work/tried"
while ((sent < 4000)) && ! grep -q 'k1: cannot create' "$work/agent.err"; do for ((i = 0; i < 10; i++)); do send; done; done
grep -q 'k1: cannot create' "$work/agent.err" || fail "k1 takes nothing"
for ((i = 0; i < 50; i++)); do send; done
others_are_there() { (($(lines good) == sent - before - 1)); }
await "the other sink takes all others" others_are_there
others_are_there || fail "the batch that k1 has tried is with the other sink"
mkdir "$work/tried"
is_there() { (($(lines tried) == 1)); }
await "k1 delivers what it kept" is_there
exec 3>&-
stop_agent TERM 0
[[ ! $(find "$work/letters" -type f -size +0 2>/dev/null) ]] || fail "there are dead letters"
