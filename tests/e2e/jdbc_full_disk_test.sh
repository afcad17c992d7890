#!/usr/bin/env bash
# A disk that the jdbc channel has filled itself: what was acknowledged is delivered and recorded while the disk stays full, before
# and after a restart, nothing comes twice, and new events have room again.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
own_mounts "$@"
has python3 "the client" || exit 77

port=$(free_port)
small_disk 28m
mkdir "$work/out"
database=$work/disk/db
send() { # FIRST COUNT: sends lines "NUMBER xxx.." one by one until one is not acknowledged; prints the numbers that were
    python3 - "$port" "$1" "$2" <<'END'
import socket, sys
port, first, count = map(int, sys.argv[1:])
with socket.create_connection(("127.0.0.1", port)) as connection:
    connection.settimeout(120)
    answers = connection.makefile("rb")
    for number in range(first, first + count):
        connection.sendall(b"%d %s\n" % (number, b"x" * 500))
        if answers.readline() != b"OK\n":
            break
        print(number)
END
}
delivered() { cat "$work"/out/* 2>/dev/null | cut -d' ' -f1 | sort -n; }
has_delivered() { [[ $(delivered | uniq | wc -l) -ge $1 ]]; } # COUNT
rows() { python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT COUNT(*) FROM FL_EVENT").fetchone()[0])' "$database"; }
fill() { # until the channel refuses, then to the last byte
    send 1 1000000 >"$work/sent"
    cat "$work/sent" >>"$work/taken"
    grep -q "make room in its file system" "$work/agent.err" || fail "the log does not say that the disk is full"
    dd if=/dev/zero of="$work/disk/rest" bs=4096 oflag=append conv=notrunc 2>"$work/dd.txt" || true
}

sink_to() { sed -i "s|^a1.sinks.k1.sink.directory = .*|a1.sinks.k1.sink.directory = $1|" "$work/agent.properties"; } # FOLDER

echo "== full, with a sink that is down; a restart"
numbers_agent "a1.channels.c1.type = jdbc" "a1.channels.c1.driver.url = jdbc:sqlite:$database" "a1.sources.r1.max-line-length = 1000"
sink_to "$work/nowhere"
start_agent
fill
taken=$(wc -l <"$work/taken")
((taken > 1000)) || fail "only $taken events fitted"
stop_agent TERM
verdict() { local code=0; "$PENSTOCK" check -n a1 -f "$1" >"$work/check.json" || code=$?; echo $code; } # FILE
sink_to "$work/out"
[[ $(verdict "$work/agent.properties") == 0 ]] || fail "check of a channel that drains: $(<"$work/check.json")"
sed "s|jdbc:sqlite:.*|jdbc:sqlite:$work/disk/other|" "$work/agent.properties" >"$work/other.properties"
code=$(verdict "$work/other.properties")
grep -q 'driver.url: directory .*/disk: .* are free in its file system' "$work/check.json" ||
    fail "check does not name the disk: $(<"$work/check.json")"
[[ $code == 3 ]] ||
    fail "check of a database without room: $(<"$work/check.json")"
start_agent
await "all $taken events are delivered from a full disk" has_delivered "$taken"
stop_agent TERM 0
[[ $(rows) == 0 ]] || fail "$(rows) of $taken deliveries were not recorded"
start_agent
diff <(delivered) "$work/taken" >"$work/diff.err" || fail "not each event once"

echo "== there is room again, in the file itself"
send $((taken + 1)) 500 >"$work/sent"
[[ $(wc -l <"$work/sent") == 500 ]] || fail "only $(wc -l <"$work/sent") of 500 events had room"
cat "$work/sent" >>"$work/taken"
await "the new events are delivered" has_delivered $((taken + 500))
stop_agent TERM 0
diff <(delivered) "$work/taken" >"$work/diff.err" || fail "not each event once at the end"
