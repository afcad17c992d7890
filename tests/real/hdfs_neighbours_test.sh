#!/usr/bin/env bash
# Needs: hdfs flume
# Three agents write files of the same prefix into one directory of HDFS at the same time: a real Flume and two of penstock, with
# penstock.orphans = recover. One of the latter is killed, and started again without an event: its file must be completed and renamed
# at once, and nobody else's touched. At the end each line is there once, and no file is in use.
#
#   hdfs_neighbours_test.sh [--flume]    Flume is killed, too: a minute later, when its lease has run out, a start takes its file
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
hdfs_share
folder=/neighbours.$$

agent() { # NAME PORT: its file
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = netcat
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $2
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.sinks.k1.type = hdfs
	a1.sinks.k1.channel = c1
	a1.sinks.k1.hdfs.path = $hdfs_url$folder/%Y
	a1.sinks.k1.hdfs.useLocalTimeStamp = true
	a1.sinks.k1.hdfs.fileType = DataStream
	a1.sinks.k1.hdfs.batchSize = 1
	a1.sinks.k1.hdfs.minBlockReplicas = 1
	a1.sinks.k1.hdfs.rollInterval = 0
	a1.sinks.k1.hdfs.rollSize = 0
	a1.sinks.k1.hdfs.rollCount = 20
	a1.sinks.k1.hdfs.callTimeout = 180000
	a1.sinks.k1.penstock.orphans = recover
	EOF_
}
ports=([1]=$((port + 41)) [2]=$((port + 42)) [3]=$((port + 43)))
agent one "${ports[1]}"
agent two "${ports[2]}"
agent flume "${ports[3]}"

say() { # AGENT FROM TO: lines with these numbers, which its source must take
    local i answer
    exec {line}<>"/dev/tcp/127.0.0.1/${ports[$1]}"
    for ((i = $2; i <= $3; i++)); do echo "$1-$i"; done >&"$line"
    for ((i = $2; i <= $3; i++)); do
        read -r -t 120 -u "$line" answer || answer=nothing
        [[ $answer == OK* ]] || fail "agent $1 does not take line $i: $answer"
    done
    exec {line}>&-
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/${ports[$1]}") 2>/dev/null; }
names() { # PATTERN: the files that match
    curl -sf "$webhdfs_url$folder/$(date +%Y)?op=LISTSTATUS&user.name=$(id -un)" | grep -oE '"pathSuffix":"[^"]*"' | cut -d '"' -f 4 | grep -E -- "$1"
}
lines() { # COUNT: so many lines can be read
    (($(for name in $(names .); do hdfs_read "$folder/$(date +%Y)/$name"; done | tee "$work/read" | wc -l) == $1))
}
in_use() { (($(names '\.tmp$' | wc -l) == $1)); }

step "a Flume and two agents write into one directory"
FLUME_HADOOP=1 FLUME_LOG=WARN "$PENSTOCK_SOURCE/tests/real/flume" agent -n a1 -f "$work/flume.properties" >"$work/flume.log" 2>&1 &
flume=$!
children[$flume]=flume
agent_start one
agent_start two
for one in 1 2 3; do await 60 listens $one || fail "source $one does not listen"; done
for one in 1 2 3; do say $one 1 50; done
await 60 lines 150 || fail "not all lines arrive: $(wc -l <"$work/read")"
await 60 in_use 3 || fail "not one file in use of each: $(names . | xargs)"

step "one is killed, and started again"
names '\.tmp$' | sort >"$work/before"
agent_kill two
agent_start two
await 60 in_use 2 || fail "its file stays in use: $(names . | xargs)"
step "its file is complete"
for one in 1 3; do say $one 51 60; done # which their open files take
names '\.tmp$' | sort >"$work/after"
(($(comm -12 "$work/before" "$work/after" | wc -l) == 2)) || fail "a neighbour's file was taken: $(names . | xargs)"
await 60 lines 170 || fail "not all lines arrive: $(wc -l <"$work/read")"
agent_stop one
if [[ ${1:-} == --flume ]]; then
    kill -KILL "$flume"
    agent_stop two
    agent_start two
    await 150 in_use 0 || fail "Flume's file stays in use: $(names . | xargs)"
    step "Flume's file is complete"
else
    kill -TERM "$flume"
    await 60 in_use 0 || fail "files are in use: $(names . | xargs)"
fi
wait "$flume" 2>/dev/null || true
unset "children[$flume]"
agent_stop two
await 60 lines 170 || fail "lines are missing: $(wc -l <"$work/read")"
sort "$work/read" | uniq -d >"$work/twice"
[[ ! -s $work/twice ]] || fail "lines are there twice: $(head -3 "$work/twice" | xargs)"
! grep -E ' (WARN|ERROR) .*(cannot|no longer exists)' "$work/one.log" "$work/two.log" || fail "agents stood in each other's way"
! grep -iE 'lease|exception' "$work/flume.log" || fail "Flume lost a file"
step "$(names . | wc -l) files"
curl -sf -X DELETE "$webhdfs_url$folder?op=DELETE&recursive=true&user.name=$(id -un)" >"$work/deleted" || fail "the files cannot be removed"
