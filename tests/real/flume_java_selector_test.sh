#!/usr/bin/env bash
# Needs: flume
# A source that asks its channel selector where events go, run by a real Flume 1.11 and by penstock with the same file: the channels have the same
# names and are required or optional for the same events, with a selector that replicates and one that multiplexes. One of penstock's own types knows all channels.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

agent_file() { # DIR
    local channel
    printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1 c2 c3 d1 d2' 'sinks = c1 c2 c3 d1 d2' \
        'sources.r1.type = example.AsksSelector' 'sources.r1.channels = c1 c2  c3' \
        'sources.r2.type = example.AsksSelector' 'sources.r2.channels = d1 d2' 'sources.r2.selector.optional = d2'
    printf 'a1.sources.r1.selector.%s\n' 'type = multiplexing' 'header = kind' 'mapping.a = c1' 'mapping.b = c1 c2' 'default = c3' 'optional.a = c2'
    for channel in c1 c2 c3 d1 d2; do into_files $channel "$1/$channel" 1000; done
}
# r1: the two of kind a are in c1 and c2, that of b in c1 and c2, the other in c3. r2: four in each channel.
both 15
for channel in c1 c2 c3 d1 d2; do same_content "what the selector says in $channel" $channel; done
grep -q 'a: required \[c1\], optional \[c2\]' "$work"/penstock/c1/* || fail "the answers are not those of the file"

echo 'default c1' >"$work/all.rules"
agent_file "$work/other" | sed "/r1.selector/d; \$ a a1.sources.r1.selector.type = rules\na1.sources.r1.selector.rules.file = $work/all.rules" >"$work/other.properties"
start "$work/other" "$PENSTOCK"
await 60 has_arrived "$work/other" 12 || fail "$(arrived "$work/other") events arrived with a selector of penstock's own"
stop TERM
cat "$work"/other/c?/* >"$work/other.text"
for text in 'all [c1, c2, c3] START' 'a: the channel selector rules is in the agent, not in Java'; do
    grep -qF "$text" "$work/other.text" || { cat "$work/other.text" >&2; fail "a selector of penstock's own does not say: $text"; }
done
echo 'same: what a source is told by its selector'
