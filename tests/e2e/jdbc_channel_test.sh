#!/usr/bin/env bash
# The jdbc channel of a running agent, with Flume's default URL: what it has acknowledged survives SIGKILL and is delivered
# once, from Flume's tables in an SQLite file; a database of Derby's beside it is named and left alone; reloads lose nothing;
# `penstock check` says which databases there are.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
mkdir "$work/home"
database=$work/home/.flume/jdbc-channel/db.sqlite

configuration() { # FURTHER LINES...: writes the agent's file
    numbers_agent "a1.channels.c1.type = jdbc" "$@"
}

agent_options=(-Duser.home="$work/home")


count() { # prints how many rows FL_EVENT has
    python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT COUNT(*) FROM FL_EVENT").fetchone()[0])' "$database"
}

echo "== the sink is down: acknowledged, killed, in the tables, delivered after a restart"
mkdir -p "$work/home/.flume/jdbc-channel/db"
echo "#derby" >"$work/home/.flume/jdbc-channel/db/service.properties"
configuration
start_agent
[[ $(send_numbers 1 2000 | sort | uniq -c | xargs) == "2000 OK" ]] || fail "not all were acknowledged"
stop_agent KILL
[[ $(count) == 2000 ]] || fail "FL_EVENT has $(count) rows"
mkdir "$work/out"
start_agent
grep -q "2,000 events are waiting in the database" "$work/agent.err" || fail "the log does not say what is waiting"
grep -q "jdbc-channel/db is a Derby database" "$work/agent.err" || fail "Derby's database is not named"
assert_numbers_once 2000

echo "== reloads under load"
send_numbers 2001 8000 >"$work/answers" &
sender=$!
children[$sender]=1
for ((i = 0; i < 4; i++)); do
    configuration "a1.channels.c1.maximum.connections = $((11 + i))"
    kill -HUP "$agent"
    sleep 0.3
done
wait "$sender"
unset "children[$sender]"
[[ $(sort "$work/answers" | uniq -c | xargs) == "6000 OK" ]] || fail "a reload refused events"
assert_numbers_once 8000
stop_agent TERM
[[ $(count) == 0 ]] || fail "delivered events are left in the tables"
[[ $(<"$work/home/.flume/jdbc-channel/db/service.properties") == "#derby" ]] || fail "Derby's database was changed"

echo "== penstock channel is for files"
"$PENSTOCK" channel inspect --config "$work/agent.properties" --agent a1 --channel c1 >"$work/inspect.out" 2>&1 && fail "inspect does not fail"
grep -q "of type jdbc" "$work/inspect.out" || fail "inspect does not say why"

echo "== databases that are not there"
refused() { # URL WORDS
    configuration "a1.channels.c1.driver.url = $1"
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/check.out" 2>&1 || true
    grep -q "$2" "$work/check.out" || { cat "$work/check.out" >&2; fail "check does not say $2"; }
}
refused "jdbc:mysql://host/flume" "of type mysql.*use jdbc:postgresql"
refused "jdbc:derby:memory:flume;create=true" "use a channel of type memory"

echo "== check says where the events are, and no password"
configuration "a1.channels.c1.driver.url = jdbc:postgresql://db1,db2:5433/events?user=flume&password=s3cret&foo=1"
"$PENSTOCK" check -n a1 -f "$work/agent.properties" -v >"$work/check.out" 2>&1 || fail "check fails"
grep -q "channel c1: jdbc, 1 in, 1 out, in PostgreSQL flume@db1,db2:5432,5433/events; events are acknowledged" "$work/check.out" ||
    { cat "$work/check.out" >&2; fail "check does not say where"; }
grep -q "the PostgreSQL driver's parameter foo has no effect" "$work/check.out" || fail "check does not name the parameter"
grep -q "driver.url has a password" "$work/check.out" || fail "check does not warn of the password"
! grep -q "s3cret" "$work/check.out" || fail "check prints the password"
