#!/usr/bin/env bash
# Monitoring as a user starts it: a misspelt type is named, a port that is in use is tried again, the log has the address,
# and events are shown on this machine or with a token.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = stress
a1.sources.r1.size = 10
a1.sources.r1.maxEventsPerSecond = 1000
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
agent=''
agent_start() { # NAME OPTION...: an agent whose log is $work/NAME.err
    local name=$1
    shift
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" "$@" 2>"$work/$name.err" &
    agent=$!
    children[$agent]=1
}
agent_stop() {
    kill "$agent"
    wait "$agent" || fail "the agent ended with $?"
    unset "children[$agent]"
}
logged() { grep -qF -- "$2" "$work/$1.err"; } # NAME TEXT
status() { curl -s -o "$work/body" -w '%{http_code}' --noproxy '*' --max-time 60 "$@" || true; }
healthy() { [[ $(status "$1/healthz") == 200 ]]; } # URL

# ---- tail before the agent: with -w it waits for that, too ----
early_port=$(free_port)
code=0
"$PENSTOCK" tail c1 -n 1 -u "http://127.0.0.1:$early_port" >"$work/tail" 2>&1 || code=$?
((code == 2)) || fail "tail without an agent: exit $code"
"$PENSTOCK" tail c1 -n 1 -w 60 -u "http://127.0.0.1:$early_port" >"$work/early" 2>&1 &
early=$!
children[$early]=1
sleep 0.5
agent_start early -Dflume.monitoring.type=http "-Dflume.monitoring.port=$early_port"
wait "$early" || fail "tail -w before the agent: exit $?: $(cat "$work/early")"
unset "children[$early]"
[[ $(wc -l <"$work/early") == 1 ]] || fail "tail -w before the agent shows $(cat "$work/early")"
agent_stop

# ---- a misspelt type: the agent runs, without metrics ----
agent_start misspelt -Dflume.monitoring.type=htp
await 'no warning about htp' logged misspelt '-Dflume.monitoring.type: htp is not known: there are no metrics; did you mean http?'
await 'the agent does not start' logged misspelt 'starts agent a1'
agent_stop

# ---- a port in use; the host; /tail on this machine ----
port=$(free_port)
url=http://127.0.0.1:$port
agent_start holder -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" -Dpenstock.monitoring.host=127.0.0.1
await 'no address in the log' logged holder "listening on 127.0.0.1:$port: "
holder=$agent
agent_start waits -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port"
await 'no error about the port' logged waits "port $port (flume.monitoring.port): Address already in use; the metrics server tries again every 3 s"
"$PENSTOCK" tail c1 -n 1 -w 60 -u "$url" >"$work/tail" || fail "tail: exit $?"
"$PENSTOCK" tail c1 -w 60 -u "$url" >"$work/tail" || fail "tail: exit $?"
[[ $(wc -l <"$work/tail") == 10 ]] || fail "tail shows not 10 events, but $(cat "$work/tail")"
second=$agent
agent=$holder
agent_stop
agent=$second
await 'the port is not tried again' logged waits "listening on [::]:$port: "
await 'not healthy' healthy "$url"
(($(grep -c 'the metrics server tries again' "$work/waits.err") == 1)) || fail 'more than one line about the port'
[[ $(status -H 'Host: evil.example' "$url/tail?component=c1&wait=0") == 403 ]] || fail "a foreign Host header: $(cat "$work/body")"
[[ $(status -X DELETE "$url/metrics") == 405 ]] || fail "DELETE: $(cat "$work/body")"
agent_stop

# ---- a token ----
echo 'a-secret-of-this-test' >"$work/token"
echo 'another-one' >"$work/wrong"
agent_start token -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" "-Dpenstock.monitoring.token.file=$work/token"
await 'not healthy with a token' healthy "$url"
for words in '' "-t $work/wrong"; do
    code=0
    # shellcheck disable=SC2086
    "$PENSTOCK" tail c1 -n 1 -u "$url" $words >"$work/tail" 2>&1 || code=$?
    ((code == 2)) || fail "tail ${words:-without a token}: exit $code"
    grep -q ' answered 401: /tail wants the header Authorization: Bearer TOKEN' "$work/tail" || fail "tail: $(cat "$work/tail")"
done
"$PENSTOCK" tail c1 -n 1 -w 60 -u "$url" -t "$work/token" >"$work/tail" || fail "tail -t: exit $?"
[[ $(wc -l <"$work/tail") == 1 ]] || fail "tail -t shows $(cat "$work/tail")"
code=0
"$PENSTOCK" tail c1 -u "$url" -t "$work/nothing" >"$work/tail" 2>&1 || code=$?
((code == 2)) || fail "tail -t nothing: exit $code"
grep -q "cannot read the token file $work/nothing: No such file" "$work/tail" || fail "tail -t nothing: $(cat "$work/tail")"
grep -rq 'a-secret-of-this-test' "$work"/*.err && fail 'the token is in the log'
agent_stop

# ---- the properties of flume-env.sh, which a service of Flume's has in its drop-in; the command line wins ----
mkdir "$work/conf"
other=$(free_port)
# shellcheck disable=SC2016 # the file's own variable
printf '%s\n' "JAVA_OPTS=\"-Xms100m -Dflume.monitoring.type=http -Dflume.monitoring.port=$port\"" \
    'export JAVA_OPTS="$JAVA_OPTS -Dcom.sun.management.jmxremote"' >"$work/conf/flume-env.sh"
agent_start drop-in -c "$work/conf"
await 'no metrics with the properties of flume-env.sh' healthy "$url"
grep -qF 'flume-env.sh:1: note: -Dflume.monitoring.port is used as if it were on the command line' "$work/drop-in.err" || fail 'no note'
agent_stop
agent_start both -c "$work/conf" "-Dflume.monitoring.port=$other"
await 'the command line does not win' healthy "http://127.0.0.1:$other"
agent_stop
