# Shared by tests/real/flume_kafka_*_test.sh, which source it first: runs the same agent file with a real Flume 1.11 and
# with penstock at the same time, with one real Kafka. The script defines
#
#   agent_text ENGINE   writes the file to standard output; topics (ENGINE.something), groups and files (below
#                       $work/out/ENGINE) that only this engine uses have ENGINE in their names
#
# and calls `both_start`, `both_reach` and `both_stop`, then `same...`, at last `all_same`.
# shellcheck shell=bash
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

engines="flume penstock"
export FLUME_LOG=${FLUME_LOG:-WARN}
flume=$PENSTOCK_SOURCE/tests/real/flume
command -v kcat >/dev/null || skip "no kcat"
"$flume" fetch >/dev/null 2>&1 || skip "Flume's jars cannot be fetched"

both_start() {
    local engine
    for engine in $engines; do
        mkdir -p "$work/out/$engine"
        agent_text "$engine" >"$work/$engine.properties"
    done
    "$flume" agent -n a1 -f "$work/flume.properties" >>"$work/flume.log" 2>&1 </dev/null &
    flume_pid=$!
    children[$!]=Flume
    agent_start penstock
}

both_stop() {
    kill -TERM "$flume_pid"
    agent_stop penstock
    await 30 is_gone "$flume_pid" || fail "Flume does not end"
    wait "$flume_pid" || true
    unset "children[$flume_pid]"
}

# ---- input ----

produce() { # TOPIC [OPTION|FILE]... of kcat
    kcat -P -q -b "$brokers" -t "$@" || fail "nothing is written to topic $1"
}

committed() { # writes the offsets of all groups to $work/offsets, as GROUP TOPIC PARTITION OFFSET END
    consumer_groups | cut -d ' ' -f 1-5 | sort >"$work/offsets"
}

# Prints an event in Flume's Avro format: the map of headers (one block of them and an empty one), then the body.
avro_event() { # BODY [NAME=VALUE]...
    local LC_ALL=C body=$1 pair
    shift
    (($# == 0)) || avro_long $#
    for pair; do
        avro_text "${pair%%=*}"
        avro_text "${pair#*=}"
    done
    avro_long 0
    avro_text "$body"
}

avro_text() {
    avro_long ${#1}
    printf '%s' "$1"
}

avro_long() { # NUMBER, at least 0
    local rest=$(($1 * 2)) octal
    while ((rest > 127)); do
        printf -v octal '%03o' $((rest & 127 | 128))
        printf '%b' "\\0$octal"
        rest=$((rest >> 7))
    done
    printf -v octal '%03o' "$rest"
    printf '%b' "\\0$octal"
}

# ---- output ----

topics_of() { # ENGINE: prints the names of its topics without the prefix
    kcat -L -b "$brokers" | sed -nE "s/^  topic \"$1\.(.*)\" with [1-9].*/\1/p" | sort
}

# Prints the number of records in an engine's topics plus the number of lines in its files.
arrived() { # ENGINE
    local topic partition wanted=()
    for topic in $(topics_of "$1"); do
        for partition in 0 1 2 3; do wanted+=(-t "$1.$topic:$partition:-1"); done
    done
    {
        ((${#wanted[@]} == 0)) || kcat -Q -b "$brokers" "${wanted[@]}" 2>/dev/null | sed 's/.* offset //'
        find "$work/out/$1" -type f -exec cat {} + | wc -l
    } | awk '{sum += $1} END {print sum + 0}'
}

has_arrived() { # ENGINE COUNT
    (($(arrived "$1") >= $2))
}

both_reach() { # COUNT: waits for so many records and lines of each engine; fails when more arrive
    local engine
    for engine in $engines; do
        await 60 has_arrived "$engine" "$1" || fail "$engine: $(arrived "$engine") of $1 arrived"
    done
    sleep 1
    for engine in $engines; do
        (($(arrived "$engine") == $1)) || fail "$engine: $(arrived "$engine") arrived, not $1"
    done
}

# Prints a topic's records, one on a line, without fields that differ from run to run: the time of sending (times of the
# year 2000 stay), the offset and the broker.
records() { # TOPIC [SED]...: further edits, for example to remove a random partition
    local topic=$1 edits=(-e 's/^\{"topic":"[^"]*",/{/; s/"offset":[0-9]+,//; s/"broker":[0-9]+,//; s/"ts":[0-9]{13},//') edit
    shift
    for edit; do edits+=(-e "$edit"); done
    kcat -C -q -e -J -b "$brokers" -t "$topic" -X fetch.wait.max.ms=10 | LC_ALL=C sed -E "${edits[@]}" | LC_ALL=C sort
}

differing=()
same() { # WHAT FLUME PENSTOCK: compares two files; differences are collected for all_same
    [[ -s $2 ]] || fail "$1: nothing to compare"
    if diff -a -u --label "Flume: $1" --label "penstock: $1" "$2" "$3" >&2; then
        echo "    same: $1 ($(wc -l <"$2"))"
    else
        differing+=("$1")
    fi
}

all_same() { # fails if anything differed; the last line of a script
    local IFS=,
    ((${#differing[@]} == 0)) || { echo "FAILED: ${#differing[@]} differ: ${differing[*]}" >&2; exit 1; }
}

same_records() { # TOPIC [SED]...
    local engine topic=$1
    shift
    for engine in $engines; do records "$engine.$topic" "$@" >"$work/$engine.records"; done
    same "topic $topic" "$work/flume.records" "$work/penstock.records"
}

lines() { # ENGINE FOLDER: prints all lines of its files, sorted by bytes
    find "$work/out/$1/$2" -type f -exec cat {} + | LC_ALL=C sort
}

# Sorts the headers in each line of header_and_text, and the lines. The order of headers depends on the sizes of the Java
# maps that held them before, which an event in Flume's format does not contain.
by_name() {
    LC_ALL=C awk '{
        end = index($0, "}")
        count = split(substr($0, 2, end - 2), headers, ", ")
        for (i = 2; i <= count; i++)
            for (j = i; j > 1 && headers[j] < headers[j - 1]; j--) { one = headers[j]; headers[j] = headers[j - 1]; headers[j - 1] = one }
        for (i = 1; i <= count; i++) printf "%s, ", headers[i]
        print substr($0, end)
    }' | LC_ALL=C sort
}
