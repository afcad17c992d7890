#!/usr/bin/env bash
# An encrypted file channel of a real agent: after SIGKILL nothing of the events is on the disk in plain text, and another reader,
# which has only docs/CHANNEL-FORMAT.md and the key, reads what was acknowledged; a key changes; Flume's key store is read; an agent without the old key says so
# at /readyz and loses nothing; without the active key nothing is written; penstock channel works with keys, and says what is missing.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

port=$(free_port)
metrics_port=$(free_port)
umask 077
old_key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
new_key=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
echo $old_key >"$work/old.key"
echo $new_key >"$work/new.key"

configuration() { # SINK FURTHER LINES...
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/c1/checkpoint
a1.channels.c1.dataDirs = $work/c1/data, $work/c1/data2
a1.channels.c1.keep-alive = 1
a1.channels.c1.minimumRequiredSpace = 1048576
a1.sinks.k1.channel = c1
END
    if [[ $1 == none ]]; then # nothing is delivered: the directory cannot be made
        printf 'a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = /dev/null/x\n' >>"$work/agent.properties"
    else
        mkdir -p "$work/out"
        printf 'a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = %s/out\na1.sinks.k1.sink.rollInterval = 0\n' "$work" >>"$work/agent.properties"
    fi
    shift
    printf 'a1.channels.c1.encryption.%s\n' "$@" >>"$work/agent.properties"
}

start() { # WHAT THE LOG SAYS
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus \
        -Dflume.monitoring.port="$metrics_port" >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the agent says: $1" grep -q "$1" "$work/agent.err"
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
}

stop() { # SIGNAL
    kill "-$1" "$agent"
    wait "$agent" || true
    unset "children[$agent]"
}

send() { # FROM TO: prints how many were acknowledged
    python3 - "$port" "$1" "$2" <<'END'
import socket, sys
port, first, last = map(int, sys.argv[1:])
with socket.create_connection(("127.0.0.1", port)) as connection:
    connection.settimeout(300)
    connection.sendall(b"".join(b"secret event %d\n" % n for n in range(first, last + 1)))
    answers = connection.makefile("rb")
    print(sum(answers.readline() == b"OK\n" for _ in range(first, last + 1)))
END
}

status() { # EXPECTED COMMAND...: what it prints goes to $work/out.txt and $work/command.err
    local expected=$1 code=0
    shift
    "$@" >"$work/out.txt" 2>"$work/command.err" || code=$?
    ((code == expected)) || fail "$*: exit $code, not $expected: $(tail -n 3 "$work/out.txt")"
}
says() { grep -qF -- "$1" "$work/out.txt" "$work/command.err" || fail "it does not say \"$1\""; }
events() { seq -f 'secret event %.0f' "$1" "$2"; }
delivered() { find "$work/out" -type f -exec cat {} + 2>/dev/null; }
has_delivered() { [[ $(delivered | wc -l) -ge $1 ]]; }
channel() { local command=$1; shift; "$PENSTOCK" channel "$command" --checkpoint-dir "$work/c1/checkpoint" --data-dirs "$work/c1/data,$work/c1/data2" "$@"; }
ready() { curl -s "http://127.0.0.1:$metrics_port/readyz"; }
ready_says() { ready | grep -q -- "$1"; }

echo "== encrypted, and killed"
configuration none 'activeKey = old' 'cipherProvider = AESCTRNOPADDING' 'keyProvider = KEYFILE' \
    'keyProvider.keys = old' "keyProvider.keys.old.keyFile = $work/old.key"
