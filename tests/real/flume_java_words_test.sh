#!/usr/bin/env bash
# Needs: flume
# Letters beyond ASCII in what a class logs and prints arrive in the agent's log whatever character set Java has by itself: that of a service without a
# locale has ASCII alone.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

{
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = exec' 'command = sleep 3600' 'channels = c1'
    printf '%s\n' 'a1.channels.c1.type = memory' 'a1.sinks.k1.type = example.Words' 'a1.sinks.k1.channel = c1'
} >"$work/words.properties"
words='grüße 漢字 😀'
options=$JAVA_OPTS
for encoding in '' ISO-8859-1 UTF-8; do
    export JAVA_OPTS="$options ${encoding:+-Dfile.encoding=$encoding}"
    LC_ALL=C start "$work/words" "$PENSTOCK"
    await 120 grep -q 'throws' "$work/words.log" || fail "the sink does not start"
    stop TERM
    for line in "WARN sink k1: Words: logs $words" "WARN sink k1: and in a second line $words" "INFO sink k1: prints $words" \
        "ERROR sink k1: java.lang.IllegalStateException: with $words"; do
        grep -qF "$line" "$work/words.log" || { grep -a 'sink k1' "$work/words.log" >&2; fail "the log does not have: $line (file.encoding=$encoding)"; }
    done
done
echo "letters beyond ASCII are in the log as the class wrote them"
