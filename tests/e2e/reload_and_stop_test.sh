#!/usr/bin/env bash
# Start, reload and stop that meet each other: a stop during a reload, a reload during a stop, an agent that is started
# while the one before it still delivers, a stop while an agent starts. No event is missing or there twice, and the exit status is right.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
file="$work/agent.properties"

config() { # FOLDER CAPACITY RELOAD-TIMEOUT-MS: the sink does not open before the folder is there
    cat <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.penstock.workers = 2
a1.penstock.drain.timeout = 600000
a1.penstock.reload.timeout = $3
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = $2
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/$1
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
EOF_
}
start() { # LOG: starts an agent, in $agent
    "$PENSTOCK" agent -n a1 -f "$file" -i 3600 2>"$work/$1.err" &
    agent=$!
    children[$agent]=1
}
says() { grep -qF "$2" "$work/$1.err"; } # LOG TEXT
sent=0
takes() { # an event is sent, and answered with OK
    local answer=
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    echo "event $((sent + 1))" >&3 || return 1
    read -r -t 60 answer <&3 || true
    exec 3>&-
    [[ $answer == OK ]] || return 1
    sent=$((sent + 1))
}
expect_exit() { # PID STATUS WHAT
    local code=0
    wait "$1" || code=$?
    unset "children[$1]"
    [[ $code -eq $2 ]] || fail "$3: exit status $code, not $2"
}
expect_delivered() { # FOLDER FIRST LAST: each of these events is there once
    local i
    for ((i = $2; i <= $3; i++)); do
        [[ $(cat "$work/$1"/* | grep -cx "event $i") -eq 1 ]] || fail "event $i is not in $1 once"
    done
}

# 1. A stop during a reload that waits for its old sink: the reload is cut short, and the stop delivers.
config late1 1000 60000 >"$file"
start one
await "it starts" takes
for _ in 1 2 3; do takes || fail "an answer"; done
config late1 2000 60000 >"$file"
kill -HUP "$agent"
await "the reload waits" says one "draining: "
kill -TERM "$agent"
await "the stop begins" says one "stopping: no new input"
says one "reloaded; $(grouped "$sent") events carried over" || fail "what the channel holds is not carried over"
mkdir "$work/late1"
expect_exit "$agent" 0 "a stop during a reload"
says one "events accepted $(grouped "$sent"), delivered $(grouped "$sent")" || fail "the account: $(tail -n 1 "$work/one.err")"
expect_delivered late1 1 $sent

# 2. A reload, and one more, during a stop: they are not carried out.
first=$((sent + 1))
config late2 1000 1 >"$file"
start two
await "it starts again" takes
for _ in 1 2 3; do takes || fail "an answer"; done
kill -TERM "$agent"
await "the second stop begins" says two "stopping: no new input"
config elsewhere 1000 1 >"$file"
kill -HUP "$agent"
kill -HUP "$agent"

# 3. Meanwhile the next agent is started: it gets the port when the one before it has let go, and its own events.
stopping=$agent last=$sent
config late3 1000 1 >"$file"
mkdir "$work/late3"
start three
await "the next agent listens" says three "listening on 127.0.0.1:$port" # until then the one before it may still take events
await "the next agent takes events" takes
kill -0 "$stopping" || fail "the one before it did not wait for delivery"
says two "reading the configuration again" && fail "a reload during a stop"
mkdir "$work/late2"
expect_exit "$stopping" 0 "a reload during a stop"
says two "events accepted $(grouped $((last - first + 1))), delivered $(grouped $((last - first + 1)))" || fail "the account: $(tail -n 1 "$work/two.err")"
expect_delivered late2 $first $last

# 4. A reload and a stop at once.
for _ in 1 2 3; do takes || fail "an answer"; done
config late3 2000 1 >"$file"
kill -HUP "$agent"
kill -TERM "$agent"
expect_exit "$agent" 0 "a reload and a stop at once"
says three "events accepted $(grouped $((sent - last))), delivered $(grouped $((sent - last)))" || fail "the account: $(tail -n 1 "$work/three.err")"
expect_delivered late3 $((last + 1)) $sent

# 5. A stop while an agent starts, whose rules take minutes to compile: it does not wait for them, and takes the compiler with it.
config late3 1000 1 >"$file"
cat >>"$file" <<EOF_
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = rules
a1.sources.r1.interceptors.i1.rules.file = $work/many.rules
a1.sources.r1.interceptors.i1.rules.cache = none
EOF_
for ((i = 0; i < 3000; i++)); do echo "rule r$i { when body ~ /a$i.{1,60}[a-f]{3,20}(x|yz)+b$i\\d{2,40}/ drop }"; done >"$work/many.rules"
start four
compiles() { compiler=$(pgrep -P "$agent" -f 'rules compile'); }
await "the rules are compiled" compiles
kill -HUP "$agent" # is too early, and does no harm
kill -TERM "$agent"
expect_exit "$agent" 0 "a stop during a start"
says four "asked to stop: the agent has not started" || fail "the agent does not say that it was not started"
says four "stopping:" && fail "the stop has waited for the start"
ended() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$compiler/status" 2>/dev/null; }
await "the compiler has ended" ended
echo "ok: $sent events"
