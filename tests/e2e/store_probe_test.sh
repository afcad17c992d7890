#!/usr/bin/env bash
# penstock check --probe of the sinks elasticsearch, opensearch and solr: what a server answers to the questions before the first event, with a login that
# is missing, wrong or right, of an index that is there, that the first event makes, or that the server makes not. Nothing is posted.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=$(free_port)
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

cat >"$work/server.py" <<'EOF_'
"""Answers as a cluster whose indices `there` and, with /closed before the path, none are made; as Solr below /solr."""
import base64
import http.server
import sys

ANSWERS = {
    "/": '{"cluster_name":"shop","version":{"distribution":"opensearch","number":"2.19.1"}}',
    "/there": "{}",
    "/closed/": '{"cluster_name":"shop","version":{"number":"7.17.0"}}',
    "/_cluster/settings": '{"defaults":{"action":{"auto_create_index":"true"}}}',
    "/closed/_cluster/settings": '{"persistent":{"action":{"auto_create_index":"false"}}}',
    "/solr/logs/schema/uniquekey": '{"responseHeader":{"status":0},"uniqueKey":"key"}',
}
USERS = {"right": None, "reader": "/"}  # what each may ask; None: all


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, word = self.path.split("?")[0], self.headers.get("Authorization", "")
        user = base64.b64decode(word[6:]).decode().split(":")[0] if word.startswith("Basic ") else word
        status, body = (200, ANSWERS[path]) if path in ANSWERS else (404, "{}")
        if user not in USERS:
            status, body = 401, "{}"
        elif USERS[user] not in (None, path):
            status, body = 403, "{}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        print("posted", self.path, flush=True)

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
EOF_
python3 "$work/server.py" "$port" >"$work/posted" 2>&1 &
children[$!]=1
listens() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
await "the server listens" listens

agent() { # KEY=VALUE...: of the sink
    printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = seq" "sources.r1.channels = c1" "channels.c1.type = memory" \
        "sinks.k1.channel = c1"
    printf 'a1.sinks.k1.%s\n' "$@"
}
probe() { # CODE KEY=VALUE... -- PATTERN...: of the sink, and of lines
    local code=$1 keys=()
    shift
    while [[ $1 != -- ]]; do keys+=("$1"); shift; done
    agent "${keys[@]}" >"$work/probed.properties"
    probe_agent "$work/probed.properties" "$code" "$@"
}
open=(type=opensearch "endpoints=http://127.0.0.1:$port" auth.password=secret)
probe 0 "${open[@]}" auth.user=right index=there -- "^  ok +sink k1: server http://127.0.0.1:$port: OpenSearch 2.19, cluster shop\$" \
    "^  ok +sink k1: index there: exists\$"
probe 0 "${open[@]}" auth.user=right index=later -- '^  ok +sink k1: index later: does not exist; the first event makes it$'
probe 3 "${open[@]}" auth.user=wrong index=there -- '^  FAILED +sink k1: server .*: HTTP 401 to a question for its version; the server wants another login'
probe 0 "${open[@]}" auth.user=reader index=there -- '^  ok +sink k1: server ' '^  skipped +sink k1: index there: this login may not ask for it'
probe 0 "${open[@]}" auth.user=right data_stream=logs-x -- '^  skipped +sink k1: data stream logs-x: it does not exist yet'
! grep -q secret "$work/out" || fail "the password is shown"
flume=(type=elasticsearch "hostNames=http://127.0.0.1:$port/closed" penstock.user=right penstock.password=secret indexName=later)
probe 3 "${flume[@]}" indexNameBuilder=SimpleIndexNameBuilder -- '^  ok +sink k1: server .*: Elasticsearch 7.17, cluster shop$' \
    '^  FAILED +sink k1: index later: it does not exist, and the server makes none; create it'
probe 0 "${flume[@]}" -- '^  ok +sink k1: server ' # the name has the day
probe 3 "${flume[@]}" clusterName=other -- '^  FAILED +sink k1: server .*: its cluster is shop, not other: set clusterName'

solr=(type=solr user=right password=secret)
probe 0 "${solr[@]}" "url=http://127.0.0.1:$port/solr/logs" -- '^  ok +sink k1: server .*/solr/logs: answers; the unique key is key$'
probe 3 "${solr[@]}" "url=http://127.0.0.1:$port/solr/other" -- '^  FAILED +sink k1: server .*: HTTP 404 to a question for its unique key; is there a collection'
probe 3 type=solr "url=http://127.0.0.1:$port/solr/logs" -- '^  FAILED +sink k1: server .*: HTTP 401 to a question for its unique key; the server wants another login'
[[ ! -s $work/posted ]] || fail "a probe has posted: $(<"$work/posted")"
echo "probes: as expected"
