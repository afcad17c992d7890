#!/usr/bin/env bash
# The jdbc channel whose -wal was removed, or damaged, while the agent was down: the next start says how many events are lost, once,
# and the rest is delivered. A kill with an intact -wal loses nothing and says nothing.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
has python3 "the client" || exit 77

port=$(free_port)
database=$work/db
rows() { # of the file alone, which may not have the table yet
    python3 -c '
import sqlite3, sys
try:
    print(sqlite3.connect(sys.argv[1]).execute("SELECT COUNT(*) FROM FL_EVENT").fetchone()[0])
except sqlite3.OperationalError:
    print(0)' "$database"
}
begin() { # a sink that is down, and 3,000 events
    rm -rf "$work"/db* "$work/out"
    start_agent
    [[ $(send_numbers 1 3000 | sort | uniq -c | xargs) == "3000 OK" ]] || fail "not all were acknowledged"
    stop_agent KILL
}
says_lost() { # EVENTS
    grep -q ": $(($1)) events that no sink had are lost, because its -wal" "$work/agent.err" || fail "the log does not say that $1 events are lost: $(grep "lost" "$work/agent.err")"
}

numbers_agent "a1.channels.c1.type = jdbc" "a1.channels.c1.driver.url = jdbc:sqlite:$database"
echo "== intact"
begin
start_agent
grep -q "are lost" "$work/agent.err" && fail "something is said to be lost"
stop_agent KILL

echo "== removed"
begin
rm "$database-wal" "$database-shm"
[[ -s $database ]] || fail "nothing is in the file"
left=$(rows)
((left < 3000)) || fail "nothing was in the log"
start_agent
says_lost $((3000 - left))
stop_agent TERM
start_agent
grep -q "are lost" "$work/agent.err" && fail "it is said twice"
mkdir "$work/out"
stop_agent TERM
start_agent
await "the rest is delivered" numbers_are_delivered "$left"
stop_agent TERM

echo "== damaged in the middle"
begin
python3 - "$database-wal" <<'END'
import os, sys
with open(sys.argv[1], "r+b") as log:
    log.seek(os.path.getsize(sys.argv[1]) // 2)
    byte = log.read(1)
    log.seek(-1, os.SEEK_CUR)
    log.write(bytes([byte[0] ^ 1]))
END
start_agent
lost=$(sed -n 's/.*: \([0-9]*\) events that no sink had are lost.*/\1/p' "$work/agent.err")
stop_agent KILL
left=$(rows)
[[ $((left + lost)) == 3000 ]] || fail "$lost events are said to be lost, and $left are there"
