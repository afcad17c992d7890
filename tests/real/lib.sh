# Shared by tests/real/*_test.sh, which source it first: a separate Kafka for each script, agents, loads, and the account
# at the far end. It builds nothing. All processes that it starts end with the script.
#
#   PENSTOCK_SHARED  folder for servers that several tests use at the same time; ./test.sh gives one and stops them
#   PENSTOCK         the program                       PENSTOCK_TOOLS   folder of sequence_load and the other tools
#   PENSTOCK_SOURCE  the root of the sources           PENSTOCK_PORT    first port to try (default: random)
#   KEEP=1           keep the working directory
# shellcheck shell=bash disable=SC2034
set -euo pipefail

PENSTOCK_SOURCE=${PENSTOCK_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
PENSTOCK=${PENSTOCK:-$PENSTOCK_SOURCE/build/release/penstock}
PENSTOCK_TOOLS=${PENSTOCK_TOOLS:-$(dirname "$PENSTOCK")/tests}
kafka=$PENSTOCK_SOURCE/tests/real/kafka
hdfs=$PENSTOCK_SOURCE/tests/real/hdfs
export KAFKA_HEAP=${KAFKA_HEAP:-512m}
# A JVM that lives for seconds spends most of its CPU time in the second compiler.
export KAFKA_JAVA=${KAFKA_JAVA:--XX:TieredStopAtLevel=1} FLUME_JAVA=${FLUME_JAVA:--Xmx512m -XX:TieredStopAtLevel=1}
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it

skip() { echo "SKIP: $*"; exit 77; }

# Prints WHAT and the ends of all logs, and ends the script. Not to be called in a subshell.
fail() {
    echo "FAILED: $*" >&2
    local log
    for log in "$work"/*.log; do
        [[ ! -s $log ]] || { echo "--- ${log##*/}"; tail -40 "$log"; } >&2
    done
    exit 1
}

step_began=$SECONDS
step() { # WHAT: prints the time and what is tested next
    echo "[$((SECONDS - step_began)) s] $*"
}

for program in java mvn; do
    command -v $program >/dev/null || skip "$program is needed for a real Kafka"
done
for program in "$PENSTOCK" "$PENSTOCK_TOOLS"/{sequence_load,sequence_check,cut_proxy,topic_create,group_offsets}; do
    [[ -x $program ]] || skip "no program $program"
done

