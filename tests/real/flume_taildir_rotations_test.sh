#!/usr/bin/env bash
# Needs: flume
# Source taildir and a real Flume's follow the same files at the same time, through rotations of every kind. None of the lines may be
# missing or come twice from penstock; what Flume loses and repeats is printed, and it must be something.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v python3 >/dev/null || skip "no python3"

cases="renamed cut reused deleted moved compressed"

# Writes the files and rotates them. Nothing is rotated before both have read what was there, unless the case is about just that.
cat >"$work/player.py" <<'EOF_'
import collections, gzip, os, shutil, sys, threading, time
from patience import patient_s
top, pids = sys.argv[1], sys.argv[2:]
written = collections.defaultdict(list)  # case -> its lines
problems = []
def path(case, name):
    return f"{top}/logs/{case}/{name}"
def text(case, count):
    """The next lines of the case."""
    first = len(written[case])
    new = [f"{case} line {number} of a log" for number in range(first, first + count)]
    written[case] += new
    return "".join(line + "\n" for line in new)
def write(case, count, name="app.log", mode="a"):
    with open(path(case, name), mode) as out:
        out.write(text(case, count))
def taken(engine, case):
    folder = f"{top}/{engine}/{case}"
    lines = []
    for name in sorted(os.listdir(folder), key=lambda one: int(one.partition("-")[2])):
        lines += open(f"{folder}/{name}", errors="replace").read().split("\n")[:-1]
    return lines
def wait(what, condition, seconds=90):
    until = patient_s() + seconds
    while not condition():
        if patient_s() > until:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
def both_have(case):
    """Waits until both have the last line. Flume may have lost others."""
    last = written[case][-1]
    for engine in ("penstock", "flume"):
        wait(f"{case}: {engine} has {last}", lambda: last in taken(engine, case))
def open_anywhere(name):
    for pid in pids:
        for one in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{one}").removesuffix(" (deleted)") == name:
                    return True
            except OSError:
                pass
    return False

def renamed(case):  # to a name that matches
    os.rename(path(case, "app.log"), path(case, "app.log.1"))
    write(case, 100)
def cut(case):  # copytruncate; then the file grows beyond what it was
    shutil.copyfile(path(case, "app.log"), path(case, "copy"))
    with open(path(case, "app.log"), "r+") as out:
        out.truncate(0)
        out.write(text(case, 400))
def reused(case):  # deleted; the inode is that of the next file
    file = path(case, "app.log")
    inode = os.stat(file).st_ino
    wait("both have closed a file that rests", lambda: not open_anywhere(file))
    os.unlink(file)
    others = []
    for number in range(2000):
        others.append(path(case, f"new{number}"))
        open(others[-1], "w").close()
        if os.stat(others[-1]).st_ino == inode:
            break
    else:
        print("this file system does not use the inode again: it is another file, as usual")
    write(case, 300, os.path.basename(others[-1]))
    os.rename(others.pop(), file)
    for other in others:
        os.unlink(other)
def deleted(case):  # while it is read
    with open(path(case, "app.log"), "a") as out:
        out.write(text(case, 20000))
        out.flush()
        os.unlink(path(case, "app.log"))
        out.write(text(case, 100))
    write(case, 100)
def moved(case):  # to a name that does not match, and its writer goes on for a while
    with open(path(case, "app.log"), "a") as out:
        out.write(text(case, 100))
        out.flush()
        os.rename(path(case, "app.log"), path(case, "old"))
        out.write(text(case, 100))
    write(case, 100)
def compressed(case):  # under a name that matches
    os.rename(path(case, "app.log"), path(case, "rotated"))
    write(case, 100)
    with open(path(case, "rotated"), "rb") as plain, gzip.open(path(case, "zipped"), "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.rename(path(case, "zipped"), path(case, "app.log.1.gz"))
    os.unlink(path(case, "rotated"))

def play(case, rotate):
    try:
        write(case, 200)
        both_have(case)
        rotate(case)
        write(case, 1)
        both_have(case)
        wait(f"{case}: penstock has all lines", lambda: set(written[case]) <= set(taken("penstock", case)))
    except Exception as error:
        problems.append(f"{case}: {error}")
def account(engine, case):
    got = collections.Counter(taken(engine, case))
    lost = sum(1 for line in written[case] if line not in got)
    again = sum(got[line] - 1 for line in written[case] if line in got)
    return lost, again, sum(got.values()) - sum(got[line] for line in written[case])

cases = {one.__name__: one for one in (renamed, cut, reused, deleted, moved, compressed)}
threads = [threading.Thread(target=play, args=one) for one in cases.items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
time.sleep(0.5)  # for lines that should not come
total = 0
for case in cases:
    lost, again, foreign = account("flume", case)
    total += lost + again + foreign
    print(f"{case}: {len(written[case])} lines; Flume lost {lost}, repeated {again}, and made {foreign} that nobody wrote")
    ours = account("penstock", case)
    if any(ours):
        problems.append(f"{case}: penstock lost {ours[0]}, repeated {ours[1]}, made {ours[2]} that nobody wrote")
if total == 0:
    problems.append("Flume took every line once: the schedule shows nothing")
sys.exit("\n".join(problems) or 0)
EOF_

agent_file() { # ENGINE
    local one
    cat <<-EOF_
	a1.sources = $cases
	a1.channels = $cases
	a1.sinks = $cases
	a1.sources.reused.idleTimeout = 1000
	EOF_
    for one in $cases; do
        mkdir -p "$work/$1/$one" "$work/logs/$one"
        cat <<-EOF_
		a1.sources.$one.type = TAILDIR
		a1.sources.$one.filegroups = f
		a1.sources.$one.filegroups.f = $work/logs/$one/app\\\\.log.*
		a1.sources.$one.positionFile = $work/$1.positions/$one.json
		a1.sources.$one.channels = $one
		a1.channels.$one.type = memory
		a1.channels.$one.capacity = 50000
		a1.channels.$one.transactionCapacity = 1000
		a1.sinks.$one.type = file_roll
		a1.sinks.$one.channel = $one
		a1.sinks.$one.sink.directory = $work/$1/$one
		a1.sinks.$one.sink.rollInterval = 0
		EOF_
    done
}
agents=()
trap 'code=$?; kill -KILL "${agents[@]}" 2>/dev/null || true; finish $code' EXIT
begin() { # ENGINE PROGRAM
    agent_file "$1" >"$work/$1.properties"
    "$2" agent -n a1 -f "$work/$1.properties" >"$work/$1.log" 2>&1 </dev/null &
    agents+=($!)
}
begin flume "$here/flume"
begin penstock "$PENSTOCK"
PYTHONPATH=$here/../support PYTHONDONTWRITEBYTECODE=1 python3 "$work/player.py" "$work" "${agents[@]}" || fail "the account is not right"
kill -TERM "${agents[@]}"
wait "${agents[0]}" || true
wait "${agents[1]}" || fail "penstock ended with $?"
echo "penstock took every line once"
