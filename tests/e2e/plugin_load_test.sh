#!/usr/bin/env bash
# The load of a plug-in in C that goes wrong: a constructor that never returns, which the commands say and end, and which holds up neither an agent
# that is asked to stop nor one that runs; and a file that is cut short, replaced by another plug-in, or deleted when the configuration is read again.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
sed '$a __attribute__((constructor)) static void does_not_return(void) { for (;;) sleep(1000); }' "$root/conf/examples/plugins/bounded_queue.c" >hangs.c
sed -i '1i #include <unistd.h>' hangs.c
cc "${flags[@]}" -O1 -shared -fPIC "$root/conf/examples/plugins/bounded_queue.c" -o good.so 2>cc.err || fail "bounded_queue.c does not compile"
cc "${flags[@]}" -O1 -shared -fPIC "$root/conf/examples/plugins/hash_header.c" -o other.so 2>cc.err || fail "hash_header.c does not compile"
cc "${flags[@]}" -O1 -shared -fPIC hangs.c -o hangs.so 2>cc.err || fail "hangs.c does not compile"
file=plugins/bounded_queue/penstock/bounded_queue.so
mkdir -p "$(dirname $file)" out
place() { # FILE: as a user does, with a rename
    cp "$1" "$file.part"
    mv "$file.part" $file
}
printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = taildir' 'sources.r1.filegroups = f' "sources.r1.filegroups.f = $work/lines" \
    "sources.r1.positionFile = $work/positions" 'sources.r1.channels = c1' 'channels.c1.type = bounded_queue' 'sinks.k1.type = file_roll' \
    "sinks.k1.sink.directory = $work/out" 'sinks.k1.sink.rollInterval = 0' 'sinks.k1.channel = c1' >agent.properties
launch() {
    "$PENSTOCK" agent -n a1 -f agent.properties --plugins-path plugins >agent.out 2>agent.err &
    agent=$!
    children[$agent]=1
}
says() { tail -n "+$((${2:-0} + 1))" agent.err | grep -qE -- "$1"; }
sent=0
goes_on() { # WHAT
    echo $((++sent)) >>lines
    await "$1: the agent runs on" has_come
}
has_come() { cat out/* 2>/dev/null | grep -qx "$sent"; }
reload() { # PATTERN: sends SIGHUP and waits for the line
    local before
    before=$(wc -l <agent.err)
    kill -HUP "$agent"
    await "$1" says "$1" "$before"
}

# ---- a constructor that never returns ----

place hangs.so
for words in "check -n a1 -f agent.properties --plugins-path plugins" "plugin test $file --key capacity=20" \
    "graph -n a1 -f agent.properties --plugins-path plugins"; do
    code=0
    # shellcheck disable=SC2086
    "$PENSTOCK" $words >command.err 2>&1 || code=$?
    ((code == 1)) || fail "$words ends with $code"
    grep -qE "$file has been loading for 2 s: a constructor" command.err || fail "$words does not say what it waits for"
    grep -qE "$file is not loaded after 20 s: a constructor .*; correct it, or move the file out of" command.err || fail "$words does not say why it ends"
done
launch
await "the agent says what it waits for" says "WARN plug-in: $file has been loading for 2 s"
stop_agent TERM 0
says "asked to stop: the agent has not started" || fail "the agent does not say that it was not started"

place good.so
launch
goes_on "after its start"
place hangs.so
reload "$file has been loading for 2 s"
goes_on "while a constructor hangs"
stop_agent TERM 0
says 'the reload is abandoned' || fail "the reload is not abandoned"

# ---- files that are cut short, replaced, deleted ----

place good.so
launch
goes_on "after its start"
kept='the new configuration is not used; the agent keeps the old one: '
head -c $(($(stat -c %s good.so) / 2)) good.so >half.so
place half.so
reload "$kept.*$file: error: the plug-in is cut short: it has [0-9]+ bytes, and its headers name more"
goes_on "with a file that is cut short"
truncate -s 100 $file
reload "$kept.*$file: error: the plug-in is cut short"
goes_on "with a file that is cut further"
: >$file
reload "$kept.*$file: error: the plug-in is empty"
goes_on "with an empty file"
place other.so
reload "$kept.*a1.channels.c1.type: Flume has no channel .bounded_queue."
goes_on "with another plug-in under its name"
rm $file
reload "$kept.*a1.channels.c1.type: Flume has no channel .bounded_queue."
goes_on "without its file"
place good.so
reload 'nothing changed in the configuration'
goes_on "with its file again"
stop_agent TERM 0
seq "$sent" | diff - <(cat out/* | sort -n) >difference.err || fail "other events than each once came"
