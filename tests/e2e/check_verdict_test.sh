#!/usr/bin/env bash
# Whether `penstock check` says what the agent then does, situation by situation: it refuses to start, it starts without any source
# or sink, a component waits for what is not there, or all of it works.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
metrics=$(free_port)
listen=$(free_port)

# ---- what the situations need ----
mkdir -p "$work/files" "$work/flume/data" "$work/flume/checkpoint" "$work/spool" "$work/empty"
touch "$work/flume/data/log-1.meta" "$work/flume/checkpoint/checkpoint.meta" "$work/plain"
echo 'this is no database' >"$work/text.sqlite"

agent() { # LINES...: an agent netcat -> memory -> file_roll in which each line replaces the one of its key
    local line old kept lines
    mapfile -t lines <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $listen
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/files
a1.sinks.k1.channel = c1
END
    for line in "$@"; do
        kept=()
        for old in "${lines[@]}"; do [[ $old == *"${line%%=*}="* ]] || kept+=("$old"); done
        lines=("${kept[@]}" "$line")
    done
    printf '%s\n' "${lines[@]}" >"$work/agent.properties"
}

check_verdict() {
    local code=0
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/check.out" 2>&1 || code=$?
    case $code in
    0) echo works ;;
    3) echo waits ;;
    1) if grep -qE 'without any of its|would have none of its' "$work/check.out"; then echo idle; else echo refuses; fi ;;
    *) echo "exit $code" ;;
    esac
}

channel_is_open() { # one on disk opens beside the others: until then nobody knows whether it can
    ! grep -qE '^a1\.channels\.c1\.type = (file|jdbc|spillablememory)$' "$work/agent.properties" || grep -q ' channel c1: opened in ' "$work/agent.err"
}
runs_whole() { grep -q '"SOURCE\.' "$work/counters" && grep -q '"SINK\.' "$work/counters"; }
sent_one() { # an event to the source netcat, because many sinks try their far end with the first one
    (exec 3<>"/dev/tcp/127.0.0.1/$listen" && echo event >&3 && read -rt 60 <&3) 2>/dev/null
}
agent_decides() { # whether the agent has ended, is ready, or says for what it waits; writes that to $work/decided
    if ! kill -0 "$agent" 2>/dev/null; then
        echo refuses >"$work/decided"
        return
    fi
    local code
    code=$(http_get "$metrics" /readyz "$work/ready") || return
    if [[ $code == 200 ]]; then
        http_get "$metrics" /metrics "$work/counters" >/dev/null || return
        if ! runs_whole; then
            echo idle >"$work/decided"
            return
        fi
        if [[ $with_event ]]; then
            [[ $event_sent ]] || ! sent_one || event_sent=1
            return 1
        fi
        # Threads of stages still look at their files: a failure of theirs comes a moment later.
        if ! channel_is_open || ((++ready_count < 6)); then return 1; fi
        echo works >"$work/decided"
    elif grep -q ' is left out: ' "$work/ready"; then
        echo idle >"$work/decided"
    elif grep -v 'being opened' "$work/ready" | grep -q ': '; then
        echo waits >"$work/decided"
    else
        return 1
    fi
}

agent_verdict() {
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics" \
        -Dpenstock.monitoring.host=127.0.0.1 >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    ready_count=0 event_sent=
    await 'the agent neither starts nor says why' agent_decides
    kill -KILL "$agent" 2>/dev/null || true # a stop would wait for what cannot be delivered
    wait "$agent" 2>/dev/null || true
    unset "children[$agent]"
}

with_event= # not empty: the agent gets an event and must then say for what it waits
situation() { # EXPECTED WHAT LINES...: both say EXPECTED
    local expected=$1 what=$2 checked
    shift 2
    agent "$@"
    checked=$(check_verdict)
    agent_verdict
    [[ $(<"$work/decided") == "$expected" ]] || fail "$what: the agent $(<"$work/decided"), expected: $expected"
    [[ $checked == "$expected" ]] || fail "$what: check says \"$checked\", the agent $expected:"$'\n'"$(<"$work/check.out")"
}

situation works 'all is there'
situation works 'directories that the channel makes' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c" \
    "a1.channels.c1.dataDirs = $work/new/d1,$work/new/d2"
situation works 'the same, when they are there' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c" \
    "a1.channels.c1.dataDirs = $work/new/d1,$work/new/d2"
situation refuses "data directories of Flume's file channel" 'a1.channels.c1.type = file' \
    "a1.channels.c1.checkpointDir = $work/new/c2" "a1.channels.c1.dataDirs = $work/flume/data"
grep -qF "agent.properties:13: error: a1.channels.c1.dataDirs: $work/flume/data: it has files of a Flume file channel; name another" \
    "$work/check.out" || fail "no error with line, key and cure: $(<"$work/check.out")"