"$PENSTOCK" check -n a1 -f "$work/agent.properties" --probe >"$work/check.err" 2>&1 || true
grep -q "1 key can be read" "$work/check.err" || fail "the probe does not read the key"
start "events are waiting"
[[ $(send 1 500) == 500 ]] || fail "not all were acknowledged"
stop KILL
grep -rqF "secret event" "$work/c1" && fail "events are on the disk in plain text"
python3 "$here/encrypted_segment.py" "old=$old_key" "$work"/c1/data*/*.segment >"$work/read.txt" || fail "another reader cannot read it"
diff <(events 1 500) "$work/read.txt" >"$work/diff.err" || fail "another reader reads something else"

echo "== another key"
configuration none 'activeKey = new' 'keyProvider = KEYFILE' 'keyProvider.keys = old new' \
    "keyProvider.keys.old.keyFile = $work/old.key" "keyProvider.keys.new.keyFile = $work/new.key"
start "events are waiting"
[[ $(send 501 700) == 200 ]] || fail "not all were acknowledged"
stop TERM

echo "== penstock channel"
status 0 channel verify --key "old=$work/old.key" --key "new=$work/new.key"
says "700 events: all of it can be read"
status 0 "$PENSTOCK" channel export --config "$work/agent.properties" --agent a1 --channel c1
diff <(events 1 700) "$work/out.txt" >"$work/diff.err" || fail "other events are exported"
status 1 channel verify
says "700 events in 2 segments are encrypted and were not read: the command has no key for them"
status 1 channel export --key "new=$work/new.key"
says "500 events in 1 segment are encrypted"
says "--key NAME=FILE"
diff <(events 501 700) "$work/out.txt" >"$work/diff.err" || fail "other events are exported"
status 0 channel inspect
says "encrypted with key old"
says "700 events"
status 0 channel repair
says "encrypted with key old, which is not among the channel's keys: the channel keeps the segment unchanged"
says "nothing to set aside"
status 2 channel verify --key "old=$work/absent"
says "absent cannot be read"
chmod 0644 "$work/new.key"
status 2 channel verify --key "new=$work/new.key"
says "chmod 0400"
chmod 0400 "$work/new.key"

echo "== the keys of Flume's key store"
printf ' storepass\n' >"$work/store.password"
printf 'keypasskey-0' >"$work/key-0.password"
printf 'keypassKey-1\n' >"$work/key-1.password"
for password in key-1 key-0; do # the second one is that of another key
    configuration none 'activeKey = Key-1' 'cipherProvider = AESCTRNOPADDING' 'keyProvider = JCEKSFILE' \
        "keyProvider.keyStoreFile = $here/../stages/data/stores/secret-keys.jceks" "keyProvider.keyStorePasswordFile = $work/store.password" \
        'keyProvider.keys = key-0 Key-1' "keyProvider.keys.key-0.passwordFile = $work/key-0.password" \
        "keyProvider.keys.Key-1.passwordFile = $work/$password.password"
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" --probe >"$work/check.err" 2>&1 || true
    if [[ $password == key-1 ]]; then
        grep -q "2 keys can be read" "$work/check.err" || fail "the probe does not read the key store"
        cp "$work/agent.properties" "$work/store.properties"
    else
        grep -q "the password of key Key-1 is wrong" "$work/check.err" || fail "the probe reads a key with a wrong password"
    fi
done
status 1 "$PENSTOCK" channel verify --config "$work/store.properties" --agent a1 --channel c1
says "700 events in 2 segments are encrypted"

echo "== without the old key, and with another one of its name"
for key in absent wrong; do
    if [[ $key == absent ]]; then
        configuration file 'activeKey = new' 'keyProvider = KEYFILE' 'keyProvider.keys = new' \
            "keyProvider.keys.new.keyFile = $work/new.key"
    else
        echo 0${old_key:1:63} | tr 1 2 >"$work/wrong.key"
        configuration file 'activeKey = new' 'keyProvider = KEYFILE' 'keyProvider.keys = new old' \
            "keyProvider.keys.new.keyFile = $work/new.key" "keyProvider.keys.old.keyFile = $work/wrong.key"
    fi
    start "is encrypted with key old"
    await "what has a key is delivered" has_delivered 200
    await "/readyz names the key" ready_says "encrypted with key old"
    stop TERM
done
diff <(events 501 700) <(delivered) >"$work/diff.err" || fail "other events were delivered"

echo "== a key that is put right in its place, and a reload"
start "is encrypted with key old"
kill -HUP "$agent"
await "nothing has changed" grep -q "reload: nothing changed" "$work/agent.err"
echo $old_key >"$work/wrong.key"
kill -HUP "$agent"
await "the channel has changed" grep -q "reload: channel c1 changed" "$work/agent.err"
await "all are delivered" has_delivered 700
await "the reload" grep -q "agent: reloaded; " "$work/agent.err"
stop TERM

echo "== without the active key nothing is written"
mv "$work/new.key" "$work/away.key"
size=$(find "$work/c1" -type f -printf '%p %s\n' | sort)
start "new.key cannot be read"
[[ $(send 701 702) == 0 ]] || fail "events were acknowledged without a key"
await "/readyz names the file" ready_says "new.key cannot be read"
grep -rqF "secret event" "$work/c1" && fail "events are on the disk in plain text"
[[ $(find "$work/c1" -type f -printf '%p %s\n' | sort) == "$size" ]] || fail "files have changed"
mv "$work/away.key" "$work/new.key"
await "the channel opens when the key is there" grep -q "events are waiting" "$work/agent.err"
[[ $(send 703 704) == 2 ]] || fail "not all were acknowledged"
stop TERM

echo "== a configuration without its keys"
sed -i '/encryption/d' "$work/agent.properties"
start "the channel does not write events in plain text beside encrypted ones"
stop TERM

echo "== with the key again"
configuration file 'activeKey = new' 'keyProvider = KEYFILE' 'keyProvider.keys = old new' \
    "keyProvider.keys.old.keyFile = $work/old.key" "keyProvider.keys.new.keyFile = $work/new.key"
start "events are waiting"
await "all are delivered" has_delivered 702
stop TERM
diff <({ events 1 700; events 703 704; } | sort) <(delivered | sort) >"$work/diff.err" || fail "other events were delivered"
grep -qiF -e $old_key -e $new_key -r "$work"/*.err "$work"/*.out "$work/c1" && fail "a key was written"
echo ok
