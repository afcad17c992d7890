#!/usr/bin/env bash
# Needs: opensearch
# A file that grows -> taildir -> memory -> opensearch, into a real OpenSearch. The agent gets SIGKILL again and again (KILLS=N), and the server now
# and then, or it stands still. At the end the store has each line once, and what the server refused for its content is in the dead letters.
# Then the same behind a file channel, into the sink elasticsearch. At last ids that are taken, an index that is read-only and a disk that is full for a
# while, and TLS with passwords and API keys by a proxy.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
# shellcheck source=tests/real/store_kills.sh
source "$here/store_kills.sh"
server_begin opensearch
kills=${KILLS:-6} lines=30000
draw_kills

mkdir -p "$work/logs" "$work/dead"
printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = TAILDIR" "sources.r1.channels = c1" "sources.r1.filegroups = g" \
    "sources.r1.filegroups.g = $work/logs/.*" "sources.r1.positionFile = $work/positions.json" "channels.c1.type = memory" "sinks.k1.channel = c1" \
    "sinks.k1.type = opensearch" "sinks.k1.endpoints = $(ask url)" "sinks.k1.index = lines" "sinks.k1.compression = gzip" \
    "sinks.k1.batch.max_events = 200" "sinks.k1.fields.via = files" "sinks.k1.penstock.deadletter = $work/dead" >"$work/files.properties"
probe() { # NAME PATTERN...: check --probe of its agent
    local pattern
    "$PENSTOCK" check --probe -n a1 -f "$work/$1.properties" >"$work/check.log" || fail "check --probe"
    for pattern in "${@:2}"; do grep -qE "$pattern" "$work/check.log" || fail "check --probe says nothing like: $pattern"; done
}
probe files 'ok .*: OpenSearch 2\.19, cluster real$' 'ok .* index lines: does not exist; the first event makes it$'

# A value that is no number cannot be indexed: every hundredth line is such a document.
curl -sf -X PUT "$(ask url)/lines" -H 'Content-Type: application/json' -d '{"mappings": {"properties": {"number": {"type": "long"}}}}' >"$work/made.log" ||
    fail "the index cannot be made"
