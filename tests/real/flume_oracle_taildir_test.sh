#!/usr/bin/env bash
# Needs: flume
# Source taildir compared with a real Flume's, on the same directories and the same schedule of writes: events, headers, positions. And
# each takes over the position file of the other.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in python3 jq; do
    command -v $program >/dev/null || skip "no $program"
done

flows="lines headers order turns names all grow idle skip filler counter"

# Writes what is there before the agent starts; then plays the writers, each step after what the one before has led to.
cat >"$work/player.py" <<'EOF_'
import os, sys, threading, time
from patience import patient_s
top, verb = sys.argv[1:]
logs = f"{top}/logs"
def write(path, contents, mode="ab"):
    path = f"{logs}/{path}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as out:
        out.write(contents)
def put(path, contents, age):
    write(path, contents)
    os.utime(f"{logs}/{path}", (1_600_000_000 - age, 1_600_000_000 - age))
bad = b"a\xffz\n\xe2\x82\nx\xf0\x9f\x98y\n\xc0\xaf!\n"
def prepare():
    put("lines/x.log", "é plain\r\n\nlong ".encode() + b"x" * 20000 + b"\r\r\n\r\n" + b"y" * 8191 + b"\n" + b"z" * 8192 + b"\n" + b"in\rside\n" + bad +
        "emoji 😀 end\n\0zero\0\nnot complete".encode(), 1)
    put("headers/first.1", b"one\ntwo\n", 9)
    put("headers/second.1", b"three\nfour\n", 8)
    put("headers/first.2", b"five\n", 7)
    for i in range(12):
        put(f"order/f{i}", b"".join(b"file %d line %d\n" % (i, line) for line in range(250)), i * 5 % 12)
    for i in range(3):
        put(f"turns/f{i}", b"".join(b"file %d line %d\n" % (i, line) for line in range(7)), 9 - i)
    for i, name in enumerate(("app.1.log", "app.22.log", "app.x.log", "xapp.1.log", "app.1.log.old", ".app.1.log", "app.3.log/app.4.log")):
        put(f"names/{name}", name.encode() + b"\n", 20 - i)
    put("all/.hidden", b"hidden\n", 5)
    put("elsewhere/target", b"by a link\n", 4)
    os.symlink("../elsewhere/target", f"{logs}/all/link")
    put("grow/a.log", b"one\ntw", 1)
    put("idle/a.log", b"one\nno end", 1)
    put("skip/a.log", b"old 1\nold 2\n", 1)
    put("filler/a.log", b"one\n" + bytes(300000), 1)  # made long at once
    put("counter/a.log", b"lines=00\n" + b"".join(b"line %d of the log\n" % i for i in range(30)), 1)
complaints = []
def wait(flow, what, condition):
    until = patient_s() + 45
    while not condition():
        if patient_s() > until:
            complaints.append(f"{flow}: {what}")
            return
        time.sleep(0.05)
def lines(flow, count):
    def arrived():
        folder = f"{top}/out/{flow}"
        return sum(open(f"{folder}/{name}", "rb").read().count(b"\n") for name in os.listdir(folder)) >= count
    wait(flow, f"not {count} lines", arrived)
def skipped():
    try:
        return "/skip/a.log" in open(f"{top}/positions/skip.json").read()
    except OSError:
        return False
def grow():
    lines("grow", 1)
    write("grow/a.log", b"o\nthree\n")
    lines("grow", 3)
    write("grow/b.log", b"four\n")
    lines("grow", 4)
    write("grow/a.log", b"5\n", "wb")  # cut, and shorter than before
    lines("grow", 5)
    write("grow/a.log", b"six\n")
    lines("grow", 6)
def idle():
    lines("idle", 2)  # "no end" is an event when the file rests
    write("idle/a.log", b" and more\n")
    lines("idle", 3)
def skip():
    wait("skip", "no position", skipped)
    write("skip/a.log", b"new 1\n")
    lines("skip", 1)
    write("skip/b.log", b"new 2\n")
    lines("skip", 2)
def over(path, offset, contents):
    with open(f"{logs}/{path}", "r+b") as out:
        out.seek(offset)
        out.write(contents)
def filler():
    lines("filler", 1)
    over("filler/a.log", 4, b"two\nthr")
    lines("filler", 2)
    over("filler/a.log", 11, b"ee\n\0four\0\n")
    lines("filler", 4)
    os.truncate(f"{logs}/filler/a.log", 21)  # the writer ends
    write("filler/a.log", b"five\n")
    lines("filler", 5)
def counter():
    lines("counter", 31)
    for i in range(1, 6):
        over("counter/a.log", 6, b"%02d" % i)
        write("counter/a.log", b"more %d\n" % i)
        lines("counter", 31 + i)
if verb == "prepare":
    prepare()
    sys.exit()
threads = [threading.Thread(target=target, args=arguments) for target, arguments in (
    (grow, ()), (idle, ()), (skip, ()), (filler, ()), (counter, ()), (lines, ("lines", 13)), (lines, ("headers", 5)), (lines, ("order", 3000)), (lines, ("turns", 21)),
    (lines, ("names", 2)), (lines, ("all", 2)))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*complaints, sep="\n")
print("end")
EOF_

