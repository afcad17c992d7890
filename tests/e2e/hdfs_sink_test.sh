#!/usr/bin/env bash
# The sink hdfs on the local disk, in a whole agent: lines from netcat into files by header and by count, every event once; a reload
# and a stop leave no file under its name in use.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

port=$(free_port)
out=$work/out
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = regex_extractor
a1.sources.r1.interceptors.i1.regex = ^(\\\\w+)
a1.sources.r1.interceptors.i1.serializers = s1
a1.sources.r1.interceptors.i1.serializers.s1.name = kind
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.sinks.k1.type = hdfs
a1.sinks.k1.channel = c1
a1.sinks.k1.hdfs.path = file://$out/%{kind}
a1.sinks.k1.hdfs.fileType = DataStream
a1.sinks.k1.hdfs.filePrefix = events
a1.sinks.k1.hdfs.rollInterval = 0
a1.sinks.k1.hdfs.rollSize = 0
a1.sinks.k1.hdfs.rollCount = 100
END
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"

put() { # FIRST LAST: numbered lines of three kinds, each answered OK
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    local i ok
    for ((i = $1; i <= $2; i++)); do echo "k$((i % 3)) $i"; done >&3
    for ((i = $1; i <= $2; i++)); do
        read -r ok <&3 || fail "no answer"
        [[ $ok == OK ]] || fail "an answer $ok"
    done
    exec 3>&-
}
lines() { # KIND GLOB: of its files in their order
    find "$out/$1" -name "$2" | sort -t. -k2n | xargs -r cat
}
count() { # NUMBER: whether so many lines are in the files
    [[ $(find "$out" -type f -exec cat {} + | wc -l) == "$1" ]]
}

put 1 1000
await "1,000 lines are there" count 1000
for kind in 0 1 2; do
    await "files of 100 lines" bash -c "(( \$(find '$out/k$kind' -name 'events.*[0-9]' | wc -l) == 3 ))"
    while read -r file; do
        (($(wc -l <"$file") == 100)) || fail "$file does not have 100 lines"
    done < <(find "$out/k$kind" -name 'events.*[0-9]')
    [[ $(find "$out/k$kind" -name 'events.*.tmp' | wc -l) == 1 ]] || fail "not one file in use in k$kind"
done

# A reload that changes the sink closes its files.
sed -i 's/filePrefix = events/filePrefix = more/' "$work/agent.properties"
kill -HUP "$agent"
await "the reload" grep -q "agent: reloaded; " "$work/agent.err" # a stop before that would give it up
in_use() { find "$out" -name 'events.*.tmp'; }
closed() { [[ -z $(in_use) ]]; }
await "the files of before are renamed" closed
put 1001 1300
await "1,300 lines are there" count 1300

kill "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
((code == 0)) || fail "exit status $code"
[[ -z $(find "$out" -name '*.tmp') ]] || fail "a file keeps its name in use"
for kind in 0 1 2; do
    { lines k$kind 'events.*'; lines k$kind 'more.*'; } >"$work/got"
    for ((i = kind == 0 ? 3 : kind; i <= 1300; i += 3)); do echo "k$kind $i"; done >"$work/expected"
    cmp "$work/expected" "$work/got" || fail "the lines of k$kind differ"
done
