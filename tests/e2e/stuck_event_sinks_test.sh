#!/usr/bin/env bash
# An event that no sink can deliver, before two sinks of one channel and without dead letters: the sinks do not try only this one.
# hdfs: its directory is a file, and the files of other directories stay open. (http: tests/scenarios/stuck_event.scn)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
sinks() { # LINE...: of both sinks
    local sink line
    for sink in k1 k2; do
        echo "a1.sinks.$sink.channel = c1"
        for line; do echo "a1.sinks.$sink.$line"; done
    done
}
put() { # FROM TO
    [[ $(send_numbers "$1" "$2" | sort | uniq -c | xargs) == "$(($2 - $1 + 1)) OK" ]] || fail "not all of $1..$2 were acknowledged"
}
are_there() { # COUNT
    [[ $(delivered_numbers | uniq | wc -l) == "$1" ]]
}

mkdir -p "$work/out"
: >"$work/out/9" # where the directory of the event 9 should be
numbers_agent "a1.sources.r1.interceptors = i1" \
    "a1.sources.r1.interceptors.i1.type = regex_extractor" "a1.sources.r1.interceptors.i1.regex = ^(\\\\d)" \
    "a1.sources.r1.interceptors.i1.serializers = s1" "a1.sources.r1.interceptors.i1.serializers.s1.name = kind" \
    "a1.channels.c1.type = file" "a1.channels.c1.checkpointDir = $work/state" "a1.channels.c1.dataDirs = $work/data" \
    "a1.channels.c1.minimumRequiredSpace = 1048576" "penstock.drain.timeout = 1s"
sed -i -e '/^a1\.sinks\.k1\./d' -e 's/^a1\.sinks = .*/a1.sinks = k1 k2/' "$work/agent.properties"
sinks "type = hdfs" "hdfs.path = file://$work/out/%{kind}" "hdfs.fileType = DataStream" "hdfs.rollInterval = 0" \
    "hdfs.rollSize = 0" "hdfs.rollCount = 500" "penstock.retry.backoff = 50" "penstock.retry.backoff.max = 100" >>"$work/agent.properties"
start_agent
put 9 9
await "the trouble is said" grep -q 'k[12]: cannot' "$work/agent.err"
for ((first = 1000; first < 2500; first += 100)); do put "$first" $((first + 99)); done
await "all but one event are delivered" are_there 1500
rm "$work/out/9"
await "the event is delivered" test -d "$work/out/9"
stop_agent TERM
delivered_numbers | uniq | diff - <(echo 9; seq 1000 2499) >"$work/diff.err" || fail "not each of the numbers"
