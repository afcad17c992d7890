#!/usr/bin/env bash
# Values and names that `penstock check` must not call fine, because Flume reads them in another way than they are meant: paths for a shell, URLs for
# paths, names with a dot, keys of two agents in one file, files that are no plain text, commands for a shell. And the same that are fine.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck disable=SC2016,SC2088,SC2317 # values that a shell must not change
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unset FLUME_HOME HADOOP_CONF_DIR
export HOME=$work/home
mkdir -p "$HOME" "$work/there" "$work/not there" "$work/all" "$work/with * and {x}"
count=0

agent() { # LINES...: an agent in which each line replaces the one of its key
    local line kept old lines=('a1.sources = r1' 'a1.channels = c1' 'a1.sinks = k1' 'a1.sources.r1.type = seq' 'a1.sources.r1.channels = c1'
        'a1.channels.c1.type = memory' 'a1.sinks.k1.type = null' 'a1.sinks.k1.channel = c1')
    for line in "$@"; do
        kept=()
        for old in "${lines[@]}"; do [[ $old == "a1.${line%% =*} ="* ]] || kept+=("$old"); done
        lines=("${kept[@]}" "a1.$line")
    done
    printf '%s\n' "${lines[@]}"
}
check() { # CODE [OPTION...]: of the file
    local code=0
    "$PENSTOCK" check -f "$work/agent.properties" "${@:2}" >"$work/out" 2>&1 || code=$?
    [[ $code == "$1" ]] || fail "exit $code, not $1, for $(cat "$work/agent.properties")"
}
says() { grep -qF -- "$1" "$work/out" || fail "not said: $1"; }
doubted() { # CODE TEXT LINES...: check exits with CODE and says TEXT, with --probe too
    agent "${@:3}" >"$work/agent.properties"
    check "$1" -n a1
    says "$2"
    ! grep -q '^a1: fine' "$work/out" || fail 'check says fine'
    cp "$work/agent.properties" "$work/all/$((++count)).properties"
}
fine() { # LINES...
    agent "$@" >"$work/agent.properties"
    check 0 -n a1
    ! grep -q ': warning: ' "$work/out" || fail 'a warning of what is fine'
}
spool() { doubted 3 "$1" 'sources.r1.type = spooldir' "sources.r1.spoolDir = $2"; }
files() { doubted 3 "$1" 'sources.r1.type = taildir' "sources.r1.positionFile = $work/p.json" 'sources.r1.filegroups = f' "sources.r1.filegroups.f = $2"; }
good_files() { fine 'sources.r1.type = taildir' "sources.r1.positionFile = $work/p.json" 'sources.r1.filegroups = f' "sources.r1.filegroups.f = $1"; }
roll() { doubted 3 "$1" 'sinks.k1.type = file_roll' "sinks.k1.sink.directory = $2"; }
disk() { doubted 3 "$1" 'channels.c1.type = file' "channels.c1.checkpointDir = $2" "channels.c1.dataDirs = $3"; }
hdfs() { doubted "$1" "$2" 'sinks.k1.type = hdfs' "sinks.k1.hdfs.path = $3"; }
runs() { doubted 0 "$1" 'sources.r1.type = exec' "sources.r1.command = $2"; }

# ---- character sets ----
agent 'sources.r1.type = spooldir' "sources.r1.spoolDir = $work/there" 'sources.r1.inputCharset = IBM037' >"$work/agent.properties"
check 1 -n a1
says 'line ends'

# ---- paths ----
for directory in spool roll; do
    $directory "write $HOME/in" '~/in'
    $directory "write $work/there" "file://$work/there"
    $directory 'write ${env:HOME}' '$HOME/in'
    $directory '* stands for itself' "$work/*"
    $directory '[ stands for itself' "$work/[a-z]x"
    $directory 'looks like two' "$work/there $HOME"
    $directory 'looks like two' "$work/there,$HOME"
    $directory 'the quotes are part of the value' "\"$work/there\""
    $directory 'not a URL' 'hdfs://namenode/in'
