#!/usr/bin/env bash
# What `penstock check` says of values of real stages: each with its line and key, and how to write it; and what the plan shows.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# KIND TYPE LINES...: an agent whose source, channel or sink has the type and the keys; these begin at line 9.
with() {
    local kind=$1 type=$2 source=seq channel=memory sink=null name
    shift 2
    case $kind in
    source) source=$type name=sources.r1 ;;
    channel) channel=$type name=channels.c1 ;;
    sink) sink=$type name=sinks.k1 ;;
    esac
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = $source
a1.sources.r1.channels = c1
a1.channels.c1.type = $channel
a1.sinks.k1.type = $sink
a1.sinks.k1.channel = c1
END
    printf "a1.$name.%s\n" "$@" >>"$work/agent.properties"
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/out" 2>&1
}
says() { grep -qF -- "$1" "$work/out" || fail "not said: $1"; }
silent() { ! grep -qE '(error|dropped|warning|note): ' "$work/out" || fail 'of what is right'; }

avro=('bind = 127.0.0.1' 'port = 4141')
with source avro "${avro[@]}" 'threads = many'
says 'agent.properties:11: warning: a1.sources.r1.threads: "many" is not a whole number: the key counts as not set; write only decimal digits'

# A rule that no peer can match.
with source avro "${avro[@]}" 'ipFilter = true' 'ipFilterRules = allow:ip:127.*,deny:ip:10.0.0.0/8'
says 'agent.properties:12: warning: a1.sources.r1.ipFilterRules: deny:ip:10.0.0.0/8 is a rule for nobody: a pattern has * for any text'
with source avro "${avro[@]}" 'ipFilter = true' 'ipFilterRules = allow:ip:127.*,deny:ip:*'
silent

# Keys of TLS and Kerberos without TLS and Kerberos: whoever wrote them may think that they protect something.
with source avro "${avro[@]}" 'keystore = /etc/flume/server.jks' 'include-protocols = TLSv1.3'
says 'agent.properties:11: note: a1.sources.r1.keystore: has no effect: connections are not encrypted without ssl = true'
says 'agent.properties:12: note: a1.sources.r1.include-protocols: has no effect: connections are not encrypted'
with sink avro 'hostname = localhost' 'port = 4141' 'truststore = /etc/flume/trust.jks'
says 'agent.properties:11: note: a1.sinks.k1.truststore: has no effect: connections are not encrypted without ssl = true'
with source thrift "${avro[@]}" 'agent-principal = flume/host@EXAMPLE.ORG'
says 'agent.properties:11: note: a1.sources.r1.agent-principal: has no effect: clients need not authenticate without kerberos = true'
with sink thrift 'hostname = localhost' 'port = 4141' 'client-principal = flume@EXAMPLE.ORG'
says 'agent.properties:11: note: a1.sinks.k1.client-principal: has no effect: the sink does not authenticate without kerberos = true'

# A value that is no boolean, in the keys of a status: of rollback.5XX it would drop events.
with sink http 'endpoint = http://localhost/' 'rollback.2XX = FALSE' 'rollback.5XX = yes'
says 'agent.properties:11: warning: a1.sinks.k1.rollback.5XX: "yes" is neither true nor false and counts as false; write true or false'
with sink http 'endpoint = http://localhost/' 'rollback.2XX = FALSE' 'rollback.5XX = True'
silent

# A trust store that cannot be read, of the settings that all components share.
FLUME_SSL_TRUSTSTORE_PATH=/nowhere/trust.jks with sink http 'endpoint = https://localhost/' 'rollback.2XX = false'
says 'agent.properties:9: dropped: a1.sinks.k1.endpoint: cannot read the file: No such file or directory; javax.net.ssl.trustStore: store /nowhere/trust.jks; name the authorities in penstock.ssl.ca'
FLUME_SSL_TRUSTSTORE_PATH=/nowhere/trust.jks with sink http 'endpoint = http://localhost/' 'rollback.2XX = false'
silent

# The plan shows how much memory has room for; Flume overrides capacity and keep-alive, and takes any value of them and of avgEventSize.
spill=("checkpointDir = $work/checkpoint" "dataDirs = $work/data")
with channel SPILLABLEMEMORY "${spill[@]}"
says 'channel c1: spillablememory, capacity 10,000 events, 1 in, 1 out, in memory, which are lost when the process dies, and up to 100,000,000 on disk'
with channel SPILLABLEMEMORY "${spill[@]}" 'memoryCapacity = 500' 'capacity = much' 'keep-alive = long' 'avgEventSize = small'
says 'channel c1: spillablememory, capacity 500 events, 1 in, 1 out'
! grep -q 'dropped: ' "$work/out" || fail 'the channel is dropped'
with channel SPILLABLEMEMORY "${spill[@]}" 'overflowCapacity = -1' 'overflowTimeout = -1' # Flume: no overflow, no wait
says 'in memory only: they are lost when the process dies'
silent

# Fields that do not exist, beside one that does.
for type in syslogtcp multiport_syslogtcp; do
    with source "$type" 'host = 127.0.0.1' 'port = 5140' 'ports = 5140' 'keepFields = host, Timestamp'
    says 'agent.properties:12: warning: a1.sources.r1.keepFields: host has no effect: write none, all, or any of priority, version, timestamp and hostname'
    ! grep -q 'keepFields: Timestamp' "$work/out" || fail 'Timestamp is a field'
done
with source syslogudp 'host = 127.0.0.1' 'port = 5140' 'keepFields = TRUE'
silent

# A relative path begins where the process runs, and the plan shows where that is.
cd "$work" || exit 1
with sink hdfs 'hdfs.path = logs/%{host}'
says "writes SequenceFile files in file://$work/logs/%{host}, a new one"
with sink hdfs 'hdfs.path = /logs/%{host}'
says 'writes SequenceFile files in file:///logs/%{host}, a new one'

# Events that no channel gets.
with source seq 'selector.type = multiplexing' 'selector.header = state' 'selector.mapping.CZ = c1'
says 'note: a1.sources.r1.selector.default: is not set: an event whose header state has no value, or one without a mapping, is dropped'
with source seq 'selector.type = multiplexing' 'selector.header = state' 'selector.mapping.CZ = c1' 'selector.default = c1'
silent

# Numbers that Flume's client passes over, and an interval below 0.
with sink avro 'hostname = localhost' 'port = 4141' 'connect-timeout = soon' 'request-timeout = 20s' 'batch-size = all' 'compression-level = best' 'reset-connection-interval = -1'
! grep -qE '(error|dropped): ' "$work/out" || fail 'the sink is dropped'
says 'agent.properties:11: warning: a1.sinks.k1.connect-timeout: "soon" is not a whole number: the default 20000 is used; write only decimal digits'

# A type that does not exist, and is like none that does.
with source spooldir "spoolDir = $work" 'deserializer = lines-of-text'
says "a1.sources.r1.deserializer: Flume has no deserializer \`lines-of-text\`; \`penstock components deserializer\` lists those there are"
with sink file_roll "sink.directory = $work" 'sink.serializer = xml'
says "a1.sinks.k1.sink.serializer: Flume has no serializer \`xml\`; \`penstock components serializer\` lists those there are"
exit "$failed"
