#!/usr/bin/env bash
# Needs: kafka
# taildir -> memory channel -> Kafka with penstock.guarantee = exactly-once and a real broker: the agent is killed with SIGKILL
# again and again (KILLS=n), stopped, and reloaded, while followed files are written, renamed, and copied and
# truncated (copytruncate, with nothing written meanwhile). Readers of committed records (kcat, and Java's consumer)
# see each line once, and those of one file in order.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

kills=${KILLS:-4}
begin_draws
step "a broker"
kafka_share
kafka_topic files-out 1

mkdir -p "$work/logs"
exactly_once_file a1 files-out files-positions 50 sources.r1.type=TAILDIR sources.r1.host= sources.r1.port= \
    sources.r1.filegroups=g sources.r1.filegroups.g="$work/logs/.*[.]log.*" sources.r1.positionFile="$work/positions.json" \
    channels.c1.capacity=20000

# FILE KIND: writes numbered lines until the file `stop` is there, and then how many there were. After each 50 blocks the file is
# renamed, and the older ones with it, or it is copied and truncated. Nothing is removed: the agent may be behind.
write_lines() {
    local name=$1 kind=$2 line=0 block=0 old
    while [[ ! -e $work/stop ]]; do
        seq -f "$name %.0f" $((line + 1)) $((line + 20)) >>"$work/logs/$name.log"
        line=$((line + 20))
        block=$((block + 1))
        sleep 0.02
        ((block % 50 == 0)) || continue
        case $kind in
            rename)
                [[ ! -e $work/logs/$name.log.3 ]] || mv "$work/logs/$name.log.3" "$work/logs/$name.log.old-$block"
                for old in 2 1; do
                    [[ ! -e $work/logs/$name.log.$old ]] || mv "$work/logs/$name.log.$old" "$work/logs/$name.log.$((old + 1))"
                done
                mv "$work/logs/$name.log" "$work/logs/$name.log.1"
                ;;
            copy)
                cp "$work/logs/$name.log" "$work/logs/$name.log.copy-$block"
                : >"$work/logs/$name.log"
                ;;
        esac
    done
    echo "$line" >"$work/written.$name"
}

look() { # sets total, unique
    kcat -C -q -e -b "$brokers" -t files-out -o beginning -X isolation.level=read_committed >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -u "$work/out" | wc -l)
}
# While transactions end all the time, kcat -e does not find an end: it is asked where the log ends, aborted records included.
written() { kcat -Q -b "$brokers" -t files-out:0:-1 | awk '{print $NF}'; }
has_written() { (($(written || true) + 0 >= $1)); }
has_delivered() { look; ((total >= $1)); }

agent_start a1
writers=()
for name in one two; do write_lines $name rename & writers+=($!); children[$!]=writer; done
write_lines three copy & writers+=($!)
children[$!]=writer
await 60 has_written 1000 || fail "no lines arrive"

step "$kills kills"
for ((kill = 1; kill <= kills; kill++)); do
    # Sometimes soon after the start: before the positions are read, or while they are.
    sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
    case $((kill % 5)) in
        0) # once it delivers
            before=$(written)
            await 60 has_written $((before + 1)) || fail "no lines arrive"
            agent_stop a1
            ;;
        *) agent_kill a1 ;;
    esac
    agent_start a1
    ((kill % 10 != 0)) || step "kill $kill: $(written) records in the topic"
done
touch "$work/stop"
wait "${writers[@]}" || fail "a writer ends with $?"
for name in "${!children[@]}"; do [[ ${children[$name]} != writer ]] || unset "children[$name]"; done
lines=$(cat "$work"/written.* | awk '{n += $1} END {print n}')
is_complete() { look; ((unique >= lines)); }
await 120 is_complete || fail "written $lines, committed $unique"
agent_stop a1
look
step "written $lines, committed $total, lost $((lines - unique)), twice $((total - unique))"
((unique == lines)) || fail "lines are lost"
((total == unique)) || fail "lines are there twice: $(sort "$work/out" | uniq -d | head -3 | tr '\n' ' ')"
# A thousand lines were in one file; the rest of a file that was renamed may come behind the first lines of the next one.
awk '{file = $1 " " int(($2 - 1) / 1000)} $2 <= last[file] {print $1 ": " $2 " after " last[file]; exit 1} {last[file] = $2}' \
    "$work/out" || fail "the order changed"

java_reads_committed files-out "$total"
diff -q "$work/out" "$work/java" >/dev/null || fail "Java's consumer reads something else"

step "without the position file the source goes on from the topic"
rm "$work/positions.json" "$work/positions.json.identities"
agent_start a1
echo "one $(($(<"$work/written.one") + 1))" >>"$work/logs/one.log"
await 60 has_delivered $((total + 1)) || fail "the last line does not arrive"
agent_stop a1
before=$total
look
((total == before)) || fail "$((total - before + 1)) lines come again"
