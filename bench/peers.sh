#!/usr/bin/env bash
# penstock beside its peers: the same events over TCP into the same real Kafka broker, one after the other in one run.
#
#   bench/peers.sh [--events N] [--bytes N] [--compression none|lz4] [--rounds N] [CASE]...
#
# Cases (default: all that can run here):
#   bare            a bare rd_kafka_produce_batch loop: the ceiling
#   penstock        syslogtcp -> memory -> Kafka             flume        the same file in Flume 1.11
#   penstock-best   netcat -> memory -> four Kafka sinks     flume-best   the same file in Flume, tuned
#   penstock-stress StressSource -> memory -> null           flume-stress the same file in Flume
#   penstock-netcat netcat -> memory -> null                 flume-netcat the same file in Flume
#   rsyslog         imptcp -> omkafka
#   syslog-ng       network(flags(no-parse)) -> kafka-c(); -parsed: parsed, its default template; -json: parsed, as JSON
#
# Prints a JSON line a case and round: events, those that arrived, CPU-seconds of the process, events per CPU-second, the broker's CPU-seconds per million events, peak
# memory. Everything that arrives is counted at the broker; a case that loses events says so. Peers are taken from Debian packages, unpacked into a cache and run as
# plain processes; what cannot be had is a SKIP line with the reason. Needs a release build with benches, java and mvn (for Kafka and Flume).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$here/build/release}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/penstock-peers
events=4000000 bytes=120 compression=none rounds=1 cases=()
while (($#)); do
    case $1 in
    --events) events=$2; shift ;;
    --bytes) bytes=$2; shift ;;
    --compression) compression=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;;
    -*) echo "peers.sh: unknown option $1" >&2; exit 2 ;;
    *) cases+=("$1") ;;
    esac
    shift
