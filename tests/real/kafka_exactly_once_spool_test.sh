#!/usr/bin/env bash
# Needs: kafka
# spooldir -> memory channel -> Kafka with penstock.guarantee = exactly-once and a real broker: the agent is killed with SIGKILL
# again and again (KILLS=n for each case), stopped, and reloaded, and its meta file is removed, while files are put into the directory, also empty ones.
# Cases: what is done with a finished file (renamed, deleted, marked) and the deserializers LINE, AVRO (blocks of 1,000 records) and BLOB
# (pieces of a file). Readers of committed records (kcat, and Java's consumer) see each event once, those of one file in order, and
# nothing else; each file is retired, and no record of a file is left in the topic of positions. On a failure it prints the files that
# were put, both topics with offsets and times, and the log of all lives of the agent.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"

kills=${KILLS:-3}
begin_draws
step "a broker"
kafka_share

# Lines have 31 characters: the number of the file, and theirs.
lines_of() { seq -f "f$(printf %08d "$1")-%021.0f" 1 "$2"; } # FILE COUNT

# An Avro container file of strings, in blocks of 1,000. One that begins with > has 31 bytes.
avro_head() { printf 'Obj\001\002\026avro.schema\020"string"\0000123456789abcdef'; }
avro_blocks() { # FILE COUNT
    local rest=$2 first=1
    while ((rest > 0)); do
        printf '\320\017\200\364\003' # 1,000 records, 32,000 bytes
        lines_of "$1" $((first + 999)) | tail -1000 | sed 's/^/>/' | tr -d '\n'
        printf 0123456789abcdef
        first=$((first + 1000)) rest=$((rest - 1000))
    done
}

# DIRECTORY FORMAT LIST: puts files until the file `stop` is there, then writes how many files, lines and empty files there were. Writes
# name, lines and time of each into LIST.
write_files() {
    local directory=$1 format=$2 list=$3 file=0 all=0 empty=0 count
    while [[ ! -e $work/stop ]]; do
        file=$((file + 1)) count=$((RANDOM % 10 == 0 ? 0 : RANDOM % 1500))
        case $format in
            LINE) lines_of $file $count >"$work/next" ;;
            AVRO)
                count=$((RANDOM % 3 * 1000))
                { avro_head && avro_blocks $file $count; } >"$work/next"
                ;;
            BLOB)
                count=$((count + 1))
                lines_of $file $count >"$work/next"
                ;;
        esac
        ((count > 0)) || empty=$((empty + 1))
        all=$((all + count))
        echo "file-$file $count $EPOCHREALTIME" >>"$list"
        mv "$work/next" "$directory/file-$file"
        sleep 0.0$((2 + RANDOM % 7))
    done
    echo "$file $all $empty" >"$work/written"
}

look() { # TOPIC: sets total, unique, blank, other
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning -X isolation.level=read_committed >"$work/all"
    blank=$(grep -c '^$' "$work/all" || true)
    other=$(grep -vcE '^(>?f.*)?$' "$work/all" || true)
    sed -n 's/^>\{0,1\}\(f.*\)/\1/p' "$work/all" >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -u "$work/out" | wc -l)
}
# While transactions end all the time, kcat -e does not find an end: it is asked where the log ends, aborted records included.
written() { kcat -Q -b "$brokers" -t "$1:0:-1" | awk '{print $NF}'; }
has_written() { (($(written "$1" || true) + 0 >= $2)); }
retired() { # DIRECTORY DELETE TRACK: prints how many files are still to be retired
    case $2,$3 in
        immediate,*) find "$1" -maxdepth 1 -type f -name 'file-*' | wc -l ;;
        *,tracker_dir) echo $((files - $(find "$1/.flumespool" -name '*.COMPLETED' | wc -l))) ;;
        *) echo $((files - $(find "$1" -maxdepth 1 -name 'file-*.COMPLETED' | wc -l))) ;;
    esac
}
is_retired() { (($(retired "$@") == 0)); }
# Prints the keys of files that have a record, of all agents with this topic.
records_left() {
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning -X isolation.level=read_committed -f '%k %S\n' |
        awk '$1 ~ /\/.*\// {size[$1] = $2} END {for (key in size) if (size[key] >= 0) print key}'
}
no_records() { [[ ! $(records_left "$1") ]]; }

# ---- what a failure is judged by ----

