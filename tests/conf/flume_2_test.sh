#!/usr/bin/env bash
# Files of Flume 2.0: its names of classes are those of the stages, and `check --for 2.0` names the components that it no longer has.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck disable=SC2016 # the names in backquotes
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset FLUME_HOME FLUME_CLASSPATH
file=$work/agent.properties
head=('a1.sources = r1' 'a1.channels = c1' 'a1.sinks = k1' 'a1.sources.r1.channels = c1' 'a1.channels.c1.type = memory' 'a1.sinks.k1.channel = c1')
check() { # CODE OPTION...
    local code=0
    "$PENSTOCK" check -n a1 -f "$file" "${@:2}" >"$work/out" 2>&1 || code=$?
    [[ $code == "$1" ]] || fail "exit $code, not $1, for $(cat "$file")"
}
says() { grep -qF -- "$1" "$work/out" || fail "not said: $1"; }
source_is() { # CLASS STAGE KEY...
    printf '%s\n' "${head[@]}" "a1.sources.r1.type = org.apache.flume.$1" "${@:3}" 'a1.sinks.k1.type = null' >"$file"
    check 0 --for 2.0
    says "source r1: $2"
    says 'a1: Flume 2.0 no longer has 0 of its components'
}
at=('a1.sources.r1.bind = 127.0.0.1' 'a1.sources.r1.host = 127.0.0.1' 'a1.sources.r1.port = 5140' 'a1.sources.r1.ports = 5140')
source_is source.syslog.SyslogTcpSource syslogtcp "${at[@]}"
source_is source.syslog.SyslogUDPSource syslogudp "${at[@]}"
source_is source.syslog.MultiportSyslogTCPSource multiport_syslogtcp "${at[@]}"
source_is source.netcat.NetcatSource netcat "${at[@]}"
source_is source.netcat.NetcatUdpSource netcatudp "${at[@]}"
source_is rpc.avro.source.AvroSource avro "${at[@]}"
source_is rpc.thrift.source.ThriftSource thrift "${at[@]}"
source_is http.source.HTTPSource http "${at[@]}"

printf '%s\n' "${head[@]}" 'a1.sources.r1.type = org.apache.flume.source.scribe.ScribeSource' 'a1.sources.r1.port = 1463' \
    'a1.sources.r1.interceptors = u' 'a1.sources.r1.interceptors.u.type = org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder' \
    'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = file://$work" >"$file"
check 0 --for 2.0
says 'Flume 2.0 has no source `org.apache.flume.source.scribe.ScribeSource` any more; penstock has it'
says 'Flume 2.0 has no sink `hdfs` any more; penstock has it'
says 'a1: Flume 2.0 no longer has 3 of its components'
check 0
! grep -q 'Flume 2.0' "$work/out" || fail 'said without --for'
for sink in irc http hive; do
    printf '%s\n' "${head[@]}" 'a1.sources.r1.type = jms' "a1.sinks.k1.type = $sink" >"$file"
    check 1 --for 2.0
    says 'Flume 2.0 has no source `jms` any more; here it runs in Java, with a Flume 1.x in FLUME_HOME'
    says "Flume 2.0 has no sink \`$sink\` any more; penstock has it"
done
printf '%s\n' "${head[@]}" 'a1.sources.r1.type = seq' 'a1.sinks.k1.type = org.apache.flume.http.sink.HttpSink' 'a1.sinks.k1.endpoint = http://localhost:9/' >"$file"
check 0 --for 2.0
says 'a1: Flume 2.0 no longer has 0 of its components'
code=0
"$PENSTOCK" check -f "$file" --for 3.0 >"$work/out" 2>&1 || code=$?
[[ $code == 2 ]] || fail 'a version that nobody knows'

# A class in the package of its own project is answered with that name.
printf '%s\n' "${head[@]}" 'a1.sources.r1.type = seq' 'a1.sinks.k1.type = org.apache.phoenix.flume.sink.PhoenixSink' >"$file"
check 1
says 'Flume has no sink `org.apache.phoenix.flume.sink.PhoenixSink`'
! grep -q 'org.apache.flume.sink.phoenix' "$work/out" || fail 'another name'
exit "$failed"
