#!/usr/bin/env bash
# The source taildir of a running agent, whose files are rotated by rename and by copy and cut while it runs and while it is down:
# through restarts and SIGKILL no line is lost, the lines of each file are in order, and lines come again only after a SIGKILL.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

logs=$work/logs
LINES_EACH=800 # of one file before its rotation
ROTATIONS=5    # of each of the two files in one life of the agent

configuration() { # CHANNEL EXPRESSION: writes the agent's file; the sink's folder is that of the life
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g
a1.sources.r1.filegroups.g = $logs/$2
a1.sources.r1.positionFile = $work/state/positions.json
a1.sources.r1.writePosInterval = 100
a1.sources.r1.channels = c1
a1.channels.c1.type = $1
a1.channels.c1.capacity = 5000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out/\${env:LIFE}
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END
    if [[ $1 == file ]]; then
        cat >>"$work/agent.properties" <<END
a1.channels.c1.checkpointDir = $work/state/checkpoint
a1.channels.c1.dataDirs = $work/state/data
a1.channels.c1.minimumRequiredSpace = 1048576
END
    fi
    rm -rf "$logs" "$work/out" "$work/state"
    mkdir -p "$logs" "$work/out"
    : >"$work/agent.err"
    life=0
}

start() { # begins a life
    ((life += 1))
    mkdir "$work/out/$life"
    LIFE=$life "$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
}
lines_out() { find "$work/out" -type f -exec cat {} + | wc -l; } # of all lives; the last line may be written meanwhile
has_lines() { (($(lines_out) >= $1)); }

