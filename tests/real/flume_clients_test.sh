#!/usr/bin/env bash
# Needs: flume
# What applications send by Avro and Thrift RPC, into our sources and into a real Flume's: Flume's SDK 1.11 and 1.9 with 100 threads, each with
# a client of its own or all with one, by append and appendBatch, plain and compressed, compact and binary; log4j 2's Flume appender; Flume's
# appender for log4j 1. What arrives is what was sent, each thread's events in order, and what Flume got; the counters are Flume's.
#
#   PENSTOCK_SEED=n   repeats a run
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in javac jq curl; do
    command -v $program >/dev/null || skip "no $program"
done

threads=100 events=20 logged=120
# shellcheck source=tests/support/seed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/seed.sh"
seed=$(seed_of_run)
echo "PENSTOCK_SEED=$seed"
base=$(ports_reserve)
sdk=(own zlib own19 shared shared19 thrift thrift_binary thrift19 thrift_shared) appenders=(batched compressed reflected)
declare -A port names=([flume]="own thrift ${appenders[*]}" [penstock]="${sdk[*]} ${appenders[*]}")
i=$base
for engine in flume penstock; do
    for name in ${names[$engine]} metrics; do port[$engine $name]=$((i++)); done
done

compile() { # NAME [APPENDER]: with the class path of the SDK, or of an appender
    local path
    path=$("$here/flume" classpath "${@:2}") || skip "the jars of ${2:-Flume} cannot be fetched"
    java_classes "$work/classes${2:-}" "$path" "$here/flume_clients/$1.java" || fail "$1 does not compile"
    paths[${2:-sdk}]="$work/classes${2:-}:$path"
}
declare -A paths
compile Clients
compile Clients log4j2
compile Log4j2 log4j2
compile Log4j log4j
java_classes "$work/classes" "$("$here/flume" classpath)" "$here/AvroDump.java"

client() { # NAME APPENDER|sdk [JVM OPTION].. CLASS [ARGUMENT]..
    local name=$1 java=(java -Xmx512m -XX:TieredStopAtLevel=1 -Dlog4j2.level=ERROR -cp "${paths[$2]}")
    [[ $2 != sdk ]] || java=(env FLUME_LOG=ERROR "FLUME_CLASSPATH=$work/classes" "$here/flume" run)
    shift 2
    "${java[@]}" "$@" >"$work/$name.log" 2>&1 </dev/null ||
        fail "the client of $name ends with $?"
}

agent_file() { # ENGINE
    local name type
    cat <<-EOF_
	a1.sources = ${names[$1]}
	a1.channels = ${names[$1]}
	a1.sinks = ${names[$1]}
	EOF_
    for name in ${names[$1]}; do
        mkdir -p "$work/$1/$name"
        type=avro
        [[ $name != thrift* ]] || type=thrift
        cat <<-EOF_
	a1.sources.$name.type = $type
	a1.sources.$name.bind = 127.0.0.1
	a1.sources.$name.port = ${port[$1 $name]}
	a1.sources.$name.channels = $name
	a1.channels.$name.type = memory
	a1.channels.$name.capacity = 200000
	a1.channels.$name.transactionCapacity = 1000
	a1.sinks.$name.type = file_roll
	a1.sinks.$name.channel = $name
	a1.sinks.$name.sink.directory = $work/$1/$name
	a1.sinks.$name.sink.rollInterval = 0
	a1.sinks.$name.sink.batchSize = 1000
	a1.sinks.$name.sink.serializer = avro_event
	EOF_
        [[ $name != zlib ]] || echo "a1.sources.$name.compression-type = deflate"
    done
}

metrics() { # ENGINE
    curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:${port[$1 metrics]}/metrics"
}

declare -A agents=()
trap 'code=$?; for agent in "${agents[@]}"; do kill -KILL $agent 2>/dev/null || true; done; agent=""; finish $code' EXIT
for engine in flume penstock; do agent_file $engine >"$work/$engine.properties"; done
"$PENSTOCK" agent -n a1 -f "$work/penstock.properties" -Dflume.monitoring.type=http \
    "-Dflume.monitoring.port=${port[penstock metrics]}" >"$work/penstock.log" 2>&1 </dev/null &
agents[penstock]=$!
FLUME_LOG=WARN FLUME_JAVA="$FLUME_JAVA -Dflume.monitoring.type=http -Dflume.monitoring.port=${port[flume metrics]}" \
    "$here/flume" agent -n a1 -f "$work/flume.properties" --no-reload-conf >"$work/flume.log" 2>&1 </dev/null &
agents[flume]=$!
succeeds() { # COMMAND...
    local one
    ! "$@" || return 0
    for one in "${agents[@]}"; do kill -0 "$one" 2>/dev/null || fail "an agent ended"; done
    return 1
}
for engine in flume penstock; do
    for name in ${names[$engine]}; do await 90 succeeds listens "${port[$engine $name]}" || fail "not so: $engine listens for $name"; done
    await 90 succeeds eval "metrics $engine | grep -q SOURCE" || fail "not so: metrics of $engine"
done

# ---- appenders: each event goes to both ----

