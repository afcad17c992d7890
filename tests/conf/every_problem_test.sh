#!/usr/bin/env bash
# `penstock check` prints every problem at once: a file with all kinds of mistakes, and the same file without one of them, whichever it is, has a
# line for each mistake that is there. Nobody mends a file and learns then of the next mistake.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A mistake in each line: a script for sed, and what `check` says of it.
# shellcheck disable=SC2016 # scripts for sed
mistakes=(
    's|^(a1.sources.spool.spoolDir = ).*|\1/nonexistent/in|@directory /nonexistent/in: No such file'
    's|^(a1.sources.spool.batchSize = ).*|\1many|@"many" is not a whole number'
    's|^(a1.sources.net.port = ).*|\1${loop}|; $a loop = ${loop}@the value refers to itself'
    's|^(a1.sources.net.bind = ).*|\1C:\\users|@\u is not followed by four hexadecimal digits'
    's|^(a1.sources.tail.filegroups.f = ).*|\1/nonexistent/logs/.*|@/nonexistent/logs: No such file'
    's|^(a1.sources.tail.positionFile = ).*|\1/proc/none/positions|@directory /proc/none:'
    's|^(a1.sources.tail.type = ).*|\1taildri|@did you mean taildir?'
    's|^(a1.sources.tail.penstock.deadletter = ).*|\1/nonexistent/far/dead|@penstock.deadletter: directory /nonexistent/far'
    's|^(a1.sources.net.channels = ).*|\1c2|@"c2" is not declared'
    's|^a1.channels = .*||@the agent has no list of channels'
    's|^(a1.channels.c1.type = ).*|\1fiel|@did you mean file?'
    's|^(a1.channels.c1.capacity = ).*|\1-3|@-3 is out of range'
    's|^(a1.channels.c1.dataDirs = ).*|\1/proc/none/data|@dataDirs: directory /proc/none/data'
    's|^(a1.channels.c1.checkpointDir = ).*|\1~/checkpoint|@only a shell replaces ~'
    's|^(a1.sinks.roll.sink.directory = ).*|\1/nonexistent/out|@directory /nonexistent/out: No such file'
    's|^(a1.sinks.roll.sink.rollInterval = ).*|\1soon|@"soon" is not'
    's|^a1.sinks.kafka.kafka.bootstrap.servers = .*||@kafka.bootstrap.servers: is required and missing'
    's|^(a1.sinks.kafka.kafka.topic = ).*|\1a b|@"a b" is not a topic name'
    's|^(a1.sinks.kafka.)channel = |\1chanel = |@sink kafka has no channel'
    '$a a1.penstock.workers = x@"x" is not a whole number'
)
cat >"$work/good.properties" <<END
a1.sources = spool net tail
a1.channels = c1
a1.sinks = roll kafka
a1.sources.spool.type = spooldir
a1.sources.spool.spoolDir = $work
a1.sources.spool.batchSize = 100
a1.sources.spool.channels = c1
a1.sources.net.type = netcat
a1.sources.net.bind = 127.0.0.1
a1.sources.net.port = 5140
a1.sources.net.channels = c1
a1.sources.tail.type = taildir
a1.sources.tail.filegroups = f
a1.sources.tail.filegroups.f = $work/.*log
a1.sources.tail.positionFile = $work/positions
a1.sources.tail.penstock.deadletter = $work/dead
a1.sources.tail.channels = c1
a1.channels.c1.type = file
a1.channels.c1.capacity = 10000
a1.channels.c1.checkpointDir = $work/checkpoint
a1.channels.c1.dataDirs = $work/data
a1.channels.c1.minimumRequiredSpace = 1048576
a1.sinks.roll.type = file_roll
a1.sinks.roll.sink.directory = $work
a1.sinks.roll.sink.rollInterval = 30
a1.sinks.roll.channel = c1
a1.sinks.kafka.type = kafka
a1.sinks.kafka.kafka.bootstrap.servers = 127.0.0.1:9092
a1.sinks.kafka.kafka.topic = t
a1.sinks.kafka.channel = c1
END
check() { # INDEX...: checks a file with these mistakes
    local script='' i
    for i; do script+="${mistakes[i]%@*}"$'\n'; done
    sed -E -e "$script" "$work/good.properties" >"$work/agent.properties"
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/out" 2>&1
    code=$?
}
says() { # INDEX...: there is a line for each of these mistakes
    local i
    for i; do grep -qF -- "${mistakes[i]#*@}" "$work/out" || fail "nothing about ${mistakes[i]%@*}"; done
}
check
grep -qF 'a1: fine' "$work/out" || fail "exit $code for the file without mistakes"
all=("${!mistakes[@]}")
check "${all[@]}"
says "${all[@]}"
for without in "${all[@]}"; do
    others=()
    for i in "${all[@]}"; do ((i == without)) || others+=("$i"); done
    check "${others[@]}"
    says "${others[@]}"
    check "$without"
    says "$without"
done
exit "$failed"
