#!/usr/bin/env bash
# Needs: flume elasticsearch
# The sink elasticsearch of Flume 1.9 in Java (penstock.engine = java), with penstock and a real Elasticsearch 5 over HTTP: a real Flume 1.9
# and penstock get the same lines and the same keys, and then the Java process is killed again and again (KILLS=N). The sink's other client
# speaks a protocol of Elasticsearch 0.90, and does not begin on a Java behind 8.
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
server_begin elasticsearch
engines[flume]=$here/old_flume
FLUME_CLASSPATH=$("$here/old_flume" classpath):$("$here/elasticsearch" classpath)
export FLUME_CLASSPATH

sink_keys() { # NAME
    printf 'a1.sources.r1.%s\n' "interceptors = i1" "interceptors.i1.type = static" "interceptors.i1.key = from" "interceptors.i1.value = here"
    printf 'a1.sinks.k1.%s\n' "type = elasticsearch" "penstock.engine = java" "client = rest" "hostNames = $(ask url)" "indexName = $1" "indexType = line" "batchSize = 50" \
        "serializer = org.apache.flume.sink.elasticsearch.ElasticSearchLogStashEventSerializer"
}
documents() { { ask values "$1" || true; } | sed 's/{"_type"/\n&/g' | grep '"@message"' || true; } # NAME: one a line
words() { documents "$1" | sed -E 's/.*"@message":"([^ "]*).*/\1/'; }
# The sink sends ISO 8859-1. Elasticsearch refuses such documents one by one, which the sink does not see: it loses them, in Flume, too.
same_input 2000 in-ASCII
for engine in flume penstock; do documents $engine | sed 's/[],}]*$//' | sort >"$work/$engine.documents"; done
same "the documents" "$work/flume.documents" "$work/penstock.documents"
grep -q '"_type":"line".*"@message":"line-7 of the file in-ASCII".*"from":"here"' "$work/penstock.documents" || fail "$(head -1 "$work/penstock.documents")"
killed
