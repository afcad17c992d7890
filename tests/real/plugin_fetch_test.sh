#!/usr/bin/env bash
# Needs: flume solr activemq elasticsearch
# `penstock plugin fetch` with the real Maven, and nothing else of Java on the machine but a runtime: agents run with what it brought, beside real
# servers. morphline_solr writes lines into a Solr, jms takes messages of an ActiveMQ, elasticsearch of Flume 1.9 writes documents; the other
# plug-ins are fetched, and `check` finds their classes.
# shellcheck source=tests/real/java_server.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"
unset FLUME_HOME FLUME_CLASSPATH
lines=500
fetch() { # NAME FOLDER [ARG]...
    "$PENSTOCK" plugin fetch "$1" --plugins-path "$work/$2" "${@:3}" >"$work/fetch.log" 2>&1 || fail "plugin fetch $1"
    (cd "$work/$2/$1" && sha256sum -c --quiet SHA256SUMS) || fail "the jars of $1"
    [[ -z $(find "$work/$2" -maxdepth 1 -name '.*' -not -path "$work/$2") ]] || fail "plugin fetch $1 leaves $(ls -A "$work/$2")"
}
agent_starts() { # NAME FOLDER [OPTION]...: an agent with this folder of plug-ins
    "$PENSTOCK" check -n a1 -f "$work/$1.properties" --plugins-path "$work/$2" >"$work/check.log" 2>&1 || fail "check: $1"
    "$PENSTOCK" agent -n a1 -f "$work/$1.properties" --plugins-path "$work/$2" "${@:3}" >"$work/$1.log" 2>&1 </dev/null &
    agent=$!
    children+=("$agent")
}
agent_stops() {
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ends with $?"
    agent=''
    ask stop >/dev/null
}
from_file() { # NAME: an agent file without its sink's keys, and what it reads
    mkdir -p "$work/$1"
    seq -f "$1-%g of the file" 1 $lines >"$work/$1/input"
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = taildir' 'sources.r1.filegroups = f' "sources.r1.filegroups.f = $work/$1/input" \
        "sources.r1.positionFile = $work/$1/positions" 'sources.r1.channels = c1' 'channels.c1.type = memory' 'sinks.k1.channel = c1'
}

# ---- morphline_solr ----

server_begin solr
fetch morphline_solr new
ask home "$work/schema"
import=''
for class in stdio.ReadLine stdlib.GenerateUUID solr.LoadSolr; do import+="${import:+, }\"org.kitesdk.morphline.${class}Builder\""; done
cat >"$work/load.conf" <<EOF_
morphlines : [{
  id : load
  importCommands : [$import]
  commands : [
    { readLine { charset : UTF-8 } }
    { generateUUID { field : id } }
    { loadSolr { solrLocator : { collection : flume, solrUrl : "$(ask url)", solrHomeDir : "$work/schema" } } }
  ]
}]
EOF_
{
    from_file solr
    printf 'a1.sinks.k1.%s\n' 'type = morphline_solr' "morphlineFile = $work/load.conf" 'batchSize = 50'
} >"$work/solr.properties"
agent_starts solr new
in_solr() { [[ $(ask values '*:*' message | sort -u | grep -c '^solr-.* of the file$') == "$lines" ]]; }
await 180 in_solr || fail "Solr has $(ask values '*:*' message | wc -l) documents"
agent_stops
echo "morphline_solr: $lines lines in Solr"

# ---- jms ----

server_begin activemq
fetch jms new
{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'channels.c1.type = memory' 'sinks.k1.type = file_roll' 'sinks.k1.channel = c1' \
        "sinks.k1.sink.directory = $work/jms" 'sinks.k1.sink.rollInterval = 0'
    printf 'a1.sources.r1.%s\n' 'type = jms' 'channels = c1' 'initialContextFactory = org.apache.activemq.jndi.ActiveMQInitialContextFactory' \
        'connectionFactory = ConnectionFactory' "providerURL = $(ask url)" 'destinationName = words' 'destinationType = QUEUE'
} >"$work/jms.properties"
mkdir "$work/jms"
ask send queue words 0 $lines
mv "$work/new/morphline_solr" "$work/kept" # each was tried with its own jars alone
agent_starts jms new -DJndiAllowedProtocols=tcp
from_jms() { [[ $(cat "$work"/jms/* 2>/dev/null | grep -a -o 'message [0-9]*' | sort -u | wc -l) == "$lines" ]]; }
await 180 from_jms || fail "not all messages came"
agent_stops
echo "jms: $lines messages of ActiveMQ"

# ---- elasticsearch ----

server_begin elasticsearch
fetch elasticsearch old
{
    from_file elastic
    printf 'a1.sinks.k1.%s\n' 'type = elasticsearch' 'penstock.engine = java' 'client = rest' "hostNames = $(ask url)" 'indexName = lines' 'indexType = line' 'batchSize = 50' \
        'serializer = org.apache.flume.sink.elasticsearch.ElasticSearchLogStashEventSerializer'
} >"$work/elastic.properties"
agent_starts elastic old
in_elastic() { [[ $(ask values lines 2>/dev/null | grep -o '"@message":"elastic-[0-9]* of' | sort -u | wc -l) == "$lines" ]]; }
await 180 in_elastic || fail "Elasticsearch does not have all documents"
agent_stops
echo "elasticsearch: $lines documents"

# ---- the others ----

found() { # NAME FOLDER KIND CLASS: fetches it, and `check` finds the class
    local kind=$3
    fetch "$1" "$2"
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'channels.c1.type = memory' 'sources.r1.channels = c1' 'sinks.k1.channel = c1'
        printf 'a1.%s\n' 'sources.r1.type = seq' 'sinks.k1.type = null' | grep -v "${kind}s"
        printf "a1.${kind}s.%s\n" "$([[ $kind == sink ]] && echo k1 || echo r1).type = $4"
        [[ $kind != sink ]] || echo 'a1.sinks.k1.penstock.engine = java'
    } >"$work/found.properties"
    "$PENSTOCK" check -n a1 -f "$work/found.properties" --plugins-path "$work/$2" >"$work/check.log" 2>&1 || true
    grep -q "$work/$2/$1/lib.*runs in Java" "$work/check.log" || { cat "$work/check.log"; fail "check does not find $4"; }
    rm -rf "${work:?}/$2/$1"
}
found hbase2 others sink org.apache.flume.sink.hbase2.HBase2Sink
found twitter others source org.apache.flume.source.twitter.TwitterSource
found hbase old_others sink org.apache.flume.sink.hbase.AsyncHBaseSink
found kite old_others sink org.apache.flume.sink.kite.DatasetSink
fetch jms new --force
echo "hbase2, twitter, hbase, kite: their classes are found"
