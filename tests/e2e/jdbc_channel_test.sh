#!/usr/bin/env bash
# What the commands say of a jdbc channel: `penstock channel` that it is for files, `penstock check` which databases there are, and no
# password. (The channel of a running agent: tests/scenarios/file_channel.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
mkdir "$work/out"

configuration() { # FURTHER LINES...: writes the agent's file
    numbers_agent "a1.channels.c1.type = jdbc" "$@"
}

configuration
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
