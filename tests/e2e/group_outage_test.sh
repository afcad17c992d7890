#!/usr/bin/env bash
# One outage of a sink in a group is one line of the log, the group's, with the reason and the time for which the sink is left out: for
# every kind of sink that has a far end. The agents run beside each other, because some sinks are patient for 10 s,
# and no other one may give up before the machine, which starts all of them at once, has told it that nobody listens.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
nobody=$(free_port) # nobody listens there
touch "$work/plain"

begin() { # NAME LINES...: an agent whose first sink k1 fails, and whose second one takes everything
    local name=$1
    shift
    mkdir "$work/$name"
    cat >"$work/$name/agent.properties" <<END2
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = failover
a1.sinkgroups.g1.processor.priority.k1 = 2
a1.sinkgroups.g1.processor.priority.k2 = 1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 20
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.channel = c1
a1.sinks.k2.channel = c1
a1.sinks.k2.type = null
END2
    printf 'a1.sinks.k1.%s\n' "$@" >>"$work/$name/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/$name/agent.properties" >"$work/$name/out" 2>"$work/$name/log" &
    agents[$name]=$!
    children[$!]=1
}
declare -A agents=()
begin avro 'type = avro' 'hostname = localhost' "port = $nobody"
begin thrift 'type = thrift' 'hostname = localhost' "port = $nobody"
begin irc 'type = irc' 'hostname = localhost' "port = $nobody" 'nick = n' 'chan = c'
begin http 'type = http' "endpoint = http://localhost:$nobody/" 'rollback.2XX = false'
begin file_roll 'type = file_roll' "sink.directory = $work/none"
begin local 'type = hdfs' "hdfs.path = file://$work/plain/x"
begin hdfs 'type = hdfs' "hdfs.path = hdfs://localhost:$nobody/x" 'hdfs.callTimeout = 10000'
begin webhdfs 'type = hdfs' "hdfs.path = webhdfs://localhost:$nobody/x" 'hdfs.callTimeout = 10000'
begin hive 'type = hive' "hive.metastore = thrift://localhost:$nobody" 'hive.database = d' 'hive.table = t' 'serializer = JSON' \
    'batchSize = 10' 'callTimeout = 10000'
begin kafka 'type = org.apache.flume.sink.kafka.KafkaSink' "kafka.bootstrap.servers = localhost:$nobody" 'kafka.topic = t'

has_failed() { grep -q 'sink group g1: sink k1 failed' "$work/$1/log"; } # NAME
for name in "${!agents[@]}"; do
    await "$name: its group does not say that it failed" has_failed "$name"
    kill -KILL "${agents[$name]}"
    wait "${agents[$name]}" 2>/dev/null || true
    unset "children[${agents[$name]}]"
    grep -E ' (WARN|ERROR|FATAL) ' "$work/$name/log" | grep -vE ' configuration: | components take long to open' >"$work/$name/lines" || true
    [[ $(wc -l <"$work/$name/lines") == 1 ]] || fail "$name: not one line: $(<"$work/$name/lines")"
    grep -qE ' sink group g1: sink k1 failed 1 time in a row: it is left out for [0-9.]+ m?s: .' "$work/$name/lines" ||
        fail "$name: the line has no reason, or no time: $(<"$work/$name/lines")"
    [[ $name == @(file_roll|local) ]] || grep -qE "Connection refused|Couldn't connect to server" "$work/$name/lines" ||
        fail "$name: the line does not say that nobody listens: $(<"$work/$name/lines")"
done
