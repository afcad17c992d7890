#!/usr/bin/env bash
# The source spooldir of a running agent: thousands of files, and one of some megabytes, through SIGKILL: no line is lost, each file's
# lines are in order, every file is renamed; a file that changes and a name that comes back stop the source or are left alone.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

metrics_port=$(free_port)

configuration() { # CHANNEL FURTHER LINES...: writes the agent's file
    spool_agent "$1" 5000 "${@:2}"
}

lines_out() { # how many lines are there, at least: files may be written meanwhile
    cat "$work"/out/* 2>/dev/null | wc -l
}
has_lines() { (($(lines_out) >= $1)); }
completed() { find "$spool" -maxdepth 1 -name '*.COMPLETED' | wc -l; }
all_completed() { (($(completed) == $1)); }

fresh() { # empties everything
    rm -rf "$spool" "$work/out" "$work/state" "$work/data" "$work/missing"
    mkdir -p "$spool" "$work/out"
    : >"$work/agent.err"
}

make_files() { # COUNT LINES: files of so many lines "FILE LINE", and one of 60,000
    python3 - "$spool" "$1" "$2" <<'END'
import os, sys
spool, count, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def put(name, number):
    with open(f"{spool}/.{name}", "w") as out:
        out.writelines(f"{name} {line} {'.' * 60}\n" for line in range(number))
    os.rename(f"{spool}/.{name}", f"{spool}/{name}")
for i in range(count // 2):
    put(f"f{i:05}", lines)
put("large", 60000)
for i in range(count // 2, count):
    put(f"f{i:05}", lines)
END
}

check_lines() { # COUNT LINES: every line is there; what comes again begins at an earlier line of the file, not with a hole
    python3 - "$work/out" "$1" "$2" <<'END' || fail "lines are missing or out of order"
import os, sys
out, count, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
highest, total = {}, 0
for name in sorted(os.listdir(out), key=lambda name: tuple(map(int, name.split("-")))):
    for line in open(f"{out}/{name}", newline="\n"):
        if not line.endswith("\n"):
            break  # the kill cut the write in two: nobody was told that it is there
        total += 1
        file, number, dots = line.split()
        number = int(number)
        if dots != "." * 60:
            sys.exit(f"damaged: {line!r}")
        if number > highest.get(file, -1) + 1:
            sys.exit(f"{file}: line {number} after {highest.get(file, -1)}")
        highest[file] = max(highest.get(file, -1), number)
wrong = [file for file, number in highest.items() if number + 1 != (60000 if file == "large" else lines)]
if wrong or len(highest) != count + 1:
    sys.exit(f"{len(highest)} files, not all lines of {wrong[:5]}")
print(f"{total} lines, {total - count * lines - 60000} of them again")
END
}

# ---- SIGKILL, with a channel that forgets and with one that does not ----

for channel in memory file; do
    fresh
    if [[ $channel == file ]]; then
        configuration file "a1.channels.c1.checkpointDir = $work/state" "a1.channels.c1.dataDirs = $work/data" \
            "a1.channels.c1.minimumRequiredSpace = 1048576"
    else
        configuration memory
    fi
    make_files 2000 20
    for kill_at in 4000 30000 70000; do
        start_spool_agent
        await "$channel: $kill_at lines" has_lines $kill_at
        kill -KILL "$agent"
        wait "$agent" 2>/dev/null || true
        unset "children[$agent]"
    done
    start_spool_agent
    await "$channel: all files are renamed" all_completed 2001
    stop_agent TERM 0
    check_lines 2000 20
    [[ ! -e $spool/.flumespool/.flumespool-main.meta ]] || fail "a position is left"
    ! grep -E "ERROR|FATAL" "$work/agent.err" || fail "errors"
done

# ---- what breaks the assumptions ----

stopped() { grep -q "FATAL: Spool Directory source r1.*$1" "$work/agent.err"; }
is_not_ready() { # MESSAGE
    [[ $(curl -s -w '%{http_code}' "http://127.0.0.1:$metrics_port/readyz") == *"source r1 has stopped reading: "*"$1"*503 ]] &&
        curl -fs "http://127.0.0.1:$metrics_port/metrics/prometheus" | grep -q '^penstock_component_up{kind="source",component="r1"} 0$'
}
is_ready() { curl -fs "http://127.0.0.1:$metrics_port/readyz" >"$work/readyz"; }
is_open_elsewhere() { # the file was read: a later look at its time finds another one
    curl -fs "http://127.0.0.1:$metrics_port/metrics" | grep -q '^penstock_source_events_received_total{component="r1"} 1$'
}
left_alone() { grep -q "ERROR.*$1.*left alone" "$work/agent.err"; }

for policy in stop skip; do
    for what in changed reused; do
        fresh
        configuration memory "a1.sources.r1.penstock.onFileError = $policy"
        message="File has been modified since being read"
        printf 'first\n' >"$spool/.one"
        if [[ $what == reused ]]; then
            echo other >"$spool/one.COMPLETED"
            message="File name has been re-used with different files"
        else
            # it has one time when it is opened, and another one whenever it is looked at again
            printf '%s\n' "a1.sinks.k1.sink.directory = $work/missing" >>"$work/agent.properties"
        fi
        mv "$spool/.one" "$spool/one"
        start_spool_agent
        if [[ $what == changed ]]; then # the sink cannot write, so the file is read and not finished
            await "the sink fails" grep -q "$work/missing" "$work/agent.err"
            await "the file is read" is_open_elsewhere
            touch -d "2001-01-01" "$spool/one"
            mkdir "$work/missing"
        fi
        if [[ $policy == stop ]]; then
            await "$what: the source stops" stopped "$message"
            await "$what: /readyz and the metrics say so" is_not_ready "$message"
            echo second >"$spool/.two"
            mv "$spool/.two" "$spool/two"
            stop_agent TERM 0
            [[ -e $spool/two ]] || fail "$what: the source went on"
        else
            await "$what: the file is left alone" left_alone "$message"
            echo second >"$spool/.two"
            mv "$spool/.two" "$spool/two"
            await "$what: the source goes on" test -e "$spool/two.COMPLETED"
            is_ready || fail "$what: not ready: $(<"$work/readyz")"
            stop_agent TERM 0
        fi
        [[ -e $spool/one ]] || fail "$what: the file is gone"
    done
done
