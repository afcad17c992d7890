#!/usr/bin/env bash
# Reloads that add, change and remove interceptors, and change the selector, of a netcat source: its clients stay connected, each
# line is answered, and arrives once, through the interceptors of before or of after the reload.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
file="$work/agent.properties"
mkdir "$work/one" "$work/two"
config() { # LABEL ("": no interceptors) CHANNEL
    cat <<EOF_
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = none
a1.sources.r1.selector.default = $2
${1:+a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = label
a1.sources.r1.interceptors.i1.value = $1
a1.sources.r1.interceptors.i2.type = regex_filter
a1.sources.r1.interceptors.i2.regex = never
a1.sources.r1.interceptors.i2.excludeEvents = true}
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/one
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/two
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.sink.serializer = header_and_text
a1.sinks.k2.channel = c2
EOF_
}
reloads() { [[ $(grep -c "agent: reloaded; " "$work/err") -ge $1 ]]; } # COUNT
send() { # NAME COUNT
    for ((n = 0; n < $2; n++)); do echo "$1-$n" >&3; done
}
answers() { # COUNT
    local line
    for ((n = 0; n < $1; n++)); do
        read -r -t 60 line <&3 || fail "answer $n of $1 does not come"
        [[ $line == OK ]] || fail "answer: $line"
    done
}

config "" c1 >"$file"
"$PENSTOCK" agent -n a1 -f "$file" -i 3600 2>"$work/err" &
agent=$!
children[$agent]=1
await "it listens" grep -q "listening on" "$work/err"
exec 3<>"/dev/tcp/127.0.0.1/$port"
reload=0
for step in "first c1" "second c1" "second c2" " c1" "third c2" " c2"; do
    config "${step% *}" "${step##* }" >"$work/fresh"
    mv "$work/fresh" "$file"
    reload=$((reload + 1))
    send "before$reload" 30
    kill -HUP "$agent"
    send "meanwhile$reload" 30
    await "reload $reload" reloads $reload
    send "after$reload" 3
    answers 63
done
[[ $(grep -c "listening on" "$work/err") == 1 ]] || fail "the source was opened again"
[[ $(grep -c "5 of 5 components stayed" "$work/err") == 6 ]] || fail "$(grep "agent: reloaded; " "$work/err")"
exec 3<&-
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code == 0 ]] || fail "exit status $code: $(tail -n 2 "$work/err")"

lines() { cat "$work"/one/* "$work"/two/* | sed 's/^{[^}]*} *//'; }
[[ $(lines | wc -l) == 378 && $(lines | sort -u | wc -l) == 378 ]] || fail "lines: $(lines | wc -l), $(lines | sort -u | wc -l) distinct"
has() { # LABEL DIRECTORY RELOAD: what was sent after it
    [[ $(cat "$work/$2"/* | grep -F "after$3-" | grep -cF "$1") == 3 ]] || fail "after reload $3: $(cat "$work/one"/* "$work/two"/* | grep -F "after$3-")"
}
has "{label=first}" one 1
has "{label=second}" one 2
has "{label=second}" two 3
has "{}" one 4
has "{label=third}" two 5
has "{}" two 6
echo ok