done
((${#cases[@]})) || cases=(bare penstock flume penstock-best flume-best penstock-stress flume-stress penstock-netcat flume-netcat rsyslog syslog-ng syslog-ng-parsed syslog-ng-json)

work=$(mktemp -d)
process=''
finish() {
    [[ -z $process ]] || kill -9 "$process" 2>/dev/null || true
    "$here/tests/real/kafka" stop --dir "$work/kafka" --wipe >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
port=$((20000 + RANDOM % 8000))
kafka_port=$((port + 100))

skip() { echo "{\"name\":\"$1\",\"skip\":\"$2\"}"; }

brokers=''
broker() { # starts Kafka once
    [[ -n $brokers ]] && return
    command -v mvn >/dev/null && command -v java >/dev/null || return 1
    brokers=$("$here/tests/real/kafka" start --dir "$work/kafka" --port "$kafka_port" | head -1)
    # A JVM that has not compiled its hot path yet costs several times as much.
    "$here/tests/real/kafka" topic warm 4 --dir "$work/kafka" >/dev/null 2>&1
    for _ in 1 2; do "$build/bench/bench_kafka_bare" --brokers "$brokers" --topic warm --events 4000000 >/dev/null 2>&1; done
}

cpu() { # PID: CPU-seconds so far
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"
}

count() { "$build/bench/bench_kafka_bare" --brokers "$brokers" --count "$1"; }

warm_events=200000
warm_up() { # TOPIC-OR-EMPTY BLAST-ARGUMENT...: a JVM wants its hot path compiled before it is measured; everybody gets the same
    local topic=$1 before=0
    shift
    [[ -z $topic ]] || before=$(count "$topic")
    "$build/bench/bench_blast" --events "$warm_events" --bytes "$bytes" "$@" >/dev/null
    for _ in {1..100}; do
        [[ -n $topic ]] || break
        (($(count "$topic") - before < warm_events)) || break
    done
    sleep 1
}

# NAME TOPIC-OR-EMPTY BLAST-ARGUMENT...: sends, waits until all has arrived (or nothing more does), prints the line.
measure() {
    local name=$1 topic=$2 base=0 arrived=0 last=-1 still=0
    shift 2
    warm_up "$topic" "$@"
    [[ -z $topic ]] || base=$(count "$topic")
    local broker_pid='' broker_before=0 broker_after=0
    if [[ -n $topic ]]; then
        broker_pid=$("$here/tests/real/kafka" pids --dir "$work/kafka" | head -1)
        broker_before=$(cpu "$broker_pid")
    fi
    local before after began ended
    before=$(cpu "$process")
    began=$EPOCHREALTIME
    "$build/bench/bench_blast" --events "$events" --bytes "$bytes" "$@" >"$work/blast.json"
    while [[ -n $topic ]] && ((arrived < events && still < 50)); do
        arrived=$(($(count "$topic") - base))
        still=$((arrived == last ? still + 1 : 0))
        last=$arrived
    done
    [[ -n $topic ]] || { arrived=$events; sleep 1; }
    ended=$EPOCHREALTIME
    after=$(cpu "$process")
    [[ -z $broker_pid ]] || broker_after=$(cpu "$broker_pid")
    line "$name" "$arrived" "$before" "$after" "$began" "$ended" "$broker_before" "$broker_after"
}

line() { # NAME ARRIVED CPU-BEFORE CPU-AFTER BEGAN ENDED BROKER-BEFORE BROKER-AFTER
    local rss
    rss=$(awk '/VmHWM/ { print $2 / 1024 }' "/proc/$process/status")
    awk -v name="$1" -v sent="$events" -v arrived="$2" -v a="$3" -v b="$4" -v t="$5" -v u="$6" -v ba="$7" -v bb="$8" -v rss="$rss" -v bytes="$bytes" \
        -v compression="$compression" 'BEGIN {
        printf "{\"name\":\"%s\",\"bytes\":%d,\"compression\":\"%s\",\"events\":%.0f,\"arrived\":%.0f,\"lost\":%.0f,\"duplicated\":%.0f,", name, bytes, compression, sent, arrived, \
            (arrived < sent ? sent - arrived : 0), (arrived > sent ? arrived - sent : 0)
        printf "\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"per_cpu_second\":%.0f,\"broker_cpu_per_million\":%.3f,\"rss_mib\":%.0f}\n", \
            u - t, b - a, arrived / (b - a), (bb - ba) * 1e6 / arrived, rss }'
}

stop_process() {
    kill "$process" 2>/dev/null || true
    for _ in {1..100}; do kill -0 "$process" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    process=''
}

listening() { # PORT
    for _ in {1..300}; do
        ss -ltn "sport = :$1" | grep -q LISTEN && return
        kill -0 "$process" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# ---- the agent files, the same for penstock and Flume ----

kafka_sink() { # NAME TOPIC
    cat <<-EOF_
	a.sinks.$1.type = org.apache.flume.sink.kafka.KafkaSink
	a.sinks.$1.channel = c
	a.sinks.$1.kafka.bootstrap.servers = $brokers
	a.sinks.$1.kafka.topic = $2
	a.sinks.$1.flumeBatchSize = 10000
	a.sinks.$1.kafka.producer.acks = all
	a.sinks.$1.kafka.producer.linger.ms = 5
	a.sinks.$1.kafka.producer.batch.size = 524288
	a.sinks.$1.kafka.producer.compression.type = $compression
	EOF_
}

memory_channel() {
    printf '%s\n' "a.channels = c" "a.channels.c.type = memory" "a.channels.c.capacity = 200000" "a.channels.c.transactionCapacity = 20000"
}

agent_file() { # CASE TOPIC
    memory_channel
    echo "a.sources = s"
    echo "a.sources.s.channels = c"
    case $1 in
    syslog)
        printf '%s\n' "a.sources.s.type = syslogtcp" "a.sources.s.host = 127.0.0.1" "a.sources.s.port = $port" "a.sinks = k1"
        kafka_sink k1 "$2"
        ;;
    best)
        printf '%s\n' "a.sources.s.type = netcat" "a.sources.s.bind = 127.0.0.1" "a.sources.s.port = $port" \
            "a.sources.s.ack-every-event = false" "a.sinks = k1 k2 k3 k4"
        for k in 1 2 3 4; do kafka_sink k$k "$2"; done
        ;;
    stress)
        printf '%s\n' "a.sources.s.type = org.apache.flume.source.StressSource" "a.sources.s.size = $bytes" "a.sources.s.batchSize = 1000" \
            "a.sinks = k1" "a.sinks.k1.type = null" "a.sinks.k1.channel = c" "a.sinks.k1.batchSize = 1000" "a.sinks.k1.logEveryNEvents = 100000000"
        ;;
    netcat)
        printf '%s\n' "a.sources.s.type = netcat" "a.sources.s.bind = 127.0.0.1" "a.sources.s.port = $port" \
            "a.sources.s.ack-every-event = false" "a.sinks = k1" "a.sinks.k1.type = null" "a.sinks.k1.channel = c" \
            "a.sinks.k1.batchSize = 10000" "a.sinks.k1.logEveryNEvents = 100000000"
        ;;
    esac
}

