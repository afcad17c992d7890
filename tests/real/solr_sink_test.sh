#!/usr/bin/env bash
# Needs: solr
# The sink solr and a real Solr: lines with fields of headers and JSON bodies as they are; documents that Solr refuses become dead letters and the
# rest arrives; ids of a header with overwrite = false leave what is there. Then Solr is killed and
# frozen, and the agent is killed again and again (KILLS=N) while it reads a file: each line is there once. At last a disk that is full for a while, and
# TLS with a password by a proxy.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
# shellcheck source=tests/real/store_kills.sh
source "$here/store_kills.sh"
server_begin solr
settle=1 # s until a document can be found: autoSoftCommit is 500 ms

agent_file() { # SINK_KEY...
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = taildir' 'sources.r1.filegroups = f' \
        "sources.r1.filegroups.f = $work/in/lines" "sources.r1.positionFile = $work/in/positions" 'sources.r1.channels = c1' \
        'sources.r1.interceptors = i1' 'sources.r1.interceptors.i1.type = static' 'sources.r1.interceptors.i1.key = from' 'sources.r1.interceptors.i1.value = here' \
        'channels.c1.type = memory' 'sinks.k1.type = solr' 'sinks.k1.channel = c1' "sinks.k1.url = $(ask url)" "sinks.k1.penstock.deadletter = $work/dead"
    printf 'a1.sinks.k1.%s\n' "$@"
}
begin() { # SINK_KEY...: the file of an agent that reads a file of its own
    rm -rf "$work/in"
    mkdir -p "$work/in" "$work/dead"
    agent_file "$@" >"$work/solr.properties"
}
launch() {
    "$PENSTOCK" agent -n a1 -f "$work/solr.properties" >>"$work/agent.log" 2>&1 </dev/null &
    agent=$!
    children+=("$agent")
}
finish_agent() {
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ends with $?"
    agent=''
}
count() { ask values "$1" id | wc -l; } # QUERY
has() { [[ $(count "$1") == "$2" ]]; } # QUERY COUNT

# ---- documents, and those that Solr refuses ----

begin 'fields.origin = %{from}' 'commitWithin = 200' 'batchSize = 50' 'body = message'
"$PENSTOCK" check --probe -n a1 -f "$work/solr.properties" >"$work/check.log" || fail "check --probe"
grep -q 'answers; the unique key is id$' "$work/check.log" || fail "check --probe does not know the unique key"
launch
{
    seq -f 'line %g äöü "quoted"' 1 300
    echo '{"n": "7", "tags": ["a", "b"], "_version_": "no number"}'
    echo '{"n": "8", "tags": ["a", "b"]}'
    seq -f 'line %g äöü "quoted"' 301 600
    echo '{"id": "own", "n": "9"}'
} >"$work/in/lines"
await 120 has 'origin:here' 602 || fail "Solr has $(count 'origin:here') documents, not 602"
await 60 grep -q 'no number' -r "$work/dead" || fail "no dead letter"
grep -rq '"reason":"request-refused".*For input string' "$work/dead" || fail "the dead letter has no reason of Solr"
has 'n:8' 1 || fail "JSON bodies"
has 'id:own' 1 || fail "a JSON body with an id"
seq -f 'line %g äöü "quoted"' 1 600 | sort >"$work/expected"
ask values 'message:line*' message | sed 's/^"//; s/"$//; s/""/"/g; s/\\"/"/g' | sed 's/\\//g' | sort >"$work/came"
diff "$work/expected" "$work/came" >"$work/diff.log" || fail "the lines"
finish_agent
echo "602 documents, one dead letter: $(grep -rho '"text":"[^"]*' "$work/dead" | cut -c 9-200)"

# ---- what is there stays ----

begin 'fields.origin = first' 'penstock.ids = header:key' 'overwrite = false' 'body = message'
sed -i 's/interceptors = i1/interceptors = i1 i2/' "$work/solr.properties"
printf 'a1.sources.r1.interceptors.i2.%s\n' 'type = regex_extractor' 'regex = ^(\\S+)' 'serializers = s' 'serializers.s.name = key' >>"$work/solr.properties"
launch
printf '%s\n' 'k1 one' 'k2 one' 'k1 two' 'k3 one' >"$work/in/lines"
await 120 has 'origin:first' 3 || fail "ids of a header: $(ask values 'origin:first' id,message)"
[[ $(ask values 'id:k1' message) == 'k1 one' ]] || fail "overwrite = false: $(ask values 'id:k1' message)"
finish_agent
echo "overwrite = false leaves what is there"

# ---- kills ----

begin 'fields.origin = kills' 'batchSize = 100' 'body = message'
launch
draw_kills
sent=0
mapfile -t pids < <(ask pids)
for ((kill = 1; kill <= kills; kill++)); do
    seq -f 'event %g' $((sent + 1)) $((sent + 3000)) >>"$work/in/lines"
    sent=$((sent + 3000))
    case $((kill % 4)) in
    1) sleep "0.$((RANDOM % 10))" ;;
    2)
        kill -STOP "${pids[@]}"
        sleep 3
        kill -CONT "${pids[@]}"
        ;;
    esac
    kill -KILL "$agent"
    wait "$agent" 2>/dev/null || true
    launch
done
kill -KILL "${pids[@]}" # its documents are in its log
ask stop >/dev/null 2>&1 || true
sleep 2
ask start >"$work/start.log" 2>&1 || fail "Solr does not start again"
await 300 has 'origin:kills' $sent || { sleep $settle; fail "Solr has $(count 'origin:kills') documents, not $sent"; }
sleep $settle
ask values 'origin:kills' message | sort -u | wc -l | grep -qx $sent || fail "lines are missing"
has 'origin:kills' $sent || fail "documents came twice: $(count 'origin:kills')"
finish_agent
echo "$sent events, the agent killed $kills times, Solr once: each is there once"

# ---- behind a file channel ----

words() { ask values 'origin:store' message | cut -d ' ' -f 1; }
store_kills words <<EOF_
type = solr
url = $(ask url)
fields.origin = store
batchSize = 100
body = message
EOF_

# ---- a disk that is full, and TLS with a login by a proxy ----

# Files that may not grow are as a full disk is to Solr: its log of updates cannot be written. It is started again when there is room.
trouble_words() { ask values "origin:$trouble" message | cut -d ' ' -f 1; }
trouble_begin full <<EOF_
type = solr
url = $(ask url)
fields.origin = full
body = message
EOF_
trouble_lines 50
trouble_ends
for pid in $(ask pids); do prlimit --pid "$pid" --fsize=0:; done
trouble_lines 50
trouble_holds 'File too large'
ask stop
ask start >"$work/start.log" 2>&1 || fail "Solr does not start again"
trouble_ends
stop TERM
echo "$trouble_count documents, each once, though there was no room for a while"

trouble_sink() { # CA
    printf '%s\n' "type = solr" "url = https://localhost:$trouble_port/solr/flume" "fields.origin = login" "body = message" "user = agent" \
        "password = secret" "penstock.ssl.ca = $1"
}
trouble_login login "$server_port" "Basic $(printf 'agent:secret' | base64)"