done
files "write $HOME/a.log" '~/a.log'
files 'write /var/log/a.log' 'file:///var/log/a.log'
files '* stands for itself' "/$work/*/a.log"
files '{ stands for itself' "$work/{a,b}/x.log"
files '\ stands for itself' "$work/app\\\\d+/x.log"
files 'looks like two' "$work/a.log $work/b.log"
files 'looks like two' "$work/a.log,$work/b.log"
doubted 3 "write $HOME/p.json" 'sources.r1.type = taildir' 'sources.r1.positionFile = ~/p.json' 'sources.r1.filegroups = f' "sources.r1.filegroups.f = $work/a.log"
disk "write $HOME/c" '~/c' "$work/d"
disk "write $HOME/d" "$work/c" '~/d'
disk "write $work/d instead of file://$work/d" "$work/c" "file://$work/d,$work/e"
disk "write $work/d1,$work/d2" "$work/c" "$work/d1 $work/d2"
disk 'looks like two' "$work/c,$work/c2" "$work/d"
disk '* stands for itself' "$work/c" "$work/d*"
doubted 3 "write $HOME/dead" 'sinks.k1.penstock.deadletter = ~/dead'
disk "write $work/d1,$work/d2" "$work/c" "$work/d1;$work/d2"
disk "write $work/d1,$work/d2,$work/d3" "$work/c" "$work/d1:$work/d2: $work/d3"
disk "write $work/d1,$work/d2 instead of $work/d1;$work/d2" "$work/c" "$work/d1;$work/d2,$work/d3"
disk "write $work/d1,$work/d2" "$work/c" "$work/{d1,d2}"
disk "write $work/d1/x,$work/d2/x instead of $work/{d1,d2}/x" "$work/c" "$work/d0, $work/{d1,d2}/x"
hdfs 1 'write the value without quotes' '"hdfs://namenode:8020/x"'
hdfs 3 'only a shell replaces ~' '~/x'
hdfs 3 '* stands for itself' 'hdfs://namenode:8020/*/x'
hdfs 3 'write hdfs://namenode/x' 'hdfs//namenode/x'
hdfs 1 'looks like two URLs' 'hdfs://namenode/a,hdfs://namenode/b'
for scheme in s3a s3n obs maprfs gs cosn newfs; do hdfs 1 'set penstock.engine = java' "$scheme://x/y"; done
# A path that is there is not doubted, whatever its name; nor are expressions and escapes where they belong.
fine 'sources.r1.type = spooldir' "sources.r1.spoolDir = $work/with * and {x}"
good_files "$work/with * and {x}/a.log"
good_files "$work/.*[.]log"
good_files "$work/x.{1,3}[.]log"
good_files "$work/not there/a.log"
fine 'channels.c1.type = file' "channels.c1.checkpointDir = $work/c" "channels.c1.dataDirs = $work/d1, $work/d2"
fine 'sinks.k1.type = hdfs' 'sinks.k1.hdfs.path = hdfs://namenode.example:8020/%{host}/%[localhost]/x'

# ---- hosts ----
listens() { doubted 1 "$1" 'sources.r1.type = netcat' "sources.r1.bind = $2" 'sources.r1.port = 0'; }
sends() { doubted 1 "$1" 'sinks.k1.type = avro' "sinks.k1.hostname = $2" 'sinks.k1.port = 7000'; }
for end in listens sends; do
    $end 'not a URL; write 127.0.0.1' 'http://127.0.0.1'
    $end 'not a URL; write h' 'http://h:7000/x'
    $end 'the port has a key of its own; write 127.0.0.1' '127.0.0.1:44444'
    $end 'the port has a key of its own; write [::1]' '[::1]:44444'
    $end 'write h' 'h/'
    for value in 300.1.1.1 1.2.3.4.5 1.2.3.256; do $end "$value: this is no address: it has four numbers from 0 to 255" "$value"; done
    for value in 'a b' a,b 'a; b'; do $end 'cannot have blanks, commas or semicolons' "$value"; done
    for value in '*' a..b :44444 ::g '[::1' '%h' '$HOST'; do $end "$value: this cannot be a host" "$value"; done
    $end 'the quotes are part of the value; write the value without quotes' '"127.0.0.1"'
