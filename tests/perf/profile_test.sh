#!/usr/bin/env bash
# perf/profile: recorded stacks are folded, given to stages and drawn; then a real agent, where perf can look at it.
# No sanitizer: what takes the time of a build with one is the sanitizer.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
profile=$PENSTOCK_SOURCE/perf/profile
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work/out" >&2; exit 1; }
shows() { grep -qE "$2" "$work/$1" || fail "$1 does not show: $2"; }

echo "recorded stacks"
"$profile" --from "$PENSTOCK_SOURCE/tests/perf/data/perf_script.txt" --out "$work" --events 8 --hertz 1000 >"$work/out" 2>&1 || fail "exit $?"
(($(wc -l <"$work/folded.txt") == 8)) || fail "8 stacks, $(wc -l <"$work/folded.txt") folded"
shows folded.txt '^worker-0;ps_worker_run;ps_source_syslogtcp_receive 1$'
shows folded.txt '^worker-0;ps_worker_run;ps_source_syslogtcp_receive;__libc_recv;entry_SYSCALL_64_after_hwframe;tcp_recvmsg;_copy_to_iter 1$'
shows folded.txt '^worker-0;ps_worker_run;inner 1$'
shows folded.txt '^rdk:broker1;\[librdkafka.so.1\] 1$'
# share, of it own, libraries, kernel, samples, ns an event
shows out '^source syslogtcp_receive +25\.0% +12\.5% +0\.0% +12\.5% +2 +250000\.00$'
shows out '^sink null_work +12\.5% +0\.0% +12\.5% +0\.0% +1 '
shows out '^librdkafka +25\.0% +0\.0% +12\.5% +12\.5% +2 '
shows out '^receiving, kernel +12\.5% .* 1 '
shows out '^main: kernel +12\.5% .* 1 '
shows out '^all +100\.0% .* 8 +1000000\.00$'

echo "the picture"
python3 - "$work/flame.svg" <<'PY' || fail "flame.svg"
import re, sys, xml.etree.ElementTree as tree
text = open(sys.argv[1]).read()
root = tree.fromstring(text)
frames = [one for one in root.iter("{http://www.w3.org/2000/svg}g") if "data-n" in one.attrib]
by_name = {}
for one in frames:
    by_name.setdefault(one.get("data-n"), 0)
    by_name[one.get("data-n")] += int(one.get("data-b")) - int(one.get("data-a"))
assert by_name["ps_worker_run"] == 4 and by_name["__libc_recv"] == 1, by_name
assert by_name["worker-0"] + by_name["rdk:broker1"] + by_name["main"] == 8, by_name
assert "prefers-color-scheme:dark" in text
assert not re.search(r'(href|src)=|url\(|https?://(?!www\.w3\.org/2000/svg")', text), "it asks the network"
PY

echo "what is not understood"
code=0
"$profile" >"$work/out" 2>&1 || code=$?
((code == 2)) || fail "no command: exit $code"
code=0
: >"$work/empty"
"$profile" --from "$work/empty" --out "$work/none" >"$work/out" 2>&1 || code=$?
((code == 77)) || fail "no samples: exit $code"
shows out '^SKIP: no samples'

echo "a real agent"
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
cat >"$work/agent.properties" <<'EOF_'
a.sources = s
a.channels = c
a.sinks = k
a.sources.s.type = org.apache.flume.source.StressSource
a.sources.s.size = 120
a.sources.s.channels = c
a.channels.c.type = memory
a.channels.c.capacity = 100000
a.sinks.k.type = null
a.sinks.k.channel = c
EOF_
for seconds in 1.5 6 20; do # on a busy machine the agent has hardly begun in the first time
    code=0
    "$profile" --seconds "$seconds" --out "$work/real" -- "$PENSTOCK" agent -n a -f "$work/agent.properties" --no-reload-conf \
        >"$work/out" 2>"$work/log" || code=$?
    ((code != 77)) || { sed -n 's/^SKIP: /SKIP: the real agent: /p' "$work/out"; exit 77; }
    ((code == 0)) || { cat "$work/log"; fail "exit $code"; }
    ! grep -q '^source stress ' "$work/out" || break
done
shows out '^[0-9]+ samples of (CPU cycles|the CPU clock)'
shows out '^source stress '
[[ -s $work/real/flame.svg ]] || fail "no picture"