situation refuses "a checkpoint directory of Flume's file channel" 'a1.channels.c1.type = file' \
    "a1.channels.c1.checkpointDir = $work/flume/checkpoint" "a1.channels.c1.dataDirs = $work/new/d3"
situation refuses "the same below a spillable memory channel" 'a1.channels.c1.type = SPILLABLEMEMORY' \
    "a1.channels.c1.checkpointDir = $work/new/c4" "a1.channels.c1.dataDirs = $work/flume/data"
situation waits 'a data directory below a file' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c5" \
    "a1.channels.c1.dataDirs = $work/plain/data"
printf 'a key' >"$work/short.key"
situation waits 'a key that cannot be used' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c6" \
    "a1.channels.c1.dataDirs = $work/new/d6" 'a1.channels.c1.encryption.cipherProvider = AESCTRNOPADDING' \
    'a1.channels.c1.encryption.keyProvider = KEYFILE' 'a1.channels.c1.encryption.activeKey = k' \
    'a1.channels.c1.encryption.keyProvider.keys = k' "a1.channels.c1.encryption.keyProvider.keys.k.keyFile = $work/short.key"
situation works 'a database that is made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/db/new.sqlite"
situation works 'the same, when it is there' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/db/new.sqlite"
situation waits 'a database that is none' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/text.sqlite"
situation waits 'no directory for the sink' "a1.sinks.k1.sink.directory = $work/none"
situation waits 'a file for the sink' "a1.sinks.k1.sink.directory = $work/plain"
situation works 'a directory to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool"
situation waits 'no directory to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/none"
situation waits 'a file to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/plain"
situation works 'positions in a directory that is made' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/positions/a.json"
situation waits 'positions below a file' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/plain/a.json"
other=$(free_port)
two_sources=('a1.sources = r1 r2' 'a1.sources.r2.type = netcat' 'a1.sources.r2.bind = 0.0.0.0' 'a1.sources.r2.channels = c1')
situation waits 'two sources on one port' "${two_sources[@]}" "a1.sources.r2.port = $listen"
situation works 'two sources on two ports' "${two_sources[@]}" "a1.sources.r2.port = $other"
two_channels=('a1.channels = c1 c2' 'a1.sources.r1.channels = c1 c2' 'a1.sinks = k1 k2' 'a1.sinks.k2.type = null' 'a1.sinks.k2.channel = c2'
    'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c7" "a1.channels.c1.dataDirs = $work/new/d7"
    'a1.channels.c2.type = file')
situation waits 'two channels in one directory' "${two_channels[@]}" "a1.channels.c2.checkpointDir = $work/new/c8" "a1.channels.c2.dataDirs = $work/new/d7"
situation waits 'two channels with one checkpoint' "${two_channels[@]}" "a1.channels.c2.checkpointDir = $work/new/c7" "a1.channels.c2.dataDirs = $work/new/d8"
situation waits 'a directory for positions' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/empty"
situation works 'a tracker that is made' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/tracker"
situation waits 'a file for the tracker' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/plain"
situation waits 'no directory above the tracker' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/none/tracker"
situation waits 'a database that must not be made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:derby:$work/no-derby"
situation waits 'tables that must not be made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/no.sqlite" \
    'a1.channels.c1.create.schema = false'
situation works 'a directory for letters that is made' "a1.sources.r1.penstock.deadletter = $work/dead/"
situation waits 'a file for letters' "a1.sources.r1.penstock.deadletter = $work/plain"
situation waits 'no directory above the one for letters' "a1.sinks.k1.penstock.deadletter = $work/none/dead"
situation waits 'less room than the channel must leave' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c7" \
    "a1.channels.c1.dataDirs = $work/new/d7" 'a1.channels.c1.minimumRequiredSpace = 900000000000000000'
grep -qF "agent.properties:14: warning: a1.channels.c1.minimumRequiredSpace: directory $work/new/d7: " "$work/check.out" ||
    fail "no warning with line, key and reason: $(<"$work/check.out")"
situation waits 'the same below a spillable memory channel' 'a1.channels.c1.type = SPILLABLEMEMORY' \
    "a1.channels.c1.checkpointDir = $work/new/c7" "a1.channels.c1.dataDirs = $work/new/d7" \
    'a1.channels.c1.minimumRequiredSpace = 900000000000000000'
printf S >"$work/one.sqlite"
situation works 'a database of one byte, which SQLite takes for an empty one' 'a1.channels.c1.type = jdbc' \
    "a1.channels.c1.driver.url = jdbc:sqlite:$work/one.sqlite"
situation waits 'a file in place of the directory of a group' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/plain/.*log" "a1.sources.r1.positionFile = $work/positions/a.json"
situation waits 'the same for a group behind one that is named twice' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f f g' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.filegroups.g = $work/plain/.*log" \
    "a1.sources.r1.positionFile = $work/positions/a.json"
