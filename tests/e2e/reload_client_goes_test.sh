#!/usr/bin/env bash
# A reload takes the only Kafka sink away, and a later one brings it back: the client library's share of the memory budget goes
# and comes, and the agent runs on with what it has reserved.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
file="$work/agent.properties"
config() { # KAFKA?
    cat <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.channel = c1
EOF_
    if [[ $1 == kafka ]]; then
        echo "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink"
        echo "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$(free_port)"
    else
        echo "a1.sinks.k1.type = null"
    fi
}
reloads() { [[ $(grep -c "agent: reloaded; " "$work/err") -ge $1 ]]; } # COUNT: carried out; a stop before that keeps the old sink

config kafka >"$file"
"$PENSTOCK" agent -n a1 -f "$file" 2>"$work/err" &
agent=$!
children[$agent]=1
await "it listens" grep -q "listening on" "$work/err"
exec 3<>"/dev/tcp/127.0.0.1/$port"
answer() {
    local line
    echo "$1" >&3
    read -r -t 60 line <&3 || fail "no answer to $1"
    [[ $line == OK ]] || fail "answer to $1: $line"
}
answer before
for to in null kafka null; do
    config $to >"$work/fresh"
    mv "$work/fresh" "$file"
    count=$(grep -c "agent: reloaded; " "$work/err" || true)
    kill -HUP "$agent"
    await "the reload to $to" reloads $((count + 1))
    ! grep -q "is not used" "$work/err" || fail "refused: $(grep "is not used" "$work/err")"
    answer "$to"
done
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code == 0 ]] || fail "exit status $code: $(tail -n 2 "$work/err")"
grep -q "accepted 4, delivered 4" "$work/err" || fail "the account: $(tail -n 1 "$work/err")"
echo ok
