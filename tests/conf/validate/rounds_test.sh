#!/usr/bin/env bash
# Sinks whose events come back to them, as `penstock check` names them; and flows that only look alike.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
file="$work/agent.properties"
mkdir "$work/spool" "$work/other"

# r1 -> c1 -> k1, with the lines of standard input; `key=value` lines are those of a1
agent() {
    cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.channels.c1.type = memory
a1.sources.r1.channels = c1
a1.sinks.k1.channel = c1
END
    sed "s|^|a1.|; s|DIR|$work|g"
}
ends() { # KIND BIND SOURCE_PORT HOST SINK_PORT
    printf '%s\n' "sources.r1.type = $1" "sources.r1.bind = $2" "sources.r1.port = $3" "sinks.k1.type = $1"
    if [[ $1 == http ]]; then
        printf "%s\n" "sources.r1.handler = BLOB" "sinks.k1.endpoint = http://$4${5:+:$5}/x" "sinks.k1.rollback.2XX = false"
    else
        printf '%s\n' "sinks.k1.hostname = $4" "sinks.k1.port = $5"
    fi
}
check() { "$PENSTOCK" check -n a1 -f "$file" "$@" >"$work/out" 2>&1; }
warns() { # WHAT KEY [SOURCE]
    check || fail "$1: not exit 0"
    local does="sends to" cure="send to"
    [[ $2 != k1.sink.directory ]] || { does="writes into the directory of" cure="write into"; }
    grep -qF "a1.sinks.$2: $does source ${3:-r1} of this agent, whose events come to this sink again: they go round for ever; $cure another place, or give source ${3:-r1} another channel" "$work/out" ||
        fail "$1: not named"
    ! check --strict || fail "$1: --strict"
}
is_well() { # WHAT
    check --strict || fail "$1: not well"
    ! grep -q 'go round' "$work/out" || fail "$1: a warning"
}

while read -r words; do
    # shellcheck disable=SC2086
    ends $words | agent >"$file"
    key=port
    [[ $words != http* ]] || key=endpoint
    warns "$words" "k1.$key"
done <<'END'
avro 127.0.0.1 4141 127.0.0.1 4141
avro 0.0.0.0 4141 localhost 4141
avro localhost 4141 127.0.0.1 4141
avro Collector.example 4141 collector.example 4141
avro [::1] 4141 ::1 4141
avro :: 4141 127.0.0.2 4141
avro 0:0:0:0:0:0:0:1 4141 [::1] 4141
thrift 0.0.0.0 4141 127.0.0.1 4141
http ::1 8081 [::1] 8081
http 0.0.0.0 8081 localhost 8081
http 127.0.0.1 8081 127.0.0.1 8081
END

while read -r words; do
    # shellcheck disable=SC2086
    ends $words | agent >"$file"
    is_well "$words"
done <<'END'
avro 127.0.0.1 4141 127.0.0.1 4142
avro 127.0.0.1 4141 127.0.0.2 4141
avro ::1 4141 localhost 4141
avro 0.0.0.0 4141 collector.example 4141
avro collector.example 4141 other.example 4141
http 0.0.0.0 8081 localhost
http 0.0.0.0 8081 other.example 8081
END

# Another protocol, an interceptor that drops events, and a flow that does not lead back.
{ ends avro 127.0.0.1 4141 127.0.0.1 4141; echo 'sinks.k1.type = thrift'; } | grep -v 'k1.type = avro' | agent >"$file"
is_well "an avro source and a thrift sink"
{
    ends avro 127.0.0.1 4141 127.0.0.1 4141
    printf '%s\n' 'sources.r1.interceptors = i' 'sources.r1.interceptors.i.type = timestamp'
} | agent >"$file"
warns "timestamp" k1.port
sed -i 's/i.type = timestamp/i.type = regex_filter/; $a a1.sources.r1.interceptors.i.regex = x' "$file"
is_well "regex_filter"
two() { # CHANNEL_OF_R2 PORT_OF_K2: r1 (4141) -> k1 -> r2 (4142) -> k2
    sed -e 's/^a1.sources = .*/& r2/; s/^a1.channels = .*/& c2/; s/^a1.sinks = .*/& k2/' <(ends avro 127.0.0.1 4141 127.0.0.1 4142 | agent)
    cat <<END
a1.channels.c2.type = memory
a1.sources.r2.type = avro
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = 4142
a1.sources.r2.channels = $1
a1.sinks.k2.type = avro
a1.sinks.k2.hostname = 127.0.0.1
a1.sinks.k2.port = $2
a1.sinks.k2.channel = c2
END
}
two c2 4143 >"$file"
is_well "a chain of two"
two c2 4141 >"$file"
warns "a round of two" k1.port r2
warns "a round of two" k2.port r1

