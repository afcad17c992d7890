#!/usr/bin/env bash
# Needs: opensearch
# A file that grows -> taildir -> memory -> opensearch, and taildir -> file channel -> elasticsearch, into a real OpenSearch. Agents and server get SIGKILL again and again; now and then the server stands still. At the end the store has each line once, and what the
# server refused for its content is in the dead letters.
#
#   opensearch_test.sh [--kills N] [--lines N] [--seed N]      kills of each agent (default 6), and lines (default 30000)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
server=$PENSTOCK_SOURCE/tests/real/opensearch
command -v curl >/dev/null || skip "no curl"

kills=6 lines=30000 seed=$(seed_of_run)
while (($#)); do
    case $1 in
    --kills) kills=$2; shift ;;
    --lines) lines=$2; shift ;;
    --seed) seed=$2; shift ;;
    *) echo "usage: $0 [--kills N] [--lines N] [--seed N]" >&2; exit 2 ;;
    esac
    shift
done
step "--seed $seed"
RANDOM=$((seed % 32768))

ask() { "$server" "$@" --dir "$work/server" --port "$port"; } # VERB [WORD]...
end() {
    local code=$? pid
    for pid in $(ask pids); do kill -KILL "$pid" 2>/dev/null || true; done
    finish $code
}
"$server" fetch >"$work/fetch.log" 2>&1 || skip "the jars of OpenSearch cannot be fetched"
trap end EXIT
server_start() { ask start >"$work/start.log" 2>&1 || fail "OpenSearch does not start"; }
is_gone() { [[ ! $(ask pids) ]]; }
server_start
step "the server runs"

# ---- the agents ----

mkdir -p "$work/logs" "$work/dead" "$work/dead.channel"
cat >"$work/files.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $work/logs/.*
a1.sources.r1.positionFile = $work/positions.json
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = opensearch
a1.sinks.k1.channel = c1
a1.sinks.k1.endpoints = http://127.0.0.1:$port
a1.sinks.k1.index = lines
a1.sinks.k1.compression = gzip
a1.sinks.k1.batch.max_events = 200
a1.sinks.k1.fields.via = files
a1.sinks.k1.penstock.deadletter = $work/dead
EOF_
cat >"$work/channel.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $work/logs/.*
a1.sources.r1.positionFile = $work/positions.channel.json
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/checkpoint
a1.channels.c1.dataDirs = $work/data
a1.channels.c1.capacity = 200000
a1.sinks.k1.type = elasticsearch
a1.sinks.k1.channel = c1
a1.sinks.k1.hostNames = 127.0.0.1:$port
a1.sinks.k1.indexName = flume
a1.sinks.k1.clusterName = real
a1.sinks.k1.batchSize = 200
a1.sinks.k1.penstock.deadletter = $work/dead.channel
EOF_

# A value that is no number cannot be indexed: every hundredth line is such a document.
"$PENSTOCK" check -n a1 -f "$work/files.properties" >"$work/check.log" || fail "check: $(<"$work/check.log")"
curl -sf -X PUT "http://127.0.0.1:$port/lines" -H 'Content-Type: application/json' -d '{"mappings": {"properties": {"number": {"type": "long"}}}}' >"$work/made.log" ||
    fail "the index cannot be made"
write_lines() { # in pieces, while agents and server are killed
    local n
    for ((n = 1; n <= lines; n++)); do
        if ((n % 100 == 0)); then echo "{\"message\":\"line-$n\",\"number\":\"none\"}"; else echo "{\"message\":\"line-$n\",\"number\":$n}"; fi
        ((n % 500 != 0)) || pause 0.2
    done >>"$work/logs/a"
}
write_lines &
writer=$!
children[$writer]="the writer"
agent_start files
agent_start channel
for ((kill = 1; kill <= kills; kill++)); do
    pause "$((RANDOM % 2)).$((RANDOM % 10))"
    agent_kill files
    agent_kill channel
    case $((kill % 3)) in
    0)
        for pid in $(ask pids); do kill -KILL "$pid"; done
        await 60 is_gone || fail "OpenSearch does not end"
        server_start
        ;;
    1)
        for pid in $(ask pids); do kill -STOP "$pid"; done
        (pause 2; for pid in $(ask pids); do kill -CONT "$pid"; done) &
        ;;
    esac
    agent_start files
    agent_start channel
done
wait "$writer"
unset "children[$writer]"
step "$kills kills of each agent, $((kills / 3)) of the server"

# ---- the account ----

bad=$((lines / 100))
counts() { local found; found=$(ask count "$1") && ((found == $2)); } # INDEX DOCUMENTS
await 120 counts lines $((lines - bad)) || fail "lines has $(ask count lines) documents, not $((lines - bad))"
# The channel's agent has its source's promise: at least once into the channel, and from there once.
has_all() { (($(ask values flume @message.message | sort -u | wc -l) == lines - bad)); }
await 120 has_all || fail "flume has $(ask values flume @message.message | sort -u | wc -l) different lines, not $((lines - bad))"
pause 2
counts lines $((lines - bad)) || fail "lines has $(ask count lines) documents, not $((lines - bad))"
[[ $(ask values lines message | sort -u | wc -l) == $((lines - bad)) ]] || fail "a line is there twice, and another one is missing"
agent_stop files
agent_stop channel
letters=$(cat "$work"/dead/* 2>/dev/null | grep -c 'mapper_parsing_exception' || true)
((letters >= bad)) || fail "$letters dead letters, not $bad"
step "lines: $((lines - bad)) documents, each once; $letters dead letters; flume: $(ask count flume) documents of $((lines - bad)) lines"
