#!/usr/bin/env bash
# The source taildir of a running agent beside files that real programs compress in its group: their bytes are no lines, the log names
# none of them twice (ten lines in ten seconds at most), also through a SIGKILL, and each line that is written before a log is removed comes once.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$work/logs
mkdir -p "$logs" "$work/out"
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $logs/app.*
a1.sources.r1.positionFile = $work/state/positions.json
a1.sources.r1.writePosInterval = 50
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END

start() {
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
has_line() { grep -qhs "^$1\$" "$work"/out/*; }
say() { # NUMBER: a line of the log, which the agent has then delivered
    echo "line $1 of the log" >>"$logs/app.log"
    await "line $1" has_line "line $1 of the log"
}

: >"$work/agent.err"
start
number=0
tools=()
for tool in gzip zstd pzstd xz bzip2 lz4 lzop lzip lzma compress; do
    command -v $tool >/dev/null || continue
    tools+=("$tool")
    say $((number += 1)) # the log, rotated as logrotate does it without delaycompress
    mv "$logs/app.log" "$logs/app.log.$number"
    $tool <"$logs/app.log.$number" >"$logs/app.log.$number.$tool"
    for ((i = 0; i < 3000; i++)); do # its writer has not opened the new log yet
        echo "line $((number += 1)) of the log"
    done >>"$logs/app.log.$((number - 3000))"
    rm "$logs/app.log.$((number - 3000))"
    echo "nobody has seen this, $tool" | $tool >"$work/unseen"
    mv "$work/unseen" "$logs/app.unseen.$tool"
    await "the position file has it" grep -qs "app.unseen.$tool" "$work/state/positions.json"
done
say $((number += 1))
kill -KILL "$agent"
wait "$agent" 2>/dev/null || true
start
say $((number += 1))
stop_agent TERM 0

twice=$(grep -o '[^ ]* is compressed' "$work/agent.err" | sort | uniq -d)
[[ ! $twice ]] || fail "named more than once: $twice"
grep -q "app.unseen.gzip .*spooldir" "$work/agent.err" || fail "no cure is named"
seq -f 'line %.0f of the log' $number | sort >"$work/expected"
sort "$work"/out/* | uniq | cmp - "$work/expected" || fail "lines are lost, or bytes of compressed files became events"
echo "OK: ${tools[*]}"