probe files 'ok .* index lines: exists$'
write_lines() { # in pieces, while agent and server are killed
    local n
    for ((n = 1; n <= lines; n++)); do
        if ((n % 100 == 0)); then echo "{\"message\":\"line-$n\",\"number\":\"none\"}"; else echo "{\"message\":\"line-$n\",\"number\":$n}"; fi
        ((n % 500 != 0)) || pause 0.2
    done >>"$work/logs/a"
}
write_lines &
writer=$!
children+=("$writer")
signal_server() { # SIGNAL
    local pids
    mapfile -t pids < <(ask pids)
    ((${#pids[@]} == 0)) || kill -"$1" "${pids[@]}"
}
is_gone() { [[ ! $(ask pids) ]]; }
start "$work/files" "$PENSTOCK"
for ((kill = 1; kill <= kills; kill++)); do
    pause "$((RANDOM % 2)).$((RANDOM % 10))"
    stop KILL
    case $((kill % 3)) in
    0)
        signal_server KILL
        patient_await 60 is_gone || fail "OpenSearch does not end"
        ask start >"$work/start.log" 2>&1 || fail "OpenSearch does not start again"
        ;;
    1)
        signal_server STOP
        (pause 2; signal_server CONT) &
        ;;
    esac
    start "$work/files" "$PENSTOCK"
done
wait $writer
unset 'children[-1]'

bad=$((lines / 100))
counts() { local found; found=$(ask count "$1") && ((found == $2)); } # INDEX DOCUMENTS
await 120 counts lines $((lines - bad)) || fail "lines has $(ask count lines) documents, not $((lines - bad))"
sleep 2
counts lines $((lines - bad)) || fail "lines has $(ask count lines) documents, not $((lines - bad))"
[[ $(ask values lines message | sort -u | wc -l) == $((lines - bad)) ]] || fail "a line is there twice, and another one is missing"
stop TERM
letters=$(cat "$work"/dead/* 2>/dev/null | grep -c 'mapper_parsing_exception' || true)
((letters >= bad)) || fail "$letters dead letters, not $bad"
echo "$kills kills of the agent, $((kills / 3)) of the server: $((lines - bad)) documents, each once; $letters dead letters"

# ---- behind a file channel ----

words() { ask values store @message | cut -d ' ' -f 1; }
store_kills words <<EOF_
type = elasticsearch
hostNames = $(ask url)
indexName = store
indexNameBuilder = org.apache.flume.sink.elasticsearch.SimpleIndexNameBuilder
clusterName = real
batchSize = 200
EOF_

# ---- ids that are taken, and an index that takes no documents for a while ----

mkdir -p "$work/taken.logs" "$work/taken.dead"
printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = TAILDIR" "sources.r1.channels = c1" "sources.r1.filegroups = g" \
    "sources.r1.filegroups.g = $work/taken.logs/.*" "sources.r1.positionFile = $work/taken.json" "sources.r1.interceptors = i" \
    "sources.r1.interceptors.i.type = regex_extractor" "sources.r1.interceptors.i.regex = ^(\\\\S+)" "sources.r1.interceptors.i.serializers = s" \
    "sources.r1.interceptors.i.serializers.s.name = key" "channels.c1.type = memory" "sinks.k1.channel = c1" "sinks.k1.type = opensearch" \
    "sinks.k1.endpoints = http://localhost:$server_port" "sinks.k1.penstock.sniff = 1" "sinks.k1.index = taken" "sinks.k1.penstock.ids = header:key" "sinks.k1.penstock.ids.compare = true" \
    "sinks.k1.compression = gzip" "sinks.k1.penstock.deadletter = $work/taken.dead" >"$work/taken.properties"
start "$work/taken" "$PENSTOCK"
printf '%s\n' 'k1 one' 'k2 two' 'k1 one' 'k1 other' >"$work/taken.logs/a"
await 60 counts taken 2 || fail "taken has $(ask count taken) documents, not 2"
await 60 grep -q 'another document has this id.*k1 other' -r "$work/taken.dead" || fail "no dead letter of the other document"
await 60 grep -q 'servers of the cluster: 1; 1 came, 1 went' "$work/taken.log" || fail "the cluster was not asked for its servers" # 127.0.0.1 for localhost
block() { # true|null
    curl -sf -X PUT "$(ask url)/taken/_settings" -H 'Content-Type: application/json' -d "{\"index.blocks.read_only_allow_delete\": $1}" >"$work/block.log" ||
        fail "the index cannot be blocked"
}
block true # as a disk that is full beyond the flood stage does
seq -f 'w%g waits' 1 20 >>"$work/taken.logs/a"
await 60 grep -q 'cluster_block_exception' "$work/taken.log" || fail "the log does not say that the index is blocked"
sleep 2
counts taken 2 || fail "a blocked index has $(ask count taken) documents"
block null
await 60 counts taken 22 || fail "taken has $(ask count taken) documents, not 22"
stop TERM
letters=$(cat "$work"/taken.dead/* | wc -l)
((letters == 1)) || fail "$letters dead letters, not 1"
echo "an id that is taken: one dead letter; a read-only index: 20 events waited"

# ---- a disk beyond the flood stage ----

trouble_words() { ask values "$trouble" "$trouble_field" | cut -d ' ' -f 1; }
trouble_field=message
watermarks() { # BYTES: how much must be free
    curl -sf -X PUT "$(ask url)/_cluster/settings" -H 'Content-Type: application/json' -d "{\"transient\": {\"cluster.info.update.interval\": \"10s\",
        \"cluster.routing.allocation.disk\": {\"threshold_enabled\": true, \"watermark\": {\"low\": \"$1\", \"high\": \"$1\", \"flood_stage\": \"$1\"}}}}" \
        >"$work/watermarks.log" || fail "the watermarks cannot be set"
}
trouble_begin flood <<EOF_
type = opensearch
endpoints = $(ask url)
index = flood
EOF_
trouble_lines 50
trouble_ends
watermarks 900tb
flooded() { curl -sf "$(ask url)/flood/_settings" | grep -q '"read_only_allow_delete":"true"'; }
await 90 flooded || fail "OpenSearch does not see that its disk is full"
trouble_lines 50
trouble_holds 'cluster_block_exception.*flood'
watermarks 1b
trouble_ends
stop TERM
echo "$trouble_count documents, each once, though the disk was beyond the flood stage"

# ---- TLS and logins, by a proxy ----

trouble_field=@message
trouble_sink() { # CA
    printf '%s\n' "type = elasticsearch" "hostNames = https://localhost:$trouble_port" "indexName = basic" "clusterName = real" \
        "indexNameBuilder = org.apache.flume.sink.elasticsearch.SimpleIndexNameBuilder" "penstock.user = agent" "penstock.password = secret" \
        "penstock.ssl.ca = $1"
}
trouble_login basic "$server_port" "Basic $(printf 'agent:secret' | base64)"
trouble_field=message
trouble_sink() { # CA
    printf '%s\n' "type = opensearch" "endpoints = https://localhost:$trouble_port" "index = apikey" "auth.api_key = aWQ6a2V5" "tls.ca_file = $1"
}
trouble_login apikey "$server_port" "ApiKey aWQ6a2V5"