records() { # TOPIC ISOLATION FORMAT
    kcat -C -q -e -b "$brokers" -t "$1" -o beginning -X isolation.level="$2" -f "$3"
}
evidence() { # NAME DIRECTORY TOPIC POSITIONS
    echo "--- $1: files that were put: name, events, time"
    cat "$work/$1.files"
    echo "--- files that are left"
    find "$2" -printf '%P, inode %i, %s bytes\n' | sort
    echo "--- events of $3 that are empty, strange or there twice: offset, time, value"
    records "$3" read_committed '%o %T %s\n' | awk 'NF == 2 || NF > 3 || (NF == 3 && ($3 !~ /^>?f/ || seen[$3]++))'
    echo "--- records of $4: committed, offset, time, key, value"
    records "$4" read_committed '%o\n' >"$work/committed"
    records "$4" read_uncommitted '%o %T %k %s\n' |
        awk 'NR == FNR {committed[$1]; next} {print ($1 in committed ? "yes" : "no "), $0}' "$work/committed" -
    echo "--- log of the agent"
    cat "$work/$1.log"
}
# These two use the variables of run_case.
broken() { # WHAT
    evidence "$name" "$directory" "$topic" "$positions" >&2 || true
    fail "$name: $*"
}
begin_life() {
    printf '=== life %d, %(%T)T\n' $((++life)) -1 >>"$work/$name.log"
    agent_start "$name"
}

reloads() { grep -c 'reading the configuration again' "$work/$1.log" || true; } # NAME
more_reloads() { (($(reloads "$1") > $2)); }

run_case() { # NAME FORMAT DELETE TRACK [KEY=VALUE]...
    local name=$1 format=$2 delete=$3 track=$4 kill blanks writer life=0
    local directory=$work/$name topic=spool-$name positions=spool-$name-positions
    shift 4
    mkdir -p "$directory"
    rm -f "$work/stop" "$work/written"
    kafka_topic "$topic" 1
    exactly_once_file "$name" "$topic" "$positions" 50 sources.r1.type=spooldir sources.r1.host= sources.r1.port= \
        sources.r1.spoolDir="$directory" sources.r1.deletePolicy="$delete" sources.r1.trackingPolicy="$track" \
        sources.r1.pollDelay=20 sources.r1.deserializer="$format" channels.c1.capacity=20000 "$@"
    begin_life
    write_files "$directory" "$format" "$work/$name.files" &
    writer=$!
    children[$writer]=writer
    await 60 has_written "$topic" 1000 || fail "$name: no events arrive"
    for ((kill = 1; kill <= kills; kill++)); do
        if ((kill % 3 == 2)); then # a reload: the source is opened anew, while its batches are on their way
            before=$(written "$topic")
            await 60 has_written "$topic" $((before + 1)) || fail "$name: no events arrive"
            agent_key "$name" "sources.r1.pollDelay=$((20 + kill))"
            before=$(reloads "$name")
            agent_signal "$name" HUP
            await 60 more_reloads "$name" "$before" || fail "$name: it does not begin to reload"
        fi
        # Sometimes soon after the start: before the records are read, or while they are.
        sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
        if ((kill % 5 == 0)); then
            before=$(written "$topic")
            await 60 has_written "$topic" $((before + 1)) || fail "$name: no events arrive"
            agent_stop "$name"
        else
            agent_kill "$name"
        fi
        ((kill % 3 != 0)) || rm -f "$directory/.flumespool/.flumespool-main.meta" # the topic has the positions
        begin_life
    done
    touch "$work/stop"
    wait "$writer" || fail "the writer ends with $?"
    unset "children[$writer]"
    read -r files lines blanks <"$work/written"
    await 180 is_retired "$directory" "$delete" "$track" ||
        broken "$(retired "$directory" "$delete" "$track") of $files files are not retired"
    await 60 no_records "$positions" || broken "records are left: $(records_left "$positions" | head -3)"
    agent_stop "$name"
    look "$topic"
    step "$name: $kills kills, $files files, written $lines, committed $total, lost $((lines - unique)), twice $((total - unique))"
    ((unique == lines)) || broken "events are lost"
    ((total == unique)) || broken "events are there twice: $(sort "$work/out" | uniq -d | head -3 | tr '\n' ' ')"
    [[ $format == BLOB ]] || ((blank == blanks)) || broken "$blanks empty files, $blank empty events"
    ((other == 0)) || broken "$other events are of no file that was put: $(grep -vE '^(>?f.*)?$' "$work/all" | head -3)"
    awk -F- '$2 <= last[$1] {print $0 " after " last[$1]; exit 1} {last[$1] = $2}' "$work/out" || broken "the order changed"
    says_nothing "$name" ' (FATAL|modified since|re-used)'
}

run_case never LINE never rename
java_reads_committed spool-never "$(wc -l <"$work/all")"
diff -q "$work/all" "$work/java" >/dev/null || fail "Java's consumer reads something else"
run_case immediate LINE immediate rename
run_case tracker LINE never tracker_dir
run_case avro AVRO never rename
run_case blob BLOB immediate rename sources.r1.deserializer.maxBlobLength=32
