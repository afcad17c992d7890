#!/usr/bin/env bash
# Values of headers that no sink kafka can use, and that the file itself gives to events: `penstock check` says where they come from, and its
# cure cures.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

agent() { # LINES..: an agent with a sink kafka, and these lines without "a1."; the last line with a key counts
    { usual; printf 'a1.%s\n' "$@"; } | tac | awk -F ' *= *' '!seen[$1]++' | tac >"$work/agent.properties"
}
usual() {
    cat <<END
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.channels = c1 c2
a1.sources.r1.type = seq
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = kafka
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:9092
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
END
}
chain=(sources.r1.interceptors=i1 sources.r1.interceptors.i1.type=static sources.r1.interceptors.i1.key=topic)
with() { agent "${chain[@]}" "$@"; }
check() { # CODE
    local code=0
    "$PENSTOCK" check --strict -n a1 -f "$work/agent.properties" >"$work/out" 2>&1 || code=$?
    [[ $code == "$1" ]] || fail "exit $code, not $1, for $(tail -n 4 "$work/agent.properties")"
}
doubts() { # TEXT: check warns of the last line with this text; the line with the value that it tells to write is fine
    local cure
    check 1
    grep -qF -- "$1" "$work/out" || fail "not said: $1"
    [[ $(grep -c 'takes the' "$work/out") == 1 ]] || fail 'not one warning'
    cure=$(sed -nE '/takes the/s/.*; write (.+)$/\1/p' "$work/out")
    if [[ $(tail -n 1 "$work/out") && -n $cure ]]; then sed -i -E "\$s|=.*|= $cure|" "$work/agent.properties"; else sed -i '$d' "$work/agent.properties"; fi
    check 0
}
fine() {
    check 0
    ! grep -q 'takes the' "$work/out" || fail 'a warning of what is right'
}

never='k1 takes the topic from the header "topic", and Kafka allows no topic'
for value in 'a b' a/b . .. 'a:b' "$(printf 'x%.0s' {1..250})"; do
    with "sources.r1.interceptors.i1.value = $value"
    doubts "a1.sources.r1.interceptors.i1.value: sink $never \"$value\": such events are never delivered"
done
with sinks.k1.penstock.deadletter=./dead 'sources.r1.interceptors.i1.value = a b'
doubts 'such events become dead letters'
for value in a a.b-c_D "$(printf 'x%.0s' {1..249})"; do
    with "sources.r1.interceptors.i1.value = $value"
    fine
done

# What decides whether the sink sees the value.
bad='sources.r1.interceptors.i1.value = a b'
with "$bad" sinks.k1.allowTopicOverride=false
fine
with "$bad" sinks.k1.topicHeader=other
fine
with "$bad" sources.r1.channels=c2
check 1 # a channel without a source, but no word about topics
! grep -q 'takes the' "$work/out" || fail 'the source does not reach the sink'
two=(sources.r1.interceptors=i1\ i2)
with "$bad" "${two[@]}" sources.r1.interceptors.i2.type=remove_header sources.r1.interceptors.i2.withName=topic
fine
with "$bad" "${two[@]}" sources.r1.interceptors.i2.type=static sources.r1.interceptors.i2.key=topic sources.r1.interceptors.i2.value=t \
    sources.r1.interceptors.i2.preserveExisting=false
fine
with "${two[@]}" sources.r1.interceptors.i2.type=search_replace sources.r1.interceptors.i2.searchPattern=a "$bad"
doubts "$never"
with sources.r1.selector.type=multiplexing sources.r1.selector.header=topic sources.r1.selector.mapping.t=c1 sources.r1.selector.default=c2 "$bad"
fine # such events go to c2
with sources.r1.selector.type=multiplexing sources.r1.selector.header=topic sources.r1.selector.mapping.t=c2 sources.r1.selector.default=c1 "$bad"
doubts "$never"

# Other ways into the header.
agent sources.r1.selector.type=multiplexing sources.r1.selector.header=topic sources.r1.selector.default=c2 \
    sources.r1.selector.mapping.t=c1 'sources.r1.selector.mapping.a\ b = c1'
doubts "a1.sources.r1.selector.mapping.a b: sink $never"
agent sources.r1.type=taildir sources.r1.filegroups=f "sources.r1.filegroups.f=$work/x.*" "sources.r1.positionFile=$work/p" \
    'sources.r1.headers.f.topic = a b'
doubts "a1.sources.r1.headers.f.topic: sink $never"
agent sources.r1.type=spooldir "sources.r1.spoolDir=$work" sources.r1.fileHeader=true sources.r1.fileHeaderKey=topic
doubts "a1.sources.r1.fileHeaderKey: sink $never"
agent sources.r1.interceptors=i1 sources.r1.interceptors.i1.type=uuid sources.r1.interceptors.i1.headerName=topic \
    'sources.r1.interceptors.i1.prefix = a/b'
doubts "a1.sources.r1.interceptors.i1.prefix: sink $never"

# The partition.
part=(sinks.k1.partitionIdHeader=p sources.r1.interceptors=i1 sources.r1.interceptors.i1.type=static sources.r1.interceptors.i1.key=p)
for value in x -1 3.0 99999999999; do
    agent "${part[@]}" "sources.r1.interceptors.i1.value = $value"
    doubts "k1 takes the partition from the header \"p\", and no partition has the number \"$value\""
done
agent "${part[@]}" sources.r1.interceptors.i1.value=3
fine
exit "$failed"
