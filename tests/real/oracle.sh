# Shared by tests/real/flume_oracle_*_test.sh, which source it first: runs the same agent file with a real Flume 1.11 and
# with penstock, and compares their outputs. The script defines
#
#   agent_file DIR   writes the file to standard output; all output of the agent goes below DIR
#   arrived DIR      prints how many events have come out so far (default: lines of all files below DIR)
#   leaving DIR      called before the agent is ended (default: does nothing)
#
# and calls `both EVENTS`; then $work/flume and $work/penstock hold the outputs, $work/*.log the logs.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn; do
    command -v $program >/dev/null || skip "no $program, which a real Flume needs"
done
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
"$here/flume" fetch >/dev/null 2>&1 || skip "Flume's jars cannot be fetched"

# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
# shellcheck source=tests/support/patience.sh
source "$here/../support/patience.sh"
# shellcheck source=tests/support/signals.sh
source "$here/../support/signals.sh"
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"

# A JVM that lives for seconds spends most of its CPU time in the second compiler; where its classes are in no archive, a fifth of its start is the
# check of their bytecode (docs/decisions/0050-cost-of-tests.md).
short_java="-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
export FLUME_JAVA=${FLUME_JAVA:--Xmx512m $short_java}
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it

work=$(mktemp -d)
agent=''
finish() { # [CODE]: the exit status, if commands stand before it in the trap
    local code=${1:-$?}
    [[ -z $agent ]] || kill -KILL "$agent" 2>/dev/null || true
    if [[ ${KEEP:-} ]]; then echo "left: $work"; else rm -rf "$work"; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED: $*" >&2
    find "$work" -maxdepth 1 -name "*.log" -exec tail -v -n 8 {} + >&2
    exit 1
}

