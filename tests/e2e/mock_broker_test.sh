#!/usr/bin/env bash
# penstock mock-broker --port: clients reach it there, before and after it is started again; a port in use and other wrong
# values are refused by name.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)

broker_start() { # NAME OPTION...
    local name=$1
    shift
    "$PENSTOCK" mock-broker --port "$port" "$@" >"$work/$name.out" 2>"$work/$name.err" &
    broker=$!
    children[$broker]=1
    has_line() { [[ -s $work/$name.out ]]; }
    await "$name: no address" has_line
    [[ $(<"$work/$name.out") == "127.0.0.1:$port" ]] || fail "$name prints $(<"$work/$name.out")"
}
refused() { # CODE TEXT OPTION...
    local code=0 want=$1 text=$2
    shift 2
    patient_limit 20 "$PENSTOCK" mock-broker "$@" >"$work/out" 2>"$work/refused.err" || code=$?
    ((code == want)) || fail "mock-broker $*: exit $code, not $want"
    grep -qF -- "$text" "$work/refused.err" || fail "mock-broker $*: no word of \"$text\""
    [[ ! -s $work/out ]] || fail "mock-broker $*: an address nevertheless"
}
goes_through() { # TOPIC: what load sends to the port, verify finds there
    "$PENSTOCK" load --wait --events 500 --target "kafka://127.0.0.1:$port/$1" --manifest "$work/$1.manifest" --json >"$work/$1.load.json" 2>"$work/$1.load.err" ||
        fail "load to $1: exit $?"
    "$PENSTOCK" verify --from "kafka://127.0.0.1:$port/$1" --manifest "$work/$1.manifest" --idle 60s --json >"$work/$1.verify.json" 2>"$work/$1.verify.err" ||
        fail "verify of $1: exit $?"
}

broker_start first --topic t:3 --brokers 3
goes_through t
if command -v kcat >/dev/null; then
    kcat -m 120 -L -b "127.0.0.1:$port" -t t >"$work/kcat" 2>&1 || fail "kcat: $(cat "$work/kcat")"
    grep -q 'topic "t" with 3 partitions' "$work/kcat" || fail "kcat sees $(cat "$work/kcat")"
fi

# ---- in use: by another mock broker, by anybody ----
refused 1 "port $port of 127.0.0.1 is in use" --port "$port"
goes_through t2 # the first one is as it was

# ---- more clients than it relays, some of them silent ----
for _ in {1..300}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$port" || fail 'it does not accept'
    descriptors+=("$fd")
done
for fd in "${descriptors[@]}"; do exec {fd}>&-; done
goes_through t3

# ---- ends at once with connections open, and starts again on the same port ----
exec {held}<>"/dev/tcp/127.0.0.1/$port"
kill "$broker"
wait "$broker" || fail "ended with $?"
unset "children[$broker]"
broker_start second
exec {held}>&-
goes_through t4
kill -INT "$broker"
wait "$broker" || fail "interrupted: $?"
unset "children[$broker]"

# ---- wrong values ----
refused 2 '--port' --port 65536
refused 2 '--port' --port 0
refused 2 '--port' --port abc
refused 2 '--brokers' --brokers 17
refused 2 '--brokers' --brokers 2x
refused 2 'NAME:PARTITIONS' --topic :3
refused 2 'partitions' --topic t:0
refused 2 'partitions' --topic t:3x
((EUID == 0)) || refused 1 'CAP_NET_BIND_SERVICE' --port 1
"$PENSTOCK" mock-broker --help >"$work/help" || fail "--help: exit $?"
grep -q '^Examples:' "$work/help" || fail 'no examples in the help'