{
    echo '<Configuration status="ERROR"><Appenders>'
    for engine in flume penstock; do
        cat <<-EOF_
	<Flume name="$engine-batched" type="Avro" compress="false" batchSize="7" mdcPrefix="c:" mdcRequired="request" ignoreExceptions="false">
	  <Agent host="127.0.0.1" port="${port[$engine batched]}"/>
	  <RFC5424Layout enterpriseNumber="32473" includeMDC="true" appName="shop" mdcId="mdc"/>
	</Flume>
	<Flume name="$engine-compressed" type="Avro" compress="true" ignoreExceptions="false" eventPrefix="e-">
	  <Agent host="127.0.0.1" port="${port[$engine compressed]}"/>
	  <PatternLayout pattern="%d %p %c %X %marker %m%n%ex"/>
	</Flume>
	EOF_
    done
    echo '</Appenders><Loggers><Root level="ALL">'
    for engine in flume penstock; do echo "<AppenderRef ref=\"$engine-batched\"/><AppenderRef ref=\"$engine-compressed\"/>"; done
    echo '</Root></Loggers></Configuration>'
} >"$work/log4j2.xml"
client log4j2 log4j2 "-Dlog4j.configurationFile=$work/log4j2.xml" Log4j2 $logged
client log4j log4j Log4j $logged "${port[flume reflected]}" "${port[penstock reflected]}"

# ---- what came ----

drained() { # ENGINE: whether all is in the files
    local name
    metrics "$1" >"$work/$1.json"
    for name in ${names[$1]}; do
        [[ $(jq -r ".\"SINK.$name\".EventDrainSuccessCount" "$work/$1.json") == "$(sent "$name")" ]] || return 1
    done
}
sent() { # NAME: prints the number of events
    if [[ " ${sdk[*]} " == *" $1 "* ]]; then echo $((threads * events)); else echo $logged; fi
}
all_there() { # ENGINE: waits for the events, keeps the counters in $work/ENGINE-NAME.counters, and stops the agent
    local name field
    await 90 succeeds drained "$1" || fail "not so: all events are in the files of $1"
    for name in ${names[$1]}; do
        for field in EventReceivedCount EventAcceptedCount AppendReceivedCount AppendAcceptedCount AppendBatchReceivedCount \
            AppendBatchAcceptedCount EventReadFail ChannelWriteFail GenericProcessingFail; do
            echo "$field $(jq -r ".\"SOURCE.$name\".$field" "$work/$1.json")"
        done >"$work/$1-$name.counters"
    done
    kill -TERM "${agents[$1]}"
}
dump() { # ENGINE: its events, as text, in $work/ENGINE-NAME.arrived
    local files=() name
    wait "${agents[$1]}" || [[ $1 == flume ]] || fail "our agent ends with $?"
    unset "agents[$1]"
    for name in ${names[$1]}; do files+=("$work/$1/$name"/*); done
    java -XX:TieredStopAtLevel=1 -cp "${paths[sdk]}" AvroDump "${files[@]}" >"$work/dump" 2>"$work/dump.log" || fail "AvroDump"
    # The first line of a file is its schema. An event has a random number of its own for each appender.
    sed -E 's/(guId="?)[0-9a-f]{8}-[0-9a-f-]{27}/\1/g' "$work/dump" | awk -v names="${names[$1]}" -v prefix="$work/$1-" '
        BEGIN { split(names, name, " ") }
        /^\{"type":"record"/ { file = prefix name[++i] ".arrived"; next }
        { print >file }'
}

client flume-own sdk Clients "${port[flume own]}" own $threads $events "$seed" "$work/flume-own.sent"
client flume-thrift sdk Clients "${port[flume thrift]}" own $threads $events "$seed" "$work/flume-thrift.sent" client.type=thrift
all_there flume # it takes 3 s for each source to stop
for name in "${sdk[@]}"; do
    which=sdk options=() whose=own
    [[ $name != *shared* ]] || whose=shared
    [[ $name != thrift* ]] || options=(client.type=thrift)
    [[ $name != thrift_binary ]] || options+=(protocol=binary)
    [[ $name != *19 ]] || which=log4j2 # it brings SDK 1.9
    [[ $name != zlib ]] || options=(compression-type=deflate)
    client "$name" $which Clients "${port[penstock $name]}" $whose $threads $events "$seed" "$work/penstock-$name.sent" "${options[@]}"
done
all_there penstock
dump penstock
dump flume

sort "$work/flume-own.sent" >"$work/sent" # the seed is the same, so this is what all clients sent
for name in "${sdk[@]}"; do
    sort "$work/penstock-$name.sent" | cmp - "$work/sent" || fail "$name: it sent something else"
    sort "$work/penstock-$name.arrived" >"$work/arrived"
    cmp -s "$work/sent" "$work/arrived" || fail "$name: $(diff "$work/sent" "$work/arrived" | head -n 6)"
    # A thread waits for the answer to each call, so its events have their order, also among those of others.
    sed -nE 's/.*[{ ]at=([0-9]{3}) ([0-9]{6})[,}].*/\1 \2/p' "$work/penstock-$name.arrived" | awk '
        $1 in last && $2 <= last[$1] { print "thread " $1 ": " $2 " after " last[$1]; wrong = 1 } { last[$1] = $2 }
        END { exit wrong || NR != '$((threads * events))' }' || fail "$name: another order"
    kind=own
    [[ $name != thrift* ]] || kind=thrift
    same "$name: counters" "$work/flume-$kind.counters" "$work/penstock-$name.counters"
done
for name in own thrift; do sort "$work/flume-$name.arrived" | cmp - "$work/sent" || fail "Flume has not what was sent ($name)"; done
for name in "${appenders[@]}"; do
    (($(wc -l <"$work/flume-$name.arrived") >= logged)) || fail "$name: Flume has not what was sent"
    same "appender $name" "$work/flume-$name.arrived" "$work/penstock-$name.arrived"
    same "appender $name: counters" "$work/flume-$name.counters" "$work/penstock-$name.counters"
done
echo "ok"