agent_file() {
    local flow
    mkdir -p "$1/positions"
    cat <<-EOF_
	a1.sources = $flows
	a1.channels = $flows
	a1.sinks = $flows
	a1.sources.headers.filegroups = f s
	a1.sources.headers.filegroups.f = $1/logs/headers/first\\\\..*
	a1.sources.headers.filegroups.s = $1/logs/headers/second\\\\.[0-9]
	a1.sources.headers.headers.f.kind = first
	a1.sources.headers.headers.f.other.key = with a dot
	a1.sources.headers.headers.s.kind = second
	a1.sources.headers.fileHeader = true
	a1.sources.headers.fileHeaderKey = path
	a1.sources.headers.byteOffsetHeader = true
	a1.sources.turns.batchSize = 1
	a1.sources.turns.maxBatchCount = 2
	a1.sources.names.filegroups.g = $1/logs/names/app\\\\.\\\\d+\\\\.log
	a1.sources.all.fileHeader = true
	a1.sources.grow.byteOffsetHeader = true
	a1.sources.idle.idleTimeout = 1000
	a1.sources.idle.byteOffsetHeader = true
	a1.sources.skip.skipToEnd = true
	a1.sources.skip.byteOffsetHeader = true
	EOF_
    for flow in $flows; do
        [[ $flow == headers ]] || echo "a1.sources.$flow.filegroups = g"
        [[ $flow == headers || $flow == names ]] || echo "a1.sources.$flow.filegroups.g = $1/logs/$flow/.*"
        cat <<-EOF_
		a1.sources.$flow.type = TAILDIR
		a1.sources.$flow.positionFile = $1/positions/$flow.json
		a1.sources.$flow.writePosInterval = 200
		a1.sources.$flow.backoffSleepIncrement = 50
		a1.sources.$flow.maxBackoffSleep = 200
		a1.sources.$flow.channels = $flow
		EOF_
        into_files "$flow" "$1/out/$flow" 5000 1000
    done
    PYTHONPATH=$here/../support PYTHONDONTWRITEBYTECODE=1 python3 "$work/player.py" "$1" prepare
    PYTHONPATH=$here/../support PYTHONDONTWRITEBYTECODE=1 python3 "$work/player.py" "$1" play >"$1.player" 2>&1 &
}
arrived() { grep -cx end "$1.player"; } # whether the schedule was played

positions() { # FILE: file and position, without what both need not have
    jq -r '.[] | select(.pos > 0) | "\(.file) \(.pos)"' "$1" | sed -E "s#$work/(flume|penstock)/##" | sort
}

both 1
# Flume reads one group after the other, in the order of Java's hashes of their names; within a group, and without groups, the oldest
# file first, as penstock does.
comparable() { sed -E "s#$work/(flume|penstock)/#TOP/#g" | if [[ $flow == headers ]]; then sort; else cat; fi; }
for flow in $flows; do
    same_content "events of $flow" "out/$flow" comparable
    for engine in flume penstock; do positions "$work/$engine/positions/$flow.json" >"$work/$engine.text"; done
    same "positions of $flow" "$work/flume.text" "$work/penstock.text"
done
same "what the player says" "$work/flume.player" "$work/penstock.player"

# ---- one takes over from the other ----

logs=$work/shared/logs
mkdir -p "$logs"
positions=$work/shared/positions.json

shared_file() { # OUT
    mkdir -p "$1"
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = TAILDIR
	a1.sources.r1.filegroups = g
	a1.sources.r1.filegroups.g = $logs/.*\\\\.log.*
	a1.sources.r1.positionFile = $positions
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 5000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $1
	a1.sinks.k1.sink.rollInterval = 0
	EOF_
}
turn=0
has_taken() { (($(find "$1" -type f -exec cat {} + | wc -l) >= $2)); } # DIR LINES
takes() { # ENGINE LINES...: runs it until it has so many lines, which must be these, in any order of the files
    local name=$1
    shift
    ((turn += 1))
    shared_file "$work/shared/$turn" >"$work/shared.$turn.properties"
    start "$work/shared.$turn" "${engines[$name]}"
    await 60 has_taken "$work/shared/$turn" $# || fail "turn $turn, $name: not all lines arrived"
    sleep 0.5 # time for lines that should not come
    stop TERM
    printf '%s\n' "$@" | sort >"$work/expected.text"
    find "$work/shared/$turn" -type f -exec cat {} + | sort >"$work/taken.text"
    cmp "$work/expected.text" "$work/taken.text" ||
        fail "turn $turn, $name: $(diff "$work/expected.text" "$work/taken.text" | head -n 5)"
    cp "$positions" "$work/shared/positions.$turn"
    echo "$name goes on where the other one stood: $# lines"
}

for first in penstock flume; do
    second=$([[ $first == flume ]] && echo penstock || echo flume)
    rm -rf "$logs" "$positions" "$positions.identities"
    mkdir -p "$logs"
    printf 'one\ntwo\nthr' >"$logs/a.log"
    seq 5000 5999 >"$logs/b.log"
    # shellcheck disable=SC2046
    takes "$first" one two $(seq 5000 5999)
    printf 'ee\nfour\n' >>"$logs/a.log"
    seq 6000 6999 >>"$logs/b.log"
    printf 'new\n' >"$logs/c.log"
    # shellcheck disable=SC2046
    takes "$second" three four new $(seq 6000 6999)
    printf 'five\n' >>"$logs/a.log"
    printf 'newer\n' >>"$logs/c.log"
    takes "$first" five newer
    # What only penstock does: a renamed file is the same one, also by a position of Flume's.
    if [[ $first == flume ]]; then
        mv "$logs/a.log" "$logs/a.log.1"
        printf 'six\n' >>"$logs/a.log.1"
        printf 'seven\n' >"$logs/a.log"
        takes penstock six seven
    fi
done