done
listens 'write 0.0.0.0' '*'
for line in 'syslogtcp|host|port = 0' 'syslogudp|host|port = 0' 'multiport_syslogtcp|host|ports = 5140' 'http|bind|port = 0' 'avro|bind|port = 0' \
    'thrift|bind|port = 0' 'netcatudp|bind|port = 0'; do
    IFS='|' read -r type key port <<<"$line"
    doubted 1 'the port has a key of its own; write 127.0.0.1' "sources.r1.type = $type" "sources.r1.$key = 127.0.0.1:1" "sources.r1.$port"
done
doubted 1 'not a URL; write h' 'sinks.k1.type = irc' 'sinks.k1.hostname = irc://h' 'sinks.k1.nick = n' 'sinks.k1.chan = c'
doubted 1 'not a URL; write h' 'sinks.k1.type = thrift' 'sinks.k1.hostname = thrift://h:1' 'sinks.k1.port = 1'
for value in 0.0.0.0 127.1 :: ::1 '[::1]' localhost localhost. my_host.example-1.com; do
    fine 'sources.r1.type = netcat' "sources.r1.bind = $value" 'sources.r1.port = 0'
    fine 'sinks.k1.type = avro' "sinks.k1.hostname = $value" 'sinks.k1.port = 7000'
done

# ---- a backslash that takes the next line into the value: one line, and no cure that the file has already ----
for lines in 'sources.r1.type = netcat|sources.r1.bind = 127.0.0.1\\|sources.r1.port = 0' 'sources.r1.channels = c1|sources.r1.type = seq\|sources.r1.totalEvents = 1'; do
    IFS='|' read -ra lines <<<"${lines//\\\\/\\}"
    agent "${lines[@]}" >"$work/agent.properties"
    check 1 -n a1
    says 'this line is part of its value, and sets no key; remove the backslash at the end of line'
    [[ $(grep -c 'dropped: ' "$work/out") == 1 ]] || fail 'more than one line about the backslash'
done

# ---- quotes and blanks of a word processor, as they are and as escapes ----
odd() { # TEXT BEFORE AFTER: around the address
    local before after
    for escaped in '' 1; do
        before=$2 after=$3
        [[ -z $escaped ]] || { before=$(escape "$2") after=$(escape "$3"); }
        doubted 1 "a1.sources.r1.bind: the $1 is part of the value, in which nothing removes it; write 127.0.0.1" 'sources.r1.type = netcat' \
            "sources.r1.bind = ${before}127.0.0.1$after" 'sources.r1.port = 0'
        [[ $(grep -c 'r1.bind: ' "$work/out") == 1 ]] || fail 'more than one line about the value'
        doubted 1 "a1.sources.r1.type: the $1 is part of the value, in which nothing removes it; write seq" "sources.r1.type = ${before}seq$after"
        doubted 0 "the $1 is part of the value, in which nothing removes it; write x" "sources.r1.userName = ${before}x$after"
    done
}
escape() { printf %s "$1" | iconv -f UTF-8 -t UTF-16BE | od -An -v -tx2 --endian=big | sed 's/ / \\u/g' | tr -d ' \n'; }
odd 'typographic quote U+201C' '“' '”'
odd 'typographic quote U+00AB' « »
odd 'typographic quote U+2019' '' "’"
odd 'blank U+3000' '' $'\u3000'
odd 'blank U+2009' $'\u2009' ''
odd 'invisible character U+200B' '' $'\u200b'
agent | sed $'s/^a1.sources.r1.type /&\u3000/' >"$work/agent.properties"
check 1 -n a1
says 'a1.sources.r1.type: the blank U+3000 is part of the value, in which nothing removes it; write seq'
agent | sed $'s/^a1.sources.r1.type /a1.sources.r1.type\u3000/' >"$work/agent.properties"
check 1 -n a1
says 'has the blank U+3000'
says 'replace it by an ordinary blank'
fine 'sources.r1.interceptors = i' 'sources.r1.interceptors.i.type = search_replace' 'sources.r1.interceptors.i.searchPattern = \u201cx\u201d' \
    'sources.r1.interceptors.i.replaceString = y'