start_agent() { # penstock|flume FILE
    if [[ $1 == penstock ]]; then
        "$build/penstock" agent -n a -f "$2" --no-reload-conf -Dflume.monitoring.type=http -Dflume.monitoring.port=$((port + 1)) >"$work/agent.log" 2>&1 &
        process=$!
    else
        FLUME_LOG=WARN FLUME_JAVA="-Xmx2g -Dflume.monitoring.type=http -Dflume.monitoring.port=$((port + 1))" \
            "$here/tests/real/flume" agent -n a -f "$2" --no-reload-conf >"$work/agent.log" 2>&1 &
        process=$!
    fi
}

metric() { # NAME: a number from the agent's JSON metrics
    curl -s "http://127.0.0.1:$((port + 1))/metrics" | grep -oE "\"$1\":\"[0-9]+\"" | head -1 | grep -oE '[0-9]+"$' | tr -d '"'
}

agent_case() { # NAME penstock|flume syslog|best|netcat BLAST-ARGUMENT...
    local name=$1 who=$2 kind=$3 topic=''
    shift 3
    if [[ $kind != netcat ]]; then
        broker || { skip "$name" "no real Kafka: java or mvn is missing"; return; }
        topic=$name-$RANDOM
        "$here/tests/real/kafka" topic "$topic" 4 --dir "$work/kafka" >/dev/null 2>&1
    fi
    agent_file "$kind" "$topic" >"$work/$name.properties"
    start_agent "$who" "$work/$name.properties"
    listening "$port" || { skip "$name" "did not start: $(tail -1 "$work/agent.log" | tr -d '"')"; stop_process; return; }
    sleep 2 # a JVM is still loading classes
    measure "$name" "$topic" --to "127.0.0.1:$port" "$@"
    stop_process
}

stress_case() { # NAME penstock|flume: counts what was taken over ten seconds
    agent_file stress '' >"$work/$1.properties"
    start_agent "$2" "$work/$1.properties"
    listening $((port + 1)) || { skip "$1" "did not start"; stop_process; return; }
    sleep 5
    local before after a b t u
    before=$(cpu "$process") a=$(metric EventTakeSuccessCount) t=$EPOCHREALTIME
    sleep 10
    after=$(cpu "$process") b=$(metric EventTakeSuccessCount) u=$EPOCHREALTIME
    events=$((b - a)) line "$1" $((b - a)) "$before" "$after" "$t" "$u" 0 0
    stop_process
}

# ---- rsyslog and syslog-ng ----

unpack() { # PACKAGE...: Debian packages into the cache, without installing them (they conflict)
    mkdir -p "$cache/root"
    local one
    for one in "$@"; do
        [[ -e $cache/$one.done ]] && continue
        (cd "$cache" && apt-get download "$one" >/dev/null 2>&1 && dpkg -x "$one"_*.deb root) || return 1
        touch "$cache/$one.done"
    done
}

libraries() { echo "$cache/root/usr/lib/x86_64-linux-gnu:$cache/root/lib/x86_64-linux-gnu:$cache/root/usr/lib/syslog-ng:$cache/root/usr/lib/syslog-ng/3.38"; }

rsyslog_case() { # its own fast settings: imptcp, a large queue with large dequeue batches, raw message to Kafka
    broker || { skip rsyslog "no real Kafka: java or mvn is missing"; return; }
    unpack rsyslog rsyslog-kafka libestr0 libfastjson4 liblognorm5 || { skip rsyslog "packages cannot be downloaded"; return; }
    local topic=rsyslog-$RANDOM
    "$here/tests/real/kafka" topic "$topic" 4 --dir "$work/kafka" >/dev/null 2>&1
    cat >"$work/rsyslog.conf" <<-EOF_
	global(workDirectory="$work")
	module(load="imptcp") module(load="omkafka")
	main_queue(queue.type="FixedArray" queue.size="500000" queue.dequeueBatchSize="10000" queue.workerThreads="1")
	template(name="raw" type="string" string="%rawmsg%")
	input(type="imptcp" port="$port" address="127.0.0.1")
	action(type="omkafka" broker=["$brokers"] topic="$topic" template="raw" partitions.auto="on" resubmitOnFailure="on"
	  confParam=["acks=all","enable.idempotence=true","linger.ms=5","batch.size=1000000","batch.num.messages=10000","queue.buffering.max.messages=500000","compression.type=$compression"])
	EOF_
    LD_LIBRARY_PATH=$(libraries) "$cache/root/usr/sbin/rsyslogd" -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" \
        -M "$cache/root/usr/lib/x86_64-linux-gnu/rsyslog" >"$work/agent.log" 2>&1 &
    process=$!
    listening "$port" || { skip rsyslog "did not start: $(tail -1 "$work/agent.log" | tr -d '"')"; stop_process; return; }
    measure rsyslog "$topic" --to "127.0.0.1:$port"
    stop_process
}

syslog_ng_case() { # NAME FLAGS: its fast settings: one big window, large fetches, many workers' worth of log-iw-size
    broker || { skip "$1" "no real Kafka: java or mvn is missing"; return; }
    unpack syslog-ng-core syslog-ng-mod-rdkafka libivykis0 libnet1 libwrap0 libjson-c5 libpcre3 || { skip "$1" "packages cannot be downloaded"; return; }
    local topic=$1-$RANDOM
    "$here/tests/real/kafka" topic "$topic" 4 --dir "$work/kafka" >/dev/null 2>&1
    cat >"$work/syslog-ng.conf" <<-EOF_
	@version: 3.38
	@module afsocket
	@module syslogformat
	@module kafka
	options { stats-freq(0); keep-hostname(yes); log-fifo-size(1000000); threaded(yes); };
	source s { network(ip("127.0.0.1") port($port) transport("tcp") max-connections(100) log-iw-size(400000) log-fetch-limit(10000) $2); };
	destination d { kafka-c(bootstrap-servers("$brokers") topic("$topic") message("$3") workers(1)
	  config("acks" => "all", "enable.idempotence" => "true", "linger.ms" => "5", "batch.num.messages" => "10000", "queue.buffering.max.messages" => "500000", "compression.type" => "$compression")); };
	log { source(s); destination(d); flags(flow-control); };
	EOF_
    LD_LIBRARY_PATH=$(libraries) "$cache/root/usr/sbin/syslog-ng" -F -f "$work/syslog-ng.conf" --module-path "$cache/root/usr/lib/syslog-ng/3.38" \
        -R "$work/persist" -p "$work/pid" -c "$work/ctl" --no-caps >"$work/agent.log" 2>&1 &
    process=$!
    listening "$port" || { skip "$1" "did not start: $(tail -1 "$work/agent.log" | tr -d '"')"; stop_process; return; }
    measure "$1" "$topic" --to "127.0.0.1:$port"
    stop_process
}

bare_case() {
    broker || { skip bare "no real Kafka: java or mvn is missing"; return; }
    local topic=bare-$RANDOM
    "$here/tests/real/kafka" topic "$topic" 4 --dir "$work/kafka" >/dev/null 2>&1
    "$build/bench/bench_kafka_bare" --brokers "$brokers" --topic "$topic" --events "$events" --bytes "$bytes" --compression "$compression"
}

# shellcheck disable=SC2016 # syslog-ng's own macros
run_case() {
    case $1 in
    bare) bare_case ;;
    penstock) agent_case penstock penstock syslog ;;
    flume) events=$((events / 10)) agent_case flume flume syslog ;;
    penstock-best) agent_case penstock-best penstock best --format line ;;
    flume-best) events=$((events / 2)) agent_case flume-best flume best --format line ;;
    penstock-stress) stress_case penstock-stress penstock ;;
    flume-stress) stress_case flume-stress flume ;;
    penstock-netcat) agent_case penstock-netcat penstock netcat --format line ;;
    flume-netcat) agent_case flume-netcat flume netcat --format line ;;
    rsyslog) rsyslog_case ;;
    syslog-ng) syslog_ng_case syslog-ng 'flags(no-parse)' '$MSG' ;;
    syslog-ng-parsed) syslog_ng_case syslog-ng-parsed '' '$ISODATE $HOST $MSGHDR$MSG' ;;
    syslog-ng-json) syslog_ng_case syslog-ng-json '' '$(format-json --scope rfc5424)' ;;
    *) echo "peers.sh: no case $1" >&2; return 2 ;;
    esac
}

for ((round = 0; round < rounds; round++)); do
    for one in "${cases[@]}"; do run_case "$one"; done
done
