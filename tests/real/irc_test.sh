#!/usr/bin/env bash
# Needs: ngircd
# Sink irc into a real IRC server, Debian's ngircd, whose packages are unpacked into a cache: everything arrives once and in
# order; the server gets SIGKILL while events flow and comes back: nothing is lost.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK_SOURCE=${PENSTOCK_SOURCE:-$(cd "$here/../.." && pwd)}
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
skip() { echo "SKIP: $*"; exit 77; }
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
command -v python3 >/dev/null || skip "no python3"
work=$(mktemp -d)
declare -A children=()
finish() {
    local code=$?
    end_children
    rm -rf "$work"
    exit $code
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}
# shellcheck source=tests/support/patience.sh
source "$PENSTOCK_SOURCE/tests/support/patience.sh"
# shellcheck source=tests/support/signals.sh
source "$PENSTOCK_SOURCE/tests/support/signals.sh"
await() { # WHAT COMMAND...: repeats the command until it succeeds; fails with WHAT after 120 s
    patient_await 120 "${@:2}" || fail "$1"
}

root=$("$PENSTOCK_SOURCE/tests/real/extras" packages ngircd 2>"$work/fetch.log") || skip "$(tail -n 1 "$work/fetch.log")"

# shellcheck source=tests/support/ports.sh
source "$PENSTOCK_SOURCE/tests/support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"
cat >"$work/ngircd.conf" <<EOF_
[Global]
Name = irc.penstock.test
Info = a server for tests
Listen = 127.0.0.1
Ports = $port
MotdPhrase = hello
ServerUID = $(id -u nobody)
ServerGID = $(id -g nobody)
[Limits]
MaxConnectionsIP = 0
MaxPenaltyTime = 0
[Options]
Ident = no
PAM = no
DNS = no
EOF_
server=0
serve() {
    LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
        "$root/usr/sbin/ngircd" -n -f "$work/ngircd.conf" >>"$work/ngircd.log" 2>&1 </dev/null &
    server=$!
    children[$server]=ngircd
}
serve
python3 "$here/irc_listen.py" "$port" reader logs "$work/heard" >"$work/reader.log" 2>&1 &
children[$!]=reader
await "the reader is not in the channel" test -s "$work/heard.ready"

cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $((port + 1))
a1.sources.r1.ack-every-event = false
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.sinks.k1.type = irc
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = $port
a1.sinks.k1.nick = flume
a1.sinks.k1.chan = logs
a1.sinks.k1.splitlines = true
a1.sinks.k1.splitchars = ;
a1.sinks.k1.channel = c1
EOF_
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.log" 2>&1 </dev/null &
agent=$!
children[$agent]=agent
await "the sink is not in the channel" grep -q 'flume is in #logs' "$work/agent.log"

send() { # FIRST LAST
    seq -f 'event %.0f' "$1" "$2" >"/dev/tcp/127.0.0.1/$((port + 1))"
}
heard() { # WANTED: whether so many different events were heard
    (($(sort -u "$work/heard" | grep -c '^event ') >= $1))
}

printf 'first;second;;\n' >"/dev/tcp/127.0.0.1/$((port + 1))"
long=$(printf 'x%.0s' {1..500})
printf '%s\n' "$long" >"/dev/tcp/127.0.0.1/$((port + 1))"
await "the long line does not arrive" grep -q '^x*$' "$work/heard"
send 1 100
await "events do not arrive" heard 100
diff <(printf 'first\nsecond\n'; seq -f 'event %.0f' 1 100) <(grep -v '^x*$' "$work/heard") ||
    fail "not everything once, in order"
[[ $(grep '^x*$' "$work/heard" | tr -d '\n') == "$long" ]] || fail "the long line lost something"
echo "ok: 102 messages, each once and in order; a long line whole"

send 101 200
kill -KILL "$server"
wait "$server" 2>/dev/null || true
unset "children[$server]"
send 201 250
kill -STOP "$agent" # until the reader is back: what is said before it is there, it does not hear
: >"$work/heard.ready"
serve
await "the reader does not come back" test -s "$work/heard.ready"
kill -CONT "$agent"
send 251 300
await "events are lost" heard 300
echo "ok: nothing lost over a kill of the server"
kill -TERM "$agent"
wait "$agent" || fail "the agent ended with $?"
unset "children[$agent]"
