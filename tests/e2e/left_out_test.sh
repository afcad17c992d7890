#!/usr/bin/env bash
# Components that the agent runs without, native and in Java: each is a line in /readyz with its place, reason and cure. When a channel has none of its
# sources left the answer is 503, else 200; after a reload of the file put right there is no line. When a channel would have none of its sinks left, the
# agent does not start: nothing may be accepted that nobody delivers.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metrics_port=$(free_port)
url="http://127.0.0.1:$metrics_port"
file=$work/agent.properties
unset FLUME_HOME FLUME_CLASSPATH

config() { # SOURCES SINKS LINES...
    printf 'a1.%s\n' "sources = $1" 'channels = c1' "sinks = $2"
    printf 'a1.sources.%s\n' 'r1.type = seq' 'r1.totalEvents = 10' 'r1.channels = c1' 'r2.type = seq' 'r2.totalEvents = 10' 'r2.channels = c1'
    printf 'a1.sinks.%s\n' 'k1.type = null' 'k1.channel = c1' 'k2.type = null' 'k2.channel = c1'
    printf 'a1.%s\n' 'channels.c1.type = memory' "${@:3}"
}
start() {
    "$PENSTOCK" agent -n a1 -f "$file" -i 3600 -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port" \
        -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "it starts" curl -sf "$url/livez" -o "$work/live"
}
end() {
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ended with $?"
    unset "children[$agent]"
}
says() { # STATUS LINE...: the whole of /readyz, each line up to what is expected of it
    local status=$1 line i=0
    local lines
    shift
    [[ $(curl -s -o "$work/ready" -w '%{http_code}' "$url/readyz") == "$status" ]] || return 1
    mapfile -t lines <"$work/ready"
    ((${#lines[@]} == $#)) || return 1
    for line; do
        [[ ${lines[i++]} == "$line"* ]] || return 1
    done
}
expect() { # WHAT STATUS LINE...
    await "$1: /readyz is not as expected" says "${@:2}"
}
check() { # EXIT-CODE
    local code=0
    "$PENSTOCK" check -n a1 -f "$file" >"$work/check.out" || code=$?
    ((code == $1)) || fail "check exits with $code, not $1: $(<"$work/check.out")"
}

class="source r1 is left out: $file:15: dropped: a1.sources.r1.type: Flume has no source \`com.example.MySource\`, and there are no jars in which to look for it; set FLUME_HOME"
native="sink k1 is left out: $file:15: dropped: a1.sinks.k1.type: Flume has no sink \`nul\`; did you mean null?"

# ---- the only source is a class, and FLUME_HOME is not set ----
config r1 k1 'sources.r1.type = com.example.MySource' >"$file"
check 1
start
expect 'the only source is left out' 503 "$class"
kill -QUIT "$agent"
await 'the dump names the source' grep -qF "$class" "$work/agent.err"
config r1 k1 >"$file"
kill -HUP "$agent"
expect 'the file was put right' 200 ok
end

# ---- another source is left ----
config 'r1 r2' k1 'sources.r1.type = com.example.MySource' >"$file"
check 0
start
expect 'another source is left' 200 "$class" ok
end

# ---- sinks ----
refused() { # WHAT: neither check nor the agent takes the file, both with the reason
    local code=0
    check 1
    grep -qF "error: a1.channels.c1: no sink is left that takes from channel c1" "$work/check.out" || fail "$1: check gives no reason: $(<"$work/check.out")"
    "$PENSTOCK" agent -n a1 -f "$file" 2>"$work/agent.err" || code=$?
    ((code == 1)) || fail "$1: the agent ends with $code: $(<"$work/agent.err")"
    ! grep -q ' agent: started' "$work/agent.err" || fail "$1: the agent started: $(<"$work/agent.err")"
}
config r1 k1 'sinks.k1.type = nul' >"$file"
refused 'the only sink is left out'
grep -qF "dropped: a1.sinks.k1.type: Flume has no sink \`nul\`; did you mean null?" "$work/agent.err" || fail "the agent does not name the sink: $(<"$work/agent.err")"
config r1 k1 'sinks.k1.type = com.example.MySink' >"$file"
refused 'the only sink is a class that no jar has'
for codec in lzop lzo; do
    config r1 k1 'sinks.k1.type = hdfs' "sinks.k1.hdfs.path = file://$work/h" 'sinks.k1.hdfs.fileType = CompressedStream' "sinks.k1.hdfs.codeC = $codec" >"$file"
    refused "the codec $codec"
done
config r1 'k1 k2' 'sinks.k1.type = nul' 'sinks.k2.channel = c2' >"$file"
refused 'another sink takes from no channel'
config r1 'k1 k2' 'sinkgroups = g' 'sinkgroups.g.sinks = k1 k2' 'sinkgroups.g.processor.type = failower' >"$file"
refused 'a group takes both sinks with it'
config r1 'k1 k2' 'sinks.k1.type = nul' >"$file"
check 0
start
expect 'another sink is left' 200 "$native" ok
end