situation waits 'no directory of a group, which is waited for' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/none/.*log" "a1.sources.r1.positionFile = $work/positions/a.json"
situation works 'a local path that is made' 'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = file://$work/new/h"
with_event=1 situation waits 'a local path below /proc' 'a1.sinks.k1.type = hdfs' 'a1.sinks.k1.hdfs.path = file:///proc/none'
with_event=1 situation waits 'a local path below a file' 'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = file://$work/plain/h"

# ---- a channel that leaves its directories alone: the agent starts as Flume does, and warns ----
spills=('a1.channels.c1.type = SPILLABLEMEMORY'
    "a1.channels.c1.checkpointDir = $work/rest/c" "a1.channels.c1.dataDirs = $work/rest/d")
situation works 'no disk, and nothing on it' "${spills[@]}" 'a1.channels.c1.overflowCapacity = 0'
head -c 16 /dev/zero >"$work/good.key" && chmod 400 "$work/good.key"
sealed=('a1.channels.c1.encryption.cipherProvider = AESCTRNOPADDING' 'a1.channels.c1.encryption.keyProvider = KEYFILE'
    'a1.channels.c1.encryption.activeKey = k' 'a1.channels.c1.encryption.keyProvider.keys = k'
    "a1.channels.c1.encryption.keyProvider.keys.k.keyFile = $work/good.key")
for encryption in '' sealed; do
    keys=()
    [[ ! $encryption ]] || keys=("${sealed[@]}")
    with_event=1 situation waits 'the disk gets an event' "${spills[@]}" "${keys[@]}" 'a1.channels.c1.memoryCapacity = 0' \
        'a1.channels.c1.overflowCapacity = 10000' 'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = file://$work/plain/h"
    for keys_now in "${keys[0]:-}" ''; do
        [[ $keys_now ]] || keys=()
        agent "${spills[@]}" "${keys[@]}" 'a1.channels.c1.overflowCapacity = 0'
        [[ $(check_verdict) == waits ]] || fail "events on a disk that is left alone: $(<"$work/check.out")"
        grep -qE "agent.properties:[0-9]+: warning: a1.channels.c1.overflowCapacity: $work/rest/d: it has (1 event|events that are encrypted with another key) of an earlier run, not delivered with overflowCapacity = 0; increase overflowCapacity until" \
            "$work/check.out" || fail "no warning with line, key, reason and cure: $(<"$work/check.out")"
        agent_verdict
        [[ $(<"$work/decided") == works ]] || fail "events on a disk that is left alone: the agent $(<"$work/decided")"
        grep -qE "WARN channel c1: not delivered: (1 event|events that are encrypted with another key) in $work/rest/d, with" "$work/agent.err" ||
            fail "the agent does not warn: $(<"$work/agent.err")"
    done
    rm -r "$work/rest"
done

check_only() { # EXPECTED WHAT LINES...: check says EXPECTED; the agent was asked in a situation of the same kind
    local checked
    agent "${@:3}"
    checked=$(check_verdict)
    [[ $checked == "$1" ]] || fail "$2: check says \"$checked\", not $1:"$'\n'"$(<"$work/check.out")"
}

# ---- ports that no connection can have ----
ask=situation
for port in 65536 0; do
    $ask refuses "http to port $port" 'a1.sinks.k1.type = http' "a1.sinks.k1.endpoint = http://localhost:$port/"
    $ask refuses "brokers at port $port" 'a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink' \
        "a1.sinks.k1.kafka.bootstrap.servers = b1:9092,[::1]:$port"
    $ask refuses "hdfs at port $port" 'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = hdfs://localhost:$port/h"
    $ask refuses "webhdfs at port $port" 'a1.sinks.k1.type = hdfs' "a1.sinks.k1.hdfs.path = webhdfs://localhost:$port/h"
    $ask refuses "a metastore at port $port" 'a1.sinks.k1.type = hive' "a1.sinks.k1.hive.metastore = thrift://localhost:$port" \
        'a1.sinks.k1.hive.database = d' 'a1.sinks.k1.hive.table = t' 'a1.sinks.k1.serializer = JSON'
    $ask refuses "a database at port $port" 'a1.channels.c1.type = jdbc' \
        "a1.channels.c1.driver.url = jdbc:postgresql://localhost:$port/d"
    ask=check_only
done
situation refuses 'brokers of a channel at port 65536' 'a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel' \
    'a1.channels.c1.kafka.bootstrap.servers = PLAINTEXT://b1:65536'
situation idle 'brokers of a source at port 65536' 'a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource' \
    'a1.sources.r1.kafka.bootstrap.servers = b1:65536' 'a1.sources.r1.kafka.topics = t'