# Appends to two files in pieces that end anywhere, and rotates them as logrotate does: FILE.1 becomes FILE.2, and so on. A line is
# "FILE ROTATION dots NUMBER ROTATION": the source tells files apart by their first bytes, and by the last 32 that it has read.
# While the agent runs, a file is rotated when its first line is delivered, for what is cut before it was opened is nobody's any
# more; when it has ended ($work/ended), at once.
write_rotations() { # FIRST LAST
    PYTHONPATH=$(dirname "${BASH_SOURCE[0]}")/../support PYTHONDONTWRITEBYTECODE=1 python3 - "$work" "$1" "$2" $LINES_EACH <<'END'
import os, shutil, sys, time
from patience import patient_s
work, first, last, lines = sys.argv[1], *map(int, sys.argv[2:])
files = ("renamed", "cut")
begun, offsets = set(), {}  # what is delivered, and how far it is known
def look():
    for folder, _, names in os.walk(f"{work}/out"):
        for path in (f"{folder}/{name}" for name in names):
            with open(path, "rb") as out:
                out.seek(offsets.get(path, 0))
                text = out.read()
            text = text[:text.rfind(b"\n") + 1]
            offsets[path] = offsets.get(path, 0) + len(text)
            begun.update(tuple(line.split(b" ")[:2]) for line in text.splitlines())
def await_begun(rotation):
    until = patient_s() + 60
    while not os.path.exists(f"{work}/ended"):
        look()
        if all((file.encode(), b"%d" % rotation) in begun for file in files):
            return
        if patient_s() > until:
            sys.exit(f"rotation {rotation} is not delivered: {sorted(begun)[-4:]}")
        time.sleep(0.01)
def name(file, number):
    return f"{work}/logs/{file}.log.{number}" if number > 0 else f"{work}/logs/{file}.log"
def rotate(file, count):
    for number in range(count, 0, -1):
        os.rename(name(file, number), name(file, number + 1))
    if file == "renamed":
        os.rename(name(file, 0), name(file, 1))
    else:
        shutil.copyfile(name(file, 0), name(file, 1))
        os.truncate(name(file, 0), 0)
for rotation in range(first, last + 1):
    if rotation > 0:
        await_begun(rotation - 1)
        for file in files:
            rotate(file, rotation - 1)
    texts = {file: b"".join(b"%s %d %s %d %d\n" % (file.encode(), rotation, b"." * 40, i, rotation) for i in range(lines)) for file in files}
    outs = {file: os.open(name(file, 0), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for file in files}
    for at in range(0, max(map(len, texts.values())), 5003):
        for file, text in texts.items():
            os.write(outs[file], text[at:at + 5003])
        time.sleep(0.002)  # the agent reads between the pieces
    for out in outs.values():
        os.close(out)
END
}

check_lines() { # ROTATIONS CHANNEL ENDINGS...: every line is there, in order, and again only after a KILL
    python3 - "$work/out" $LINES_EACH "$@" <<'END' || fail "lines are missing, out of order or there twice"
import os, sys
out, lines, rotations, channel, endings = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
highest, total = {}, 0
since_kill = {}  # the highest ones since the last KILL, whose lines may still come again in later lives
for life, ending in enumerate(endings, 1):
    killed_before = life > 1 and endings[life - 2] == "KILL"
    if killed_before:
        since_kill = {}
    folder = f"{out}/{life}"
    for name in sorted(os.listdir(folder), key=lambda name: tuple(map(int, name.split("-")))):
        for line in open(f"{folder}/{name}", newline="\n"):
            if not line.endswith("\n"):
                if ending != "KILL":
                    sys.exit(f"life {life}: cut: {line!r}")
                break  # the kill cut the write in two: nobody was told that it is there
            total += 1
            file, rotation, dots, number, check = line.split(" ")
            key, number, before = (file, int(rotation)), int(number), highest.get((file, int(rotation)), -1)
            if dots != "." * 40 or check != rotation + "\n":
                sys.exit(f"life {life}: damaged: {line!r}")
            if number > before + 1:
                sys.exit(f"life {life}: {key}: line {number} after {before}")
            # A file channel delivers what it has, and then the source's lines whose promise no position had yet.
            if number <= since_kill.get(key, -1) and not (killed_before and channel == "file"):
                sys.exit(f"life {life}: {key}: line {number} again, though no KILL came since it was there")
            since_kill[key] = max(since_kill.get(key, -1), number)
            highest[key] = max(before, number)
missing = [(file, i) for file in ("renamed", "cut") for i in range(rotations) if highest.get((file, i), -1) != lines - 1]
if missing or len(highest) != 2 * rotations:
    sys.exit(f"{len(highest)} files, not all lines of {missing[:5]}")
print(f"{channel}: {total} lines, {total - 2 * rotations * lines} of them again")
END
}

check_positions() { # an orderly stop leaves each file's size as its position, in Flume's form
    python3 - "$work/state/positions.json" "$logs" <<'END' || fail "positions"
import json, os, sys
sizes = {status.st_ino: status.st_size for status in (entry.stat() for entry in os.scandir(sys.argv[2]))}
positions = json.load(open(sys.argv[1]))
if not positions:
    sys.exit("no positions")
for position in positions:
    if sorted(position) != ["file", "inode", "pos"] or sizes.get(position["inode"]) != position["pos"]:
        sys.exit(f"{position}, but the size is {sizes.get(position['inode'])}")
END
}

# ---- rotations, restarts, kills ----

last_lines_are_out() { # ROTATION
    [[ $(find "$work/out/$life" -type f -exec grep -hE " $((LINES_EACH - 1)) $1\$" {} + | wc -l) == 2 ]]
}

endings=(KILL TERM KILL KILL TERM)
for channel in memory file; do
    configuration $channel '(renamed|cut)\\.log.*'
    rotations=0
    for ending in "${endings[@]}"; do
        rm -f "$work/ended"
        start
        write_rotations $rotations $((rotations + ROTATIONS - 1)) 2>"$work/writer.err" &
        writer=$!
        children[$writer]=1
        target=$((2 * LINES_EACH * (rotations + ROTATIONS / 2)))
        rotations=$((rotations + ROTATIONS))
        await "$channel: life $life delivers $target lines" has_lines $target
        ((life < ${#endings[@]})) || await "$channel: the last lines" last_lines_are_out $((rotations - 1))
        stop_agent "$ending" "$([[ $ending == KILL ]] || echo 0)" 2>/dev/null
        touch "$work/ended"
        wait $writer || fail "the writer"
        unset "children[$writer]"
    done
    check_lines $rotations $channel "${endings[@]}"
    [[ $channel == file ]] || check_positions
    ! grep -E "ERROR|FATAL" "$work/agent.err" || fail "errors"
done

# ---- away to names that do not match ----

configuration memory 'app\\.log'
start
seq 1 10 >>"$logs/app.log"
await "the first lines" has_lines 10
mv "$logs/app.log" "$logs/old"
seq 11 20 >>"$logs/old"
seq 21 30 >>"$logs/app.log"
await "the lines around the rename" has_lines 30
stop_agent TERM 0
mv "$logs/app.log" "$logs/older"
seq 31 40 >>"$logs/older"
seq 41 50 >>"$logs/app.log"
start
await "the lines around the restart" has_lines 50
stop_agent TERM 0
diff <(cat "$work"/out/*/* | sort -n) <(seq 50) >"$work/diff.err" || fail "not each line once"
check_positions
