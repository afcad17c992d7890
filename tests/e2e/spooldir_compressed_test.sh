#!/usr/bin/env bash
# The source spooldir of a running agent reads what gzip(1) and zstd(1) wrote, in one piece and in several, through SIGKILL: no line
# is lost, and lines stay in order; a file that ends early stops the source with a message that names it and the byte.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v zstd >/dev/null || { echo "SKIP: no zstd"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

lines=60000 # of each file
metrics_port=$(free_port)

text() { # FILE: its lines
    python3 -c 'import sys; sys.stdout.writelines(f"{sys.argv[1]} {i} {i * 7919 % 104729} {i * 104729 % 7919}\n" for i in range(int(sys.argv[2])))' \
        "$1" $lines
}
has_lines() { (($(cat "$work"/out/* 2>/dev/null | wc -l) >= $1)); }
all_completed() { (($(find "$spool" -maxdepth 1 -name '*.COMPLETED' | wc -l) == $1)); }

mkdir -p "$spool" "$work/out"
spool_agent memory 2000
text plain >"$spool/1plain"
text one | gzip >"$spool/2one.gz"
text two | zstd -q >"$spool/3two.zst"
text three >"$work/three"
{ head -n 30000 "$work/three" | gzip -1; tail -n +30001 "$work/three" | gzip -9; } >"$spool/4three.gz"
text four >"$work/four"
{ head -n 12345 "$work/four" | zstd -q --no-check; tail -n +12346 "$work/four" | zstd -q -19; } >"$spool/5four.zst"
for kill_at in 65000 130000 200000; do
    start_spool_agent
    await "$kill_at lines" has_lines $kill_at
    kill -KILL "$agent"
    wait "$agent" 2>/dev/null || true
    unset "children[$agent]"
done
start_spool_agent
await "all files are finished" all_completed 5
stop_agent TERM 0
! grep -E "ERROR|FATAL" "$work/agent.err" || fail "errors"
python3 - "$work/out" $lines <<'END' || fail "lines are missing or out of order"
import os, sys
out, lines = sys.argv[1], int(sys.argv[2])
highest = {}
for name in sorted(os.listdir(out), key=lambda name: tuple(map(int, name.split("-")))):
    for line in open(f"{out}/{name}", newline="\n"):
        if not line.endswith("\n"):
            break  # the kill cut the write in two: nobody was told that it is there
        file, number, first, second = line.split()
        number = int(number)
        if int(first) != number * 7919 % 104729 or int(second) != number * 104729 % 7919:
            sys.exit(f"damaged: {line!r}")
        if number > highest.get(file, -1) + 1:
            sys.exit(f"{file}: line {number} after {highest.get(file, -1)}")
        highest[file] = max(highest.get(file, -1), number)
if len(highest) != 5 or any(number + 1 != lines for number in highest.values()):
    sys.exit(f"{highest}")
END

# ---- a file that ends early ----

rm -rf "$work/out" "$spool"
mkdir -p "$spool" "$work/out"
text cut | gzip >"$work/cut.gz"
size=$(($(stat -c %s "$work/cut.gz") * 2 / 3))
head -c $size "$work/cut.gz" >"$spool/cut.gz"
expected=$(gzip -dc <"$spool/cut.gz" 2>/dev/null | wc -l || true)
start_spool_agent
await "the source stops" grep -q "FATAL: Spool Directory source r1.*cut.gz: the compressed data ends early at byte $size" "$work/agent.err"
await "the lines before it are delivered" has_lines "$expected"
stop_agent TERM 0
(($(cat "$work"/out/* | wc -l) == expected)) || fail "not $expected lines"
[[ -e $spool/cut.gz ]] || fail "the file is gone"