# ---- files that are to be read, each of which is not there, is a directory, or cannot be used ----
ssl_source=('a1.sources.r1.type = avro' 'a1.sources.r1.ssl = true' 'a1.sources.r1.keystore-password = x')
sink=('a1.sinks.k1.hostname = localhost' "a1.sinks.k1.port = $listen")
kafka=('a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink' 'a1.sinks.k1.kafka.bootstrap.servers = localhost:9'
    'a1.sinks.k1.kafka.producer.security.protocol = SSL')
ask=situation
for file in "$work/none.file" "$work/empty"; do
    $ask refuses 'penstock.ssl.ca' 'a1.sinks.k1.type = http' 'a1.sinks.k1.endpoint = https://localhost/' "a1.sinks.k1.penstock.ssl.ca = $file"
    grep -qF "agent.properties:13: error: a1.sinks.k1.penstock.ssl.ca: cannot read $file: " "$work/check.out" ||
        fail "no error with line and key: $(<"$work/check.out")"
    $ask idle 'the key store of a source' "${ssl_source[@]}" "a1.sources.r1.keystore = $file"
    $ask refuses 'the trust store of the sink avro' 'a1.sinks.k1.type = avro' "${sink[@]}" 'a1.sinks.k1.ssl = true' "a1.sinks.k1.truststore = $file"
    $ask refuses 'the trust store of the sink thrift' 'a1.sinks.k1.type = thrift' "${sink[@]}" 'a1.sinks.k1.ssl = true' "a1.sinks.k1.truststore = $file"
    $ask idle 'the keytab of the source thrift' 'a1.sources.r1.type = thrift' 'a1.sources.r1.kerberos = true' \
        'a1.sources.r1.agent-principal = a/b@C' "a1.sources.r1.agent-keytab = $file"
    $ask refuses 'the keytab of the sink thrift' 'a1.sinks.k1.type = thrift' "${sink[@]}" 'a1.sinks.k1.kerberos = true' \
        'a1.sinks.k1.client-principal = a/b@C' 'a1.sinks.k1.server-principal = s/b@C' "a1.sinks.k1.client-keytab = $file"
    $ask refuses 'the trust store of Kafka' "${kafka[@]}" "a1.sinks.k1.kafka.producer.ssl.truststore.location = $file"
    $ask refuses 'the key store of Kafka' "${kafka[@]}" "a1.sinks.k1.kafka.producer.ssl.keystore.location = $file"
    $ask refuses 'the keytab of Kafka' "${kafka[@]}" 'a1.sinks.k1.kafka.producer.security.protocol = SASL_PLAINTEXT' \
        'a1.sinks.k1.kafka.producer.sasl.kerberos.service.name = kafka' \
        "a1.sinks.k1.kafka.producer.sasl.jaas.config = com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"$file\" principal=\"a@B\";"
    $ask refuses 'a file of rules' 'a1.sources.r1.interceptors = i' 'a1.sources.r1.interceptors.i.type = rules' \
        "a1.sources.r1.interceptors.i.rules.file = $file"
    $ask refuses "the properties of a database" 'a1.channels.c1.type = jdbc' 'a1.channels.c1.driver.url = jdbc:postgresql://localhost:9/d' \
        "a1.channels.c1.connection.properties.file = $file"
    ask=check_only
done
situation idle 'the only source is dropped' 'a1.sources.r1.port = 99999'
situation refuses 'the only sink is dropped' 'a1.sinks.k1.sink.pathManager = NONE'
situation works 'one of two sources is dropped' "${two_sources[@]}" 'a1.sources.r2.port = 99999'
grep -q '^source r2 is left out: ' "$work/ready" || fail "/readyz does not name the source that is dropped: $(<"$work/ready")"
two_flows=('a1.channels = c1 c2' 'a1.channels.c2.type = memory' 'a1.sources = r1 r2' 'a1.sources.r2.type = seq' 'a1.sources.r2.channels = c2'
    'a1.sinks = k1 k2' 'a1.sinks.k2.type = null' 'a1.sinks.k2.channel = c2')
situation works 'two flows' "${two_flows[@]}"
situation idle 'one of two flows has lost its source' "${two_flows[@]}" 'a1.sources.r2.type = sequ'
situation refuses 'one of two flows has lost its sink' "${two_flows[@]}" 'a1.sinks.k2.type = nul'
situation refuses 'no memory' 'a1.penstock.memory.budget = 1k'
situation refuses 'a type that is not supported' 'a1.sources.r1.type = jms'

# ---- what was not tried is the last line; nothing is opened for it ----
agent
"$PENSTOCK" check -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http >"$work/check.out" || fail 'check'
[[ $(tail -n 1 "$work/check.out") == "not tried without --probe: listen on 127.0.0.1:$listen (TCP) of source r1, the port of the metrics server" ]] ||
    fail "the last line: $(<"$work/check.out")"