# kcat by itself waits 5 s for the brokers' answer to -L, -C and -Q, and then ends with 1 and without a line; the JVM of a busy machine may stand
# still for longer. The last -m counts, so a call may have another one. In the background this function is a shell whose child is kcat: a
# test that signals it calls `command kcat`. If kcat is not installed, there is no function, because `command -v kcat` would find it.
if type -P kcat >/dev/null; then
    kcat() { command kcat -m 120 "$@"; }
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-real.XXXXXX")
export STATE_DIRECTORY=$work # of systemd; agents keep what their next life needs there (penstock.state.dir)
declare -A children=() # pid -> description
finish() {
    local child code=$?
    [[ $BASHPID == "$$" ]] || exit "$code" # a subshell that was killed before it had begun
    end_children
    for child in $("$kafka" pids --dir "$work/kafka" 2>/dev/null) $("$hdfs" pids --dir "$work/hdfs" 2>/dev/null); do
        kill -KILL "$child" 2>/dev/null || true
    done
    if [[ ${KEEP:-} ]]; then echo "left: $work"; else rm -rf "$work"; fi
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# shellcheck source=tests/support/patience.sh
source "$PENSTOCK_SOURCE/tests/support/patience.sh"
# shellcheck source=tests/support/signals.sh
source "$PENSTOCK_SOURCE/tests/support/signals.sh"
await() { # SECONDS COMMAND...: repeats the command until it succeeds; returns 1 after SECONDS of the patient clock, at least 60
    patient_await $(($1 < 60 ? 60 : $1)) "${@:2}"
}

await_log() { # AGENT PATTERN [SECONDS]: waits for a line in its log
    await "${3:-30}" grep -qE -- "$2" "$work/$1.log" || fail "the log of agent $1 has no line: $2"
}

says_nothing() { # AGENT PATTERN: expects no such line in its log
    ! grep -E -- "$2" "$work/$1.log" || fail "the log of agent $1 has lines of pattern: $2"
}

field() { # NAME JSON: prints the number of this name
    sed -nE 's/.*"'"$1"'":(-?[0-9]+).*/\1/p' <<<"$2"
}

# ---- ports: the broker's and the agents' ----

# shellcheck source=tests/support/seed.sh
source "$PENSTOCK_SOURCE/tests/support/seed.sh"
# shellcheck source=tests/support/ports.sh
source "$PENSTOCK_SOURCE/tests/support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"
load_port=$((port + 40))

# ---- the broker ----

kafka_dir=$work/kafka # of the broker in use: its own, or the shared one

# Topics are created by the first write. A killed broker may come back after 3 s instead of 9.
kafka_usual=(--set num.partitions=4 --set initial.broker.registration.timeout.ms=300000 --set broker.session.timeout.ms=3000 --set broker.heartbeat.interval.ms=500)
kafka_options=()
kafka_start() { # [OPTION]... of tests/real/kafka; without options: those of the last call, to restart brokers that are down
    (($# == 0)) || kafka_options=("$@")
    "$kafka" start --dir "$work/kafka" --port "$port" "${kafka_usual[@]}" "${kafka_options[@]}" >"$work/kafka.log" 2>&1 ||
        fail "Kafka does not start"
    brokers=$(<"$work/kafka/bootstrap")
}

# shared KIND STARTER [OPTION]...: starts the server that several tests use unless one of them has done it: PENSTOCK_SHARED/KIND, by
# STARTER start --dir .. --port ...
shared() {
    local kind=$1 starter=$2 lock
    shift 2
    mkdir -p "$PENSTOCK_SHARED"
    exec {lock}>"$PENSTOCK_SHARED/$kind.lock"
    flock "$lock"
    if [[ ! -e $PENSTOCK_SHARED/$kind.started ]]; then
        # The server must not inherit the lock. Its ports stay its own because it listens on them.
        (
            exec {lock}>&-
            unset PENSTOCK_PORT
            first=$(ports_reserve)
            "$starter" start --dir "$PENSTOCK_SHARED/$kind" --port "$first" "$@"
        ) >"$work/$kind.log" 2>&1 || fail "the shared $kind does not start"
        touch "$PENSTOCK_SHARED/$kind.started"
    fi
    exec {lock}>&-
}

# The broker that several tests use: the first of them starts it. Without PENSTOCK_SHARED the test starts one of its own.
# For tests that neither stop nor configure it, and whose topics and groups have names that no other test uses. Records of any time stay.
kafka_share() {
    local options=(--brokers 1 --set log.retention.ms=-1)
    [[ ${PENSTOCK_SHARED:-} ]] || { kafka_start "${options[@]}"; return; }
    kafka_dir=$PENSTOCK_SHARED/kafka
    shared kafka "$kafka" "${kafka_usual[@]}" "${options[@]}"
    brokers=$(<"$kafka_dir/bootstrap")
}

kafka_signal() { # SIGNAL [NODE]
    kill -"$1" "$(<"$work/kafka/${2:-1}/pid")"
}

# Kills a broker and waits until it is gone.
kafka_kill() { # [NODE]
    local pid
    pid=$(<"$work/kafka/${1:-1}/pid")
    kill -KILL "$pid"
    await 10 is_gone "$pid" || fail "broker ${1:-1} does not end"
}

# Creates topics with the broker's defaults, and waits until the leader of each partition answers: a broker of a busy machine names a leader
# some time before that one knows of it.
create_topics() { # NAME...
    local topic
    for topic; do kcat -L -b "$brokers" -t "$topic" >/dev/null; done
    for topic; do await 60 has_topic "$topic" || fail "topic $topic cannot be created"; done
}
has_topic() { # NAME
    local partition
    local -a ends=()
    for partition in $(kcat -L -b "$brokers" -t "$1" | sed -nE 's/^ *partition ([0-9]+), leader [0-9].*/\1/p'); do ends+=(-t "$1:$partition:-1"); done
    ((${#ends[@]} > 0)) && kcat -Q -b "$brokers" "${ends[@]}" >/dev/null 2>&1
}

consumer_groups() { # [GROUP]: prints what it, or each group, has committed: GROUP TOPIC PARTITION OFFSET END LAG
    "$PENSTOCK_TOOLS/group_offsets" "$brokers" "$@" 2>>"$work/kafka.log"
}

kafka_topic() { # NAME PARTITIONS [COPIES] [--anew] [--set KEY=VALUE]...
    "$PENSTOCK_TOOLS/topic_create" "$brokers" "$@" >>"$work/kafka.log" 2>&1 || fail "topic $1 cannot be created"
}

# ---- HDFS: a NameNode and N DataNodes; sets hdfs_url (hdfs://127.0.0.1:PORT) and webhdfs_url ----

hdfs_dir=$work/hdfs # of the HDFS in use: its own, or the shared one

hdfs_options=()
hdfs_start() { # [OPTION]... of tests/real/hdfs; without options: those of the last call, to restart servers that are down
    (($# == 0)) || hdfs_options=("$@")
    "$hdfs" start --dir "$work/hdfs" --port "$((port + 60))" "${hdfs_options[@]}" >"$work/hdfs.log" 2>&1 || fail "HDFS does not start"
    { read -r hdfs_url && read -r webhdfs_url; } <"$work/hdfs/urls"
}

# As kafka_share: one NameNode, one DataNode, replication 1. For tests that neither stop nor configure it, in directories of their own.
hdfs_share() {
    [[ ${PENSTOCK_SHARED:-} ]] || { hdfs_start --datanodes 1; return; }
    hdfs_dir=$PENSTOCK_SHARED/hdfs
    shared hdfs "$hdfs" --datanodes 1
    { read -r hdfs_url && read -r webhdfs_url; } <"$hdfs_dir/urls"
}

hdfs_signal() { # SIGNAL SERVER: namenode, datanode1, ..
    kill -"$1" "$(<"$work/hdfs/$2/pid")"
}

# Kills a server and waits until it is gone.
hdfs_kill() { # SERVER
    local pid
    pid=$(<"$work/hdfs/$1/pid")
    kill -KILL "$pid"
    await 10 is_gone "$pid" || fail "$1 does not end"
}

hdfs_read() { # PATH: prints a file's bytes, as the servers give them
    curl -sfL "$webhdfs_url$1?op=OPEN&user.name=$(id -un)"
}

# ---- agents: file $work/NAME.properties, agent a1, log $work/NAME.log, standard input of agent_file ----

declare -A agents=() # name -> pid

agent_start() { # NAME [OPTION]...
    local name=$1
    shift
    "$PENSTOCK" agent -n a1 -f "$work/$name.properties" "$@" >>"$work/$name.log" 2>&1 </dev/null &
    agents[$name]=$!
    children[$!]="agent $name"
}

agent_is_up() { # NAME
    kill -0 "${agents[$1]}" 2>/dev/null
}

agent_signal() { # NAME SIGNAL: as soon as it waits for signals
    send_signal "${agents[$1]}" "$2"
}

# Ends an agent by SIGTERM: it must deliver its events and exit 0. Sets account, the figures of its last line.
agent_stop() { # NAME
    local pid=${agents[$1]} code=0
    agent_signal "$1" TERM
    wait "$pid" || code=$?
    unset "children[$pid]"
    ((code == 0)) || fail "agent $1 ends with $code after SIGTERM"
    account=$(sed -nE 's/.* stopped: (.*)/\1/p' "$work/$1.log" | tail -1)
    [[ $account ]] || fail "agent $1 logged no account"
}

agent_kill() { # NAME
    local pid=${agents[$1]}
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    unset "children[$pid]"
}

accounted() { # WORDS: prints the number after them in the account of the agent stopped last, without the commas
    sed -nE 's/(.*, |^)'"$1"' ([0-9,]*[0-9]).*/\2/p' <<<"$account" | tr -d ,
}

# For an agent that was started with "${monitored[@]}", one at a time.
metrics_port=$((port + 41))
monitored=(-Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port")
accepted_now() { # prints how many events its source r1 has put into its channels
    curl -fs --noproxy '*' --max-time 120 "http://127.0.0.1:$metrics_port/metrics" |
        sed -nE 's/.*"SOURCE.r1":\{[^}]*"EventAcceptedCount":"([0-9]+)".*/\1/p'
}
has_accepted() { # EVENTS
    (($(accepted_now || true) + 0 >= $1))
}

# After agent_stop of an agent with a durable channel, whose metrics are at this port: a stop does not wait for what the channel keeps, nor, longer
# than half a second, for what a sink has under way. The agent is started again by the command until a stop has left nothing.
deliver_kept() { # NAME PORT COMMAND...
    local kept
    while kept=$(accounted 'kept in durable channels') && ((kept > 0)); do
        step "agent $1 has kept $kept events"
        "${@:3}"
        await 120 has_delivered "$2" "$kept" || fail "$1: what its channel has kept is not delivered"
        agent_stop "$1"
    done
}
has_delivered() { # PORT EVENTS: its sink k1, in this life
    local count
    count=$(curl -fs --noproxy '*' --max-time 120 "http://127.0.0.1:$1/metrics" | sed -nE 's/.*"SINK.k1":\{[^}]*"EventDrainSuccessCount":"([0-9]+)".*/\1/p') || return 1
    ((${count:-0} >= $2))
}

# Memory of an agent: current (VmRSS) or maximum so far (VmHWM).
memory_mib() { # AGENT VmRSS|VmHWM
    awk '/^'"$2"':/ {print int($2 / 1024)}' "/proc/${agents[$1]}/status"
}

# Writes the usual agent file: syslog over TCP -> memory -> one Kafka sink. A test adds keys or replaces some.
agent_file() { # NAME TOPIC [KEY=VALUE]...  (keys without the agent's name)
    local name=$1 file=$work/$1.properties pair
    cat >"$file" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = syslogtcp
	a1.sources.r1.host = 127.0.0.1
	a1.sources.r1.port = $load_port
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 100000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.k1.kafka.bootstrap.servers = $brokers
	a1.sinks.k1.kafka.topic = $2
	a1.sinks.k1.channel = c1
	a1.sinks.k1.penstock.engine = ${KAFKA_ENGINE:-native}
	EOF_
    shift 2
    for pair in "$@"; do agent_key "$name" "$pair"; done
}

# The same with a sink that delivers exactly once and keeps positions in a topic.
exactly_once_file() { # NAME TOPIC POSITIONS INTERVAL-MS [KEY=VALUE]...
    agent_file "$1" "$2" sinks.k1.allowTopicOverride=false sinks.k1.penstock.guarantee=exactly-once \
        sinks.k1.penstock.positions.topic="$3" sinks.k1.penstock.transaction.interval="$4" \
        sinks.k1.penstock.transaction.timeout=10000 "${@:5}"
}

# Reads COUNT committed records of the topic with Java's consumer into $work/java.
java_reads_committed() { # TOPIC COUNT
    step "Java's consumer reads the same committed records"
    "$kafka" run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic "$1" --from-beginning \
        --isolation-level read_committed --max-messages "$2" --timeout-ms 180000 >"$work/java" 2>"$work/java.log" ||
        fail "Java's consumer ends with $?: $(tail -3 "$work/java.log")"
}

# The agent sends 100 lines of the FIFO $work/lines for 50 s, over sessions that the broker ends after 20 s. The agent logs in again after 85 % of
# that: a busy machine may keep it from its turn for as long as the rest, 3 s.
sends_over_sessions() { # NAME, also the topic
    agent_start "$1"
    local i
    for ((i = 0; i < 100; i++)); do
        echo $i
        sleep 0.5
    done >"$work/lines"
    check "$1" 100 1 --no-headers
    agent_stop "$1"
    says_nothing "$1" ' (WARN|ERROR) '
}

agent_key() { # NAME KEY=VALUE: adds or replaces it; KEY= removes it
    local file=$work/$1.properties
    grep -v "^a1\.${2%%=*} = " "$file" >"$file.new"
    [[ -z ${2#*=} ]] || echo "a1.${2%%=*} = ${2#*=}" >>"$file.new"
    mv "$file.new" "$file"
}

# ---- load and account ----

endless=100000000
load_start() { # OPTION... of sequence_load
    "$PENSTOCK_TOOLS/sequence_load" --to "127.0.0.1:$load_port" "$@" >"$work/load" 2>"$work/load.log" &
    load=$!
    children[$load]=load
}

load_wait() { # waits until everything is sent; sets sent, the load's JSON line
    wait "$load" || fail "the load ends with $?"
    unset "children[$load]"
    sent=$(<"$work/load")
}

load_stop() { # ends the load: no further lines, those begun are sent
    kill -TERM "$load"
    load_wait
}

# Reads topics to their ends; every event must be there once and in order, unless options allow a difference.
check() { # TOPICS EVENTS STREAMS [OPTION]... of sequence_check; sets found, its JSON line
    local topics=$1 events=$2 streams=$3 code=0
    shift 3
    found=$("$PENSTOCK_TOOLS/sequence_check" --brokers "$brokers" --topics "$topics" --events "$events" --streams "$streams" "$@" \
        2>>"$work/check.log") || code=$?
    echo "    $topics: $found"
    ((code == 0)) || fail "topic $topics has faults: sequence_check exits with $code"
}

# After load_stop: expects every sent event in the topic once and in order, and then the same account of the agent.
# (An agent that is ended at once leaves unread events in the sockets.)
check_sent() { # AGENT TOPIC [OPTION]... of sequence_check
    local agent=$1 topic=$2 events
    shift 2
    events=$(field sent "$sent")
    echo "    load: $sent"
    check "$topic" "$endless" 4 --only "$events" "$@"
    agent_stop "$agent"
    [[ $(accounted 'events accepted') == "$events" && $(accounted delivered) == "$events" ]] || fail "counts differ: $account"
}
