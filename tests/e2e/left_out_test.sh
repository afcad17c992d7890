#!/usr/bin/env bash
# Components that the agent runs without, native and in Java: each is a line in /readyz with its place, reason and cure. When a channel has none of its
# sources or sinks left the answer is 503, else 200; after a reload of the file put right there is no line.
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
end() { # [CODE]: the exit code of an agent that has events left, if it has any
    local code=0
    kill -TERM "$agent"
    wait "$agent" || code=$?
    ((code == 0 || code == ${1:-0})) || fail "the agent ended with $code"
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
config r1 k1 'sinks.k1.type = nul' >"$file"
check 1
start
expect 'the only sink is left out' 503 "$native"
end 3
config r1 'k1 k2' 'sinks.k1.type = nul' >"$file"
check 0
start
expect 'another sink is left' 200 "$native" ok
end