# ---- backslashes for slashes ----
hdfs 3 'a backslash is not a slash: directories have / between them; write hdfs://nn/x' 'hdfs:\\\\nn\\x'
hdfs 3 'write hdfs://nn/x' 'hdfs:\\nn\\x'
hdfs 0 'write \\x' 'hdfs:\\nn\x'
roll 'write /var/log/x' '\\var\\log\\x'
spool 'name a directory of this machine' 'C:\\logs'

# ---- Java classes of a Kafka client: what changes records refuses the component, unless the file allows it ----
sink=('sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink' 'sinks.k1.kafka.bootstrap.servers = 127.0.0.1:1' 'sinks.k1.kafka.topic = t')
for key in partitioner.class value.serializer key.serializer interceptor.classes; do
    doubted 1 "a1.sinks.k1.kafka.producer.$key: com.example.C: " "${sink[@]}" "sinks.k1.kafka.producer.$key = com.example.C"
    says 'no sink is left'
    agent 'penstock.allow.unsupported = true' "${sink[@]}" "sinks.k1.kafka.producer.$key = com.example.C" >"$work/agent.properties"
    check 0 -n a1
    says "warning: a1.sinks.k1.kafka.producer.$key: com.example.C"
    says 'sink k1: kafka'
done
source=('sources.r1.type = org.apache.flume.source.kafka.KafkaSource' 'sources.r1.kafka.bootstrap.servers = 127.0.0.1:1' 'sources.r1.kafka.topics = t')
for key in value.deserializer key.deserializer interceptor.classes; do
    doubted 1 "a1.sources.r1.kafka.consumer.$key: com.example.C: " "${source[@]}" "sources.r1.kafka.consumer.$key = com.example.C"
    says 'without any of its sources'
done
fine "${sink[@]}" 'sinks.k1.kafka.producer.metric.reporters = com.example.M' \
    'sinks.k1.kafka.producer.value.serializer = org.apache.kafka.common.serialization.ByteArraySerializer'

# ---- lists ----
doubted 1 'filegroups: lists are separated by blanks, not commas; write f1 f2' 'sources.r1.type = taildir' "sources.r1.positionFile = $work/p.json" \
    'sources.r1.filegroups = f1, f2' 'sources.r1.filegroups.f1 = /var/log/*.log' "sources.r1.filegroups.f2 = $work/x[.]log"
says '/var/log/.*[.]log'
doubted 1 'write f1 f2, and set filegroups.NAME for each of them' 'sources.r1.type = taildir' "sources.r1.positionFile = $work/p.json" \
    'sources.r1.filegroups = f1,f2' "sources.r1.filegroups.f2 = $work/x[.]log"
fine 'sources.r1.type = taildir' "sources.r1.positionFile = $work/p.json" 'sources.r1.filegroups = a,b' "sources.r1.filegroups.a,b = $work/x[.]log"
for section in sources sinks; do
    agent | sed "s/^a1.$section = /a1.${section%s} = /" >"$work/agent.properties"
    check 1 -n a1
    says "did you mean a1.$section?"
done

