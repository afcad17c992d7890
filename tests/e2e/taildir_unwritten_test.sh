#!/usr/bin/env bash
# The source taildir of a running agent, and files that are written in other ways than by appending: one that is made long at once and written
# through memory, one whose first line counts the others, one whose writers write in another order than the lines have, and one with NULs
# that nobody fills. Each line comes once, without NULs; only what is given up is logged and counted; also after a restart.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

logs=$work/logs
mkdir -p "$logs" "$work/out"
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $logs/.*
a1.sources.r1.positionFile = $work/state/positions.json
a1.sources.r1.idleTimeout = 300
a1.sources.r1.penstock.line.max = 100000
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END

start() {
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" >>"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
stop() {
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ended with $?"
    unset "children[$agent]"
}
lines_out() { find "$work/out" -type f -exec cat {} +; }
has_lines() { (($(lines_out | wc -l) >= $1)); }

# Writes lines FIRST to LAST of each file; the first time it makes the files.
write() { # FIRST LAST
    python3 - "$logs" "$1" "$2" <<'END'
import mmap, os, sys
logs, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
LENGTH = 4 << 20
names = [f"{logs}/{name}" for name in ("mapped", "counted", "shared", "torn")]
for name in names if first == 1 else ():
    with open(name, "wb") as made:
        if name.endswith("mapped"):
            os.posix_fallocate(made.fileno(), 0, LENGTH)
        if name.endswith("shared"):
            made.truncate(LENGTH)
        if name.endswith("counted"):
            made.write(b"lines=00000\n")
def text(name, i):
    return f"{name} {i:05d} ".encode().ljust(59, b".") + b"\n"
with open(names[0], "r+b") as mapped, open(names[1], "r+b") as counted, open(names[2], "r+b") as shared, open(names[3], "ab") as torn:
    place = mmap.mmap(mapped.fileno(), LENGTH)
    for i in range(first, last + 1):
        place[(i - 1) * 60:i * 60] = text("mapped", i)
        os.pwrite(counted.fileno(), text("counted", i), 12 + (i - 1) * 60)
        os.pwrite(counted.fileno(), b"%05d" % i, 6)
        k = i + 1 if i % 2 == 1 else i - 1  # of two lines the second is written first
        os.pwrite(shared.fileno(), text("shared", k), (k - 1) * 60)
        torn.write(text("torn", i))
    if first == 1:
        torn.truncate(torn.tell() + 5000)
END
}
expected() { # LAST: prints the lines that were written
    local name
    echo "lines=00000"
    for name in mapped counted shared torn; do
        seq -f "$name %05.0f " 1 "$1" | awk '{while (length($0) < 59) $0 = $0 "."; print}'
    done
}
check() { # LAST
    await 60 has_lines $((4 * $1 + 1)) || fail "$(lines_out | wc -l) of $((4 * $1 + 1)) lines came: $(tail -n 5 "$work/agent.err")"
    lines_out | grep -a -v '^lines=' | sort >"$work/came"
    expected "$1" | grep -v '^lines=' | sort | cmp - "$work/came" ||
        fail "other lines came: $(expected "$1" | sort | diff -a - "$work/came" | head -n 5 | cat -v | cut -c 1-200)"
}

write 1 100
start
check 100
for round in 1 2 3; do # the files are open, or at rest and closed
    write $((100 * round + 1)) $((100 * round + 100))
    check $((100 * round + 100))
done
stop
write 401 500
start
check 500
stop
grep -q 'torn has 5000 NUL bytes' "$work/agent.err" || fail "nothing is logged of what was given up"
if grep -E 'written over|no longer followed|is cut|malformed' "$work/agent.err"; then fail "these lines are in the log"; fi
(($(lines_out | grep -c '^lines=') <= 2)) || fail "the counter came again and again"
echo "500 lines of each of four files"
