#!/usr/bin/env bash
# The source taildir with penstock.decompress = auto beside a log that is rotated and compressed by real programs, while the agent runs,
# while it is stopped, and after a SIGKILL: every line comes once, as the programs print it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$work/logs
lines=3000
mkdir -p "$logs" "$work/out"
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $logs/app.*
a1.sources.r1.positionFile = $work/state/positions.json
a1.sources.r1.penstock.decompress = auto
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
crash() {
    kill -KILL "$agent"
    wait "$agent" 2>/dev/null || true
    unset "children[$agent]"
}
number=0
make_lines() { # COUNT: of the next lines, into $work/lines
    seq -f "line %.0f of the log, with some text that makes it longer" $((number + 1)) $((number + $1)) >"$work/lines"
    number=$((number + $1))
}
write_lines() { # COUNT: to the log
    make_lines "$1"
    cat "$work/lines" >>"$logs/app.log"
}
has_all() { (($(cat "$work"/out/* | wc -l) >= number)); }
position_is() { grep -qs "\"pos\":$1,\"file\":\"$logs/$2\"" "$work/state/positions.json"; } # BYTES NAME
await_position() { await "the position of $2" position_is "$1" "$2"; }
rotate() { # TOOL NAME: as logrotate does it without delaycompress
    mv "$logs/app.log" "$logs/app.log.1"
    "$1" <"$logs/app.log.1" >"$logs/$2" 2>/dev/null
    rm "$logs/app.log.1"
}
text_bytes() { "$1" -dc <"$logs/$2" | wc -c; } # TOOL NAME

: >"$work/agent.err"
start
tools=()
for tool in gzip zstd pigz pzstd; do
    command -v $tool >/dev/null || continue
    tools+=("$tool")

    write_lines $lines # read to their end before they are compressed
    await "the lines of the log" has_all
    rotate "$tool" "app.read.$tool"
    await_position "$(text_bytes "$tool" "app.read.$tool")" "app.read.$tool"

    make_lines $lines # nobody has seen them
    "$tool" <"$work/lines" >"$logs/app.new.$tool" 2>/dev/null
    await "the lines of a new file of $tool" has_all
    await_position "$(text_bytes "$tool" "app.new.$tool")" "app.new.$tool"

    write_lines $lines # read in part when the agent dies
    await "the first lines" has_all
    await_position "$(stat -c %s "$logs/app.log")" app.log
    crash
    write_lines $lines
    rotate "$tool" "app.rest.$tool"
    write_lines 10
    start
    await "the rest of a file that $tool compressed" has_all
    await_position "$(text_bytes "$tool" "app.rest.$tool")" "app.rest.$tool"
    await_position "$(stat -c %s "$logs/app.log")" app.log
    crash
    start
done
write_lines 1
await "the last line" has_all
stop_agent TERM 0

# what the programs print, and the log, are all the lines, and each came once
for tool in "${tools[@]}"; do
    for file in "$logs"/app.*."$tool"; do
        "$tool" -dc <"$file"
    done
done | cat - "$logs/app.log" | sort >"$work/expected"
(($(wc -l <"$work/expected") == number)) || fail "the files do not have the lines"
sort "$work"/out/* | cmp - "$work/expected" || fail "lines are missing, or came twice"
! grep -E ' (WARN|ERROR) ' "$work/agent.err" || fail "the agent warns"
echo "OK: ${tools[*]}, $number lines"