# ---- commands ----
runs 'the | is part of an argument of tail; add the line a1.sources.r1.shell = /bin/sh -c' 'tail -F /x | grep y'
runs 'the " is part' 'grep "a b" /x'
runs "the ' is part" "grep 'a b' /x"
runs 'the > is part' 'cat /x > /y'
runs 'the 2>&1 is part' 'cat /x 2>&1'
runs 'the && is part' 'sort /x && cat y'
runs 'the ; is part' 'sort /x; cat y'
runs 'the * is part' 'cat /var/log/*.log'
runs 'the ~ is part' 'cat ~/a.log'
runs 'the $ is part' 'cat $HOME/a.log'
fine 'sources.r1.type = exec' 'sources.r1.shell = /bin/sh -c' 'sources.r1.command = cat $HOME/*.log | grep "a b"'
fine 'sources.r1.type = exec' 'sources.r1.command = awk -F; {print} /x'

# ---- names with a dot ----
dotted() { # TEXT SED: the file of an agent, changed
    agent | sed "$2" >"$work/agent.properties"
    check 1 -n "${3:-a1}"
    says "$1"
    ! grep -qE 'add a1|did you mean' "$work/out" || fail 'a cure that the file has already'
    cp "$work/agent.properties" "$work/all/$((++count)).properties"
}
dotted 'a1.sources.web.log.type (line 4) is read as a key of web; write web_log instead of web.log in each line' 's/r1/web.log/g'
dotted 'a1.channels.c.1.type (line 6) is read as a key of c; write c_1 instead of c.1' 's/c1/c.1/g'
dotted 'a1.sinks.k.1.b.type (line 7) is read as a key of k; write k_1_b instead of k.1.b' 's/k1/k.1.b/g'
dotted 'the name of an agent has no dot' 's/a1/my.agent/' my.agent
says 'write my_agent in each line, and -n my_agent'
check 2
says 'write my_agent in each line'

# ---- two agents in one file ----
dotted 'line 4 has a key of it under the name of another agent: write a1.sources.r1 instead of agent.sources.r1' '4,$s/^a1/agent/'
dotted 'line 6 has a key of it under the name of another agent: write a1.channels.c1 instead of agent.channels.c1' '6s/^a1/agent/'
dotted 'line 3 has the list under the name of another agent: write a1.sinks instead of agent.sinks' '3s/^a1/agent/'
agent | sed '2s/^a1/agent/' >"$work/agent.properties"
check 1 -n a1
says 'line 2 has the list under the name of another agent: write a1.channels instead of agent.channels'

# ---- files that are no plain text ----
mark=$(printf '\xef\xbb\xbf')
{ printf %s "$mark"; agent; } >"$work/agent.properties"
check 1 -n a1
says 'agent.properties:1: error: '
says 'its line would be lost; save the file without a byte order mark'
check 1 # the lines behind the mark name the agent
says 'save the file without a byte order mark'
{ printf '%s# a comment\n' "$mark"; agent; } >"$work/agent.properties"
check 0 -n a1
says 'save the file without a byte order mark'
{ printf '\n<!DOCTYPE HTML>\n<html lang="en">\n'; agent; } >"$work/agent.properties"
check 1 -n a1
says 'error: is a page for a browser, with no key of an agent'
from() { # OPTION URI CURE: there is no such thing, and what to write instead
    "$PENSTOCK" check -n a1 "$1" "$2" >"$work/out" 2>&1 && fail "$1 $2 is there"
    says "$3"
}
from -f ftp://host/a.properties 'ftp: is not read here: give the path of the file, or a URI with http:'
from -u s3a://host/a.properties 's3a: is not read here'
from -f http:/host/a.properties 'write -u http://host/a.properties'
from -u classpath:none.properties 'names a file of the directory that -c gives'
from -f none.properties 'relative to the directory where penstock started'
declare -A unpackers=([gzip]=gunzip [bzip2]=bunzip2 [xz]=unxz [zstd]=unzstd)
for packer in "${!unpackers[@]}"; do
    command -v "$packer" >/dev/null || continue
    agent | "$packer" -c >"$work/agent.properties"
    check 1 -n a1
    says "error: is compressed ($packer); give the plain file that ${unpackers[$packer]} makes of it"
    [[ $(grep -c : "$work/out") == 2 ]] || fail "more than one problem of a file of $packer"
