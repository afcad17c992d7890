#!/usr/bin/env bash
# Needs: postgres
# The jdbc channel on a real PostgreSQL: Flume's tables; what was acknowledged survives SIGKILL of the agent and of the
# server, and is delivered; a wrong password, missing tables, a second agent and a server that is down are named.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
programs=$(find /usr/lib/postgresql/*/bin -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
[[ $programs ]] || { echo "SKIP: no PostgreSQL server (package postgresql)"; exit 77; }
command -v psql >/dev/null || { echo "SKIP: no psql"; exit 77; }

port=$(free_port)
metrics_port=$(free_port)
server_port=$(free_port)
secret=s3cret-word
server=$work/server

# The server does not run as root.
as_server=()
if [[ $(id -u) == 0 ]]; then
    command -v setpriv >/dev/null || { echo "SKIP: no setpriv"; exit 77; }
    as_server=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
control() { "${as_server[@]}" "$programs/pg_ctl" -D "$server/data" -w -t 300 "$@" >>"$server/control.out" 2>&1; }
start_server() {
    control -l "$server/log" -o "-p $server_port -c listen_addresses=127.0.0.1 -k $server -c fsync=off" start ||
        fail "the server does not start: $(tail -n 3 "$server/log")"
}
finish_all() {
    local code=$?
    [[ ! -e $server/data/postmaster.pid ]] || control -m immediate stop || true
    (exit $code)
    finish
}
trap finish_all EXIT

mkdir "$server"
chmod 755 "$work"
echo "$secret" >"$server/password"
if [[ $(id -u) == 0 ]]; then chown -R nobody:nogroup "$server"; fi
(cd "$server" && "${as_server[@]}" "$programs/initdb" -D "$server/data" -A scram-sha-256 -U flume --pwfile="$server/password" \
    -E UTF8 --no-sync >"$server/initdb.out" 2>&1) || fail "initdb: $(tail -n 3 "$server/initdb.out")"
start_server
export PGPASSWORD=$secret
sql() { psql -X -q -t -A -h 127.0.0.1 -p "$server_port" -U flume -d "${database:-events}" -c "$1"; }
database=postgres sql "CREATE DATABASE events"

configuration() { # FURTHER LINES...: writes the agent's file
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.max-line-length = 100000
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = long
a1.sources.r1.interceptors.i1.value = $(printf '\\u00e4%.0s' $(seq 300))
a1.channels.c1.type = org.apache.flume.channel.jdbc.JdbcChannel
a1.channels.c1.driver.class = org.postgresql.Driver
a1.channels.c1.driver.url = jdbc:postgresql://127.0.0.1:$server_port/events
a1.channels.c1.db.type = POSTGRESQL
a1.channels.c1.db.username = flume
a1.channels.c1.db.password = $secret
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END
    printf '%s\n' "$@" >>"$work/agent.properties"
}

start() { # [WORDS]: starts the agent, and waits until the channel is open, or its log has these words
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus \
        -Dflume.monitoring.port="$metrics_port" >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
    await "the log says: ${1:-events are waiting}" grep -qE "${1:-events? (is|are) waiting}" "$work/agent.err"
}

stop() { # SIGNAL
    kill "-$1" "$agent"
    wait "$agent" || true
    unset "children[$agent]"
}

send() { # FROM TO: sends these numbers, one line each, and prints those that were answered OK
    python3 - "$port" "$1" "$2" <<'END'
import socket, sys
port, first, last = map(int, sys.argv[1:])
try:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        answers = connection.makefile("rb")
        for begin in range(first, last + 1, 50):
            numbers = range(begin, min(begin + 50, last + 1))
            connection.sendall(b"".join(b"%d\n" % n for n in numbers))
            for n in numbers:
                if answers.readline().strip() == b"OK":
                    print(n, flush=True)
except OSError:
    pass
END
}

delivered() { find "$work/out" -type f -exec cat {} + 2>/dev/null; }
has_delivered() { [[ $(delivered | sort -u | wc -l) -ge $1 ]]; }
is_empty() { [[ $(sql "SELECT COUNT(*) FROM flume.fl_event") == 0 ]]; }
ready() { curl -s "http://127.0.0.1:$metrics_port/readyz"; }
says() { ready | grep -q "$1"; }

echo "== the sink is down: rows in Flume's tables, which survive SIGKILL and are delivered once"
configuration
start
[[ $(send 1 2000 | wc -l) == 2000 ]] || fail "not all were acknowledged"
long=$(head -c 50000 /dev/zero | tr '\0' x)
exec 4<>"/dev/tcp/127.0.0.1/$port"
echo "$long" >&4
read -r -t 120 answer <&4 || fail "no answer to the long event"
[[ $answer == OK ]] || fail "the long event was not acknowledged"
exec 4>&-
stop KILL
[[ $(sql "SELECT COUNT(*), MAX(LENGTH(fle_payload)), MIN(fle_channel) FROM flume.fl_event") == "2001|16384|c1" ]] || fail "FL_EVENT"
[[ $(sql "SELECT COUNT(*), MAX(LENGTH(flp_spill)) FROM flume.fl_plspill") == "1|33616" ]] || fail "FL_PLSPILL"
[[ $(sql "SELECT COUNT(*), MIN(LENGTH(flh_value)) FROM flume.fl_header WHERE flh_vlspill") == "2001|251" ]] || fail "FL_HEADER"
[[ $(sql "SELECT COUNT(*), MIN(LENGTH(flv_spill)) FROM flume.fl_vlspill") == "2001|49" ]] || fail "FL_VLSPILL"
mkdir "$work/out"
start "2,001 events are waiting"
await "all are delivered" has_delivered 2001
diff <(delivered | sort -n) <(echo "$long"; seq 2000) >"$work/diff.err" || fail "not each event once"
await "the tables are empty" is_empty
[[ $(sql "SELECT (SELECT COUNT(*) FROM flume.fl_header) + (SELECT COUNT(*) FROM flume.fl_plspill) + (SELECT COUNT(*) FROM flume.fl_vlspill)") == 0 ]] ||
    fail "rows of delivered events are left"

echo "== a second agent"
sed "s/port = $port/port = $(free_port)/" "$work/agent.properties" >"$work/second.properties"
"$PENSTOCK" agent -n a1 -f "$work/second.properties" >"$work/second.out" 2>"$work/second.err" &
second=$!
children[$second]=1
await "the second agent says that the channel is in use" grep -q "another agent uses channel c1" "$work/second.err"
kill -TERM "$second"
wait "$second" || true
unset "children[$second]"

echo "== the server and the agent are killed under load"
: >"$work/acknowledged"
more_acknowledged() { (($(wc -l <"$work/acknowledged") > $1)); } # COUNT
for round in 1 2 3; do
    before=$(wc -l <"$work/acknowledged")
    send $((round * 1000000)) $((round * 1000000 + 999999)) >>"$work/acknowledged" & # it ends with the agent
    sender=$!
    children[$sender]=1
    await "events are acknowledged" more_acknowledged "$before"
    control -m immediate stop
    await "the channel cannot write" grep -q "acknowledges no events until its storage works again" "$work/agent.err"
    start_server
    await "the channel works again" grep -q "the database can be written again" "$work/agent.err"
    grep -q "restored from a backup" "$work/agent.err" && fail "a server that lost nothing counts as another one"
    sleep 0.4
    stop KILL
    wait "$sender" || true
    unset "children[$sender]"
    start
done
await "the tables are empty" is_empty
stop TERM
[[ -s $work/acknowledged ]] || fail "nothing was acknowledged"
delivered | sort -u >"$work/delivered"
lost=$(sort -u "$work/acknowledged" | comm -23 - "$work/delivered" | wc -l)
[[ $lost == 0 ]] || fail "$lost acknowledged events are lost"

echo "== the server comes back without its newest transactions"
mv "$work/out" "$work/before"
start
[[ $(send 60000 60199 | wc -l) == 200 ]] || fail "not all were acknowledged"
kept=$(sql "SELECT MIN(fle_id) + 99 FROM flume.fl_event")
sql "DELETE FROM flume.fl_vlspill WHERE flv_header IN (SELECT flh_id FROM flume.fl_header WHERE flh_event > $kept);
     DELETE FROM flume.fl_header WHERE flh_event > $kept; DELETE FROM flume.fl_event WHERE fle_id > $kept;
     ALTER TABLE flume.fl_event ALTER fle_id RESTART WITH $((kept + 1))"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'events' AND pid <> pg_backend_pid()" >/dev/null
[[ $(send 60200 60349 | wc -l) == 150 ]] || fail "not all were acknowledged by the present server"
grep -q "restored from a backup" "$work/agent.err" || fail "the agent does not say that events are lost"
mkdir "$work/out"
await "the tables are empty" is_empty
await "what the server knew, and what came later, is delivered" has_delivered 250
delivered | sort -u >"$work/delivered"
lost=$({ seq 60000 60099; seq 60200 60349; } | comm -23 - "$work/delivered" | wc -l)
[[ $lost == 0 ]] || fail "$lost events that the present server had acknowledged are lost"
stop TERM

echo "== a standby takes the server's place: the channel waits until it is promoted"
start
control -m fast stop
"${as_server[@]}" touch "$server/data/standby.signal"
start_server
send 61000 61000 >"$work/early" & # the connection is tried only when there is something to do
sender=$!
children[$sender]=1
await "the standby is named" says "the server is a standby"
wait "$sender" || true
unset "children[$sender]"
control promote
await "the channel works again" grep -q "the database can be written again" "$work/agent.err"
[[ $(send 61001 61010 | wc -l) == 10 ]] || fail "not all were acknowledged by the promoted server"
await "the tables are empty" is_empty
[[ $(delivered | grep -c -E '^610(0[1-9]|10)$') == 10 ]] || fail "not each event once"
grep -q "restored from a backup" "$work/agent.err" && fail "a standby counts as another server"
stop TERM

echo "== the server is down: named, and a client is refused"
start
control -m fast stop
[[ -z $(send 50000 50000) ]] || fail "an event was acknowledged"
await "/readyz names the server" says "channel c1: .*flume@127.0.0.1:$server_port/events"
start_server
acknowledges() { [[ -n $(send 50001 50001) ]]; }
await "it works again" acknowledges
stop TERM

echo "== a wrong password"
configuration "a1.channels.c1.db.password = wrong-word"
start "password authentication failed"
await "/readyz says it" says "password authentication failed"
"$PENSTOCK" check -n a1 -f "$work/agent.properties" --probe >"$work/probe.out" 2>&1 && fail "the probe does not fail"
grep -q "password authentication failed" "$work/probe.out" || fail "the probe does not say why"
stop TERM
grep -q "wrong-word\|$secret" "$work/agent.err" "$work/agent.out" "$work/probe.out" && fail "a password is in the log"

echo "== no tables, and none may be made"
sql "DROP SCHEMA flume CASCADE"
configuration "a1.channels.c1.create.schema = false"
start "create.schema is false"
stop TERM