with_java_host() {
    [[ -r ${PENSTOCK%/*}/penstock-java.jar ]] || skip "no penstock-java.jar beside $PENSTOCK"
    export JAVA_OPTS="-Xmx256m $short_java"
}

# Compiles the classes of java_host against Flume's jars, and puts both on the class path of the agents to come.
with_java_classes() {
    command -v javac >/dev/null || skip "no javac"
    with_java_host
    local jars
    jars=$("$here/flume" classpath)
    java_classes "$work/classes" "$jars" "$here"/java_host/*.java
    export FLUME_CLASSPATH=$work/classes:$jars
}

# Prints the records of Avro files.
avro_dump() { # FILE...
    [[ -e $work/avro_dump ]] || java_classes "$work/avro_dump" "$("$here/flume" classpath)" "$here/AvroDump.java" || return
    FLUME_LOG=ERROR FLUME_CLASSPATH=$work/avro_dump "$here/flume" run -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 AvroDump "$@"
}

# Repeats the command until it succeeds. Returns 1 after SECONDS of the patient clock, or when the agent has ended and the command still fails.
await() { # SECONDS COMMAND...
    patient_await "$1" succeeds_or_ended "${@:2}" && [[ ! $gone ]]
}
gone='' # `await` has seen the agent's end
succeeds_or_ended() { # COMMAND...
    gone=''
    [[ ! $agent ]] || kill -0 "$agent" 2>/dev/null || gone=1
    if "$@"; then gone=''; else [[ $gone ]]; fi
}
connect() { # PORT: sets `connection`, which the script uses
    await 120 connects "$1" || fail "nobody listens on port $1"
}
connects() { # PORT
    # shellcheck disable=SC2034
    { exec {connection}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null
}
listens() { # PORT
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
has_lines() { # FILE COUNT
    [[ -e $1 ]] && (($(wc -l <"$1") >= $2))
}
has_arrived() { # DIR EVENTS
    (($(arrived "$1") >= $2))
}

arrived() { # DIR
    find "$1" -type f -exec cat {} + | wc -l
}

leaving() { :; }

declare -A engines=([flume]=$here/flume [penstock]=$PENSTOCK)

# Starts an agent with the file FILE.properties and the log FILE.log: its process is `agent` until `stop`.
start() { # FILE COMMAND...
    local file=$1
    shift
    : >"$file.log" # the shell in the background may do this later than the first look, which would find the lines of an earlier agent
    "$@" agent -n a1 -f "$file.properties" >"$file.log" 2>&1 </dev/null &
    agent=$!
}

stop() { # SIGNAL
    local i
    for ((i = 0; i < 100; i++)); do # a signal between fork and exec would be lost: the shell handles it
        [[ $(cat "/proc/$agent/comm" 2>/dev/null) == "$(cat "/proc/$$/comm")" ]] || break
        patient_tenth
    done
    # An agent of ours may have nothing to do, because an earlier one has done all: it would be ended before it waits for signals. Java does not block them.
    if [[ $1 == TERM && /proc/$agent/exe -ef $PENSTOCK ]]; then send_signal "$agent" TERM; else kill -"$1" "$agent"; fi
    wait "$agent" 2>/dev/null || true
    agent=''
}

# With ENGINE=java penstock runs Flume's own classes, of sources, sinks and interceptors: the script then compares the Java host with Flume.
if [[ ${ENGINE:-} == java ]]; then
    with_java_host
    FLUME_CLASSPATH=$("$here/flume" classpath)
    export FLUME_CLASSPATH
fi
with_engine() { # NAME: a filter of agent files
    if [[ $1 == penstock && ${ENGINE:-} ]]; then
        sed -E "/^[[:space:]]*[^#.]+\.(sources\.[^.]+(\.interceptors\.[^.]+)?|sinks\.[^.]+)\.type[[:space:]]*=/{p;s/\.type[[:space:]]*=.*/.penstock.engine = $ENGINE/}"
    else
        cat
    fi
}

kill_java() { # the Java process of the agent; one that has just begun has none yet
    await 120 pkill -KILL -P "$agent" java || fail "no Java process"
}

run() { # NAME EVENTS COMMAND...
    local name=$1 events=$2
    shift 2
    mkdir -p "$work/$name"
    agent_file "$work/$name" | with_engine "$name" >"$work/$name.properties"
    start "$work/$name" "$@"
    await 60 has_arrived "$work/$name" "$events" || fail "$name: $(arrived "$work/$name") events arrived, not $events"
    sleep "${SETTLE:-0.5}" # time for events that should not arrive
    leaving "$work/$name"
    stop TERM
}

both() { # EVENTS
    run flume "$1" "${engines[flume]}"
    run penstock "$1" "${engines[penstock]}"
}

# For agent_file: prints a memory channel, and a sink that writes its events with their headers into the directory, which it makes.
into_files() { # NAME DIRECTORY CAPACITY [TRANSACTION_CAPACITY]
    mkdir -p "$2"
    cat <<-EOF_
	a1.channels.$1.type = memory
	a1.channels.$1.capacity = $3
	${4:+a1.channels.$1.transactionCapacity = $4}
	a1.sinks.$1.type = file_roll
	a1.sinks.$1.channel = $1
	a1.sinks.$1.sink.directory = $2
	a1.sinks.$1.sink.rollInterval = 0
	a1.sinks.$1.sink.serializer = header_and_text
	EOF_
}

# A filter that orders the headers of events in Flume's form, {a=1, b=2} BODY. The order of a Java map depends on how it grew.
headers_in_order() {
    LC_ALL=C awk '
        match($0, /\{[^{}]*=[^{}]*\}/) {
            count = split(substr($0, RSTART + 1, RLENGTH - 2), headers, ", ")
            for (i = 2; i <= count; i++)
                for (k = i; k > 1 && headers[k] < headers[k - 1]; k--) {
                    swap = headers[k]; headers[k] = headers[k - 1]; headers[k - 1] = swap
                }
            text = ""
            for (i = 1; i <= count; i++) text = text (i > 1 ? ", " : "") headers[i]
            print substr($0, 1, RSTART) text substr($0, RSTART + RLENGTH - 1)
            next
        }
        { print }'
}

comparable_headers() { if [[ ${ENGINE:-} == java ]]; then headers_in_order; else cat; fi; }

same() { # WHAT FLUME PENSTOCK: expects that two files are equal
    local file
    for file in "$2" "$3"; do comparable_headers <"$file" >"$file.headers"; done
    set -- "$1" "$2.headers" "$3.headers"
    diff -u --label "Flume: $1" --label "penstock: $1" "$2" "$3" || fail "$1 differs"
    echo "same: $1"
}

# Prints one sink's files below DIR, in the order of the times at which the sink was started, and of their numbers.
content() { # DIR
    local file
    for file in $(find "$1" -type f | sort -t- -k1,1 -k2,2n); do cat "$file"; done
}

same_content() { # WHAT FOLDER [FILTER]...: compares this folder of both outputs, after the filter
    local what=$1 folder=$2 engine
    shift 2
    (($#)) || set -- cat
    for engine in flume penstock; do content "$work/$engine/$folder" | comparable_headers | "$@" >"$work/$engine.text"; done
    same "$what" "$work/flume.text" "$work/penstock.text"
}