done
for form in UTF-16 UTF-16LE UTF-16BE; do
    agent | iconv -f UTF-8 -t "$form" >"$work/agent.properties"
    check 1 -n a1
    says 'error: is UTF-16'
    [[ $(grep -c : "$work/out") == 2 ]] || fail "more than one problem of a file in $form"
    check 2
    says 'iconv -f UTF-16 -t ISO-8859-1'
done

# ---- lines of another agent, and what cannot be seen ----
for other in '' $'a2.sources = r9\na2.channels = c9\na2.sources.r9.type = seq\na2.sources.r9.channels = c9\na2.channels.c9.type = memory'; do
    { agent | sed 's/^a1.sources.r1.channels/a2.sources.r1.channels/' && echo "$other"; } >"$work/agent.properties"
    check 1 -n a1
    says 'a2.sources.r1.channels: the agent a2 lists no source r1, and a1 does, which lacks this key; if it is meant for a1, write a1.sources.r1.channels'
done
{ agent && printf '%s\n' 'a2.sources.r1.type = seq' 'a2.sinks.k1.channel = c1' 'a2.sources.r1.regex = x'; } >"$work/agent.properties"
check 0 -n a1
! grep -q warning "$work/out" || fail 'a warning about keys that the agent has itself'
agent | sed $'s/^a1.sinks.k1.type/\xc2\xa0&/' >"$work/agent.properties"
check 1 -n a1
says 'a1.sinks.k1.type: has a no-break space'
agent | sed $'s/^a1.sinks.k1/&\xe2\x80\x8b/' >"$work/agent.properties"
check 1 -n a1
says 'has the invisible character U+200B'

# ---- quotes around a path are one line ----
for line in 'sources.r1.type = spooldir|sources.r1.spoolDir = "/nowhere/in"' "sinks.k1.type = file_roll|sinks.k1.sink.directory = '/nowhere/out'" \
    'sinks.k1.type = hdfs|sinks.k1.hdfs.path = "hdfs://namenode/x"' 'sinks.k1.type = http|sinks.k1.endpoint = "http://host/"'; do
    agent "${line%|*}" "${line#*|}" >"$work/agent.properties"
    check "$([[ $line == *://* ]] && echo 1 || echo 3)" -n a1
    key=a1.${line#*|}
    [[ $(grep -c -- ": ${key%% =*}: " "$work/out") == 1 ]] || fail "not one line about ${key%% =*}"
    says 'the quotes are part of'
done
agent 'sources.r1.type = spooldir' 'sources.r1.spoolDir = ${HOME}/in' >"$work/agent.properties"
check 3 -n a1
says 'write ${env:HOME} for the environment variable'

# ---- command lines ----
wrong() { # TEXT ARGUMENTS...
    local code=0
    "$PENSTOCK" "${@:2}" >"$work/out" 2>&1 || code=$?
    [[ $code == 2 ]] || fail "exit $code, not 2, for ${*:2}"
    says "$1"
}
wrong 'what to read is missing: -n NAME -f FILE' check
wrong 'what to read is missing: -n NAME -f FILE' check --probe
for command in check agent; do
    wrong 'for a URI write -u http://host/a.properties' $command -n a1 -f http://host/a.properties
    wrong 'for a URI write -u https://***@host/a' $command -n a1 -f https://user@host/a
    wrong 'for a URI write -u file:///x' $command -n a1 -f file:///x
done

# ---- what a program can carry out of these cures, cures ----
if command -v python3 >/dev/null; then
    python3 "$here/cures.py" "$PENSTOCK" "$work"/all/*.properties >"$work/out" 2>&1 || fail 'cures that do not work'
fi
exit "$failed"
