#!/usr/bin/env bash
# One line of the file changes, SIGHUP: what an event meets afterwards shows it, for each kind of line; put back, it is gone
# again. A source that the line does not belong to keeps its connection through all of it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
port_b=$(free_port)
port_c=$(free_port)
metrics_port=$(free_port)
file="$work/agent.properties"
url="http://127.0.0.1:$metrics_port/metrics/prometheus"
mkdir "$work/out1" "$work/out2" "$work/out3"

base() {
    cat <<EOF_
a1.sources = r1 r2
a1.channels = c1 c2 c9
a1.sinks = k1 k2 k9
a1.penstock.workers = 2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = dc
a1.sources.r1.interceptors.i1.value = one
a1.sources.r1.interceptors.i2.type = static
a1.sources.r1.interceptors.i2.key = dc
a1.sources.r1.interceptors.i2.value = two
a1.sources.r1.interceptors.i2.searchPattern = event
a1.sources.r1.interceptors.i2.replaceString = thing
a1.sources.r1.interceptors.i3.type = static
a1.sources.r1.interceptors.i3.key = x
a1.sources.r1.interceptors.i3.value = y
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = dc
a1.sources.r1.selector.mapping.one = c1
a1.sources.r1.selector.default = c2
a1.sources.r2.type = netcat
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = $port_b
a1.sources.r2.channels = c9
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c2.type = memory
a1.channels.c9.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out1
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/out2
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.sink.serializer = header_and_text
a1.sinks.k2.channel = c2
a1.sinks.k9.type = null
a1.sinks.k9.channel = c9
EOF_
}

shows() { [[ $(curl -s "$url") == *"$1"* ]]; } # LINE
has_channel() { shows 'penstock_component_channel_info{kind="source",component="r1",channel="c9"'; }
has_capacity() { shows 'penstock_channel_capacity_events{component="c1"} 2000'; }
has_listeners() { [[ $(grep -c "$(printf ' 0100007F:%04X 00000000:0000 0A' "$port")" /proc/net/tcp) -eq 2 ]]; }

# kind of line | sed script | what becomes of "event idN" | port (if another) | what else shows it
as_before="out1/1:{dc=one} event"
changes=(
    "an interceptor's key|s/i1.value = one/i1.value = three/|out2/1:{dc=three} event||"
    "an interceptor more|s/interceptors = i1 i2/interceptors = i1 i2 i3/|out1/1:{x=y, dc=one} event||"
    "an interceptor less|s/interceptors = i1 i2/interceptors = i2/|out2/1:{dc=two} event||"
    "no interceptor|/r1.interceptors = /d|out2/1:{} event||"
    "interceptors in another order|s/interceptors = i1 i2/interceptors = i2 i1/|out2/1:{dc=two} event||"
    "an interceptor's type|s/i2.type = static/i2.type = search_replace/|out1/1:{dc=one} thing||"
    "a selector's key|s/selector.header = dc/selector.header = x/|out2/1:{dc=one} event||"
    "a selector's mapping|s/mapping.one = c1/mapping.one = c2/|out2/1:{dc=one} event||"
    "a selector's type|s/selector.type = multiplexing/selector.type = replicating/|out1/1:{dc=one} event out2/1:{dc=one} event||"
    "a source's key|s/r1.port = $port/r1.port = $port_c/|$as_before|$port_c|"
    "a source's channels|s/r1.channels = c1 c2/r1.channels = c1 c2 c9/|$as_before||has_channel"
    "a source's workers|\$a a1.sources.r1.penstock.workers = 2|$as_before||has_listeners"
    "a channel's key|s/c1.capacity = 1000/c1.capacity = 2000/|$as_before||has_capacity"
    "a sink's key|s/k1.sink.directory = .*/k1.sink.directory = ${work//\//\\\/}\/out3/|out3/1:{dc=one} event||"
    "a sink's file name|\$a a1.sinks.k1.sink.pathManager.prefix = a|out1/a:{dc=one} event||"
    "a sink's serializer|s/k1.sink.serializer = .*/k1.sink.serializer = text/|out1/1:event||"
    "a serializer's key|\$a a1.sinks.k1.sink.serializer.appendNewline = false|out1/1:{dc=one} event, no newline||"
    "the channels of two sinks|s/k1.channel = c1/k1.channel = c2/;s/k2.channel = c2/k2.channel = c1/|out2/1:{dc=one} event||"
)

reloads=0
reload() { # WHAT: of the file
    reloads=$((reloads + 1))
    kill -HUP "$agent"
    await "$1: reload" shows "penstock_reloads_total{result=\"ok\"} $reloads"
}
number=0
answers() { # PORT: the source at this port takes an event
    local answer=
    { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    echo "event id$number" >&3
    read -r -t 400 answer <&3 || true
    exec 3>&-
    [[ $answer == OK ]]
}
# Where the event is, as "folder/begin of the file's name:text", without its number; for each file.
outcome() {
    local path text all=
    for path in "$work"/out?/*; do
        text=$(grep -oE "(\{[^{}]*\} )?[a-z]+ id$number\$" "$path") || continue
        [[ -z $(tail -c 1 "$path") ]] || text+=", no newline"
        path=${path#"$work"/}
        all+=" ${path:0:6}:${text/ id$number/}"
    done
    echo "${all# }"
}
is_there() { [[ $(outcome) == "$1" ]]; } # EXPECTED
check() { # WHAT EXPECTED PORT
    number=$((number + 1))
    await "$1: an answer" answers "$3"
    patient_await 60 is_there "$2" || fail "$1: \"$(outcome)\", not \"$2\""
    echo "event" >&4
    local answer=
    read -r -t 400 answer <&4 || true
    [[ $answer == OK ]] || fail "$1: the connection of the other source"
}

base >"$file"
"$PENSTOCK" agent -n a1 -f "$file" -i 3600 -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1
await "it starts" shows 'penstock_component_up{kind="source",component="r2"} 1'
exec 4<>"/dev/tcp/127.0.0.1/$port_b"
check "at first" "$as_before" "$port"
for row in "${changes[@]}"; do
    IFS='|' read -r kind script expected other also <<<"$row"
    base | sed "$script" >"$work/next.properties"
    cmp -s "$work/next.properties" "$file" && fail "$kind: the file did not change"
    mv "$work/next.properties" "$file"
    reload "$kind"
    check "$kind" "$expected" "${other:-$port}"
    [[ -z $also ]] || await "$kind: $also" "$also"
    base >"$file"
    reload "$kind, put back"
    check "$kind, put back" "$as_before" "$port"
    [[ -z $also ]] || ! "$also" || fail "$kind, put back: $also"
    echo "ok: $kind"
done

# The log names what changed, without values.
[[ $(grep -m 1 -oE 'INFO agent: reload: .*' "$work/agent.err") == 'INFO agent: reload: source r1 changed (interceptors.i1.value)' ]] ||
    fail "the first reload's line: $(grep -m 1 'reload: ' "$work/agent.err")"

# The agent's workers: more of them at once, fewer at the next start.
base | sed "s/a1.penstock.workers = 2/a1.penstock.workers = 3/" >"$file"
reload "more workers"
await "a third worker" shows 'penstock_worker_parks_total{worker="2"'
check "more workers" "$as_before" "$port"
exec 4>&-
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code -eq 0 ]] || fail "exit status $code"
grep -q "not delivered 0" "$work/agent.err" || fail "the account: $(tail -n 1 "$work/agent.err")"
echo "ok: ${#changes[@]} kinds of lines"