# k1 meets two sources of one port, and only r3 leads back.
two c2 4143 | sed 's/k1.port = .*/k1.port = 4141/; s/r1.channels = .*/r1.channels = c2/; s/^a1.sources = .*/& r3/' >"$file"
sed 's/r1/r3/g; /^a1.sources.r3/!d; s/channels = .*/channels = c1/' "$file" >"$work/r3"
cat "$work/r3" >>"$file"
check || [[ $? == 3 ]] || fail "two sources of one port"
grep -q 'a1.sinks.k1.port: sends to source r3 of this agent' "$work/out" || fail "the source that leads back"

# Sources that do not take everything
ends avro 127.0.0.1 4141 127.0.0.1 4141 | agent >"$file"
printf '%s\n' 'a1.sources.r1.ipFilter = true' 'a1.sources.r1.ipFilterRules = deny:ip:127.*' >>"$file"
is_well "ipFilter"
sed -i 's/ipFilter = true/ipFilter = false/' "$file"
warns "ipFilter = false" k1.port
ends http 127.0.0.1 8081 127.0.0.1 8081 | agent >"$file"
sed -i '/handler/d' "$file"
is_well "the JSONHandler"
echo 'a1.sources.r1.handler = org.apache.flume.source.http.BLOBHandler' >>"$file"
warns "a BLOBHandler" k1.endpoint
echo 'a1.sources.r1.handler.mandatoryParameters = name' >>"$file"
is_well "a BLOBHandler that requires a parameter"

# A second sink on the channel, at the start and on the way; a group
more() { # ends of a sink k3: CHANNEL
    sed -i 's/^a1.sinks = .*/& k3/' "$file"
    printf '%s\n' 'a1.sinks.k3.type = null' "a1.sinks.k3.channel = $1" >>"$file"
}
ends avro 127.0.0.1 4141 127.0.0.1 4141 | agent >"$file"
more c1
is_well "a second sink on the channel"
two c2 4141 >"$file"
more c2
is_well "a second sink on a channel of the way"
group() { # SINKS TYPE
    printf '%s\n' 'a1.sinkgroups = g' "a1.sinkgroups.g.sinks = $1" "a1.sinkgroups.g.processor.type = $2" >>"$file"
}
two c1 4143 | sed '/r1.channels = /s/$/ c2/; s/k1.port = .*/k1.port = 4141/' >"$file"
warns "a source with two channels" k1.port
group "k1 k2" failover
check || fail "a failover group: not exit 0"
! grep -q 'go round' "$work/out" || fail "a failover group: a warning"
ends avro 127.0.0.1 4141 127.0.0.1 4141 | agent >"$file"
group k1 default
warns "a group of one" k1.port

# Files
printf '%s\n' 'sources.r1.type = spooldir' 'sources.r1.spoolDir = DIR/spool' 'sinks.k1.type = file_roll' 'sinks.k1.sink.directory = DIR/spool/' |
    agent >"$file"
warns "file_roll" k1.sink.directory
for key in includePattern ignorePattern; do
    printf '%s\n' "a1.sources.r1.$key = .*[.]log" >"$work/pattern"
    cp "$file" "$work/whole"
    cat "$work/pattern" >>"$file"
    is_well "$key"
    mv "$work/whole" "$file"
done
sed -i 's|directory = .*|directory = '"$work/other|" "$file"
is_well "file_roll into another directory"
exit $failed
