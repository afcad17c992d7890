#!/usr/bin/env bash
# Needs: kafka flume
# penstock load and penstock verify on both sides of penstock, rsyslog and Flume 1.11, into a real Kafka: their figures
# equal the subject's own counters (Flume's JSON metrics, rsyslog's impstats). Then a load with planted faults (one event
# dropped, one doubled, two neighbours swapped, one byte flipped) through each of them: verify finds exactly these in the
# topic. At last a Flume that drops datagrams while the broker is stopped: verify reports as many as lost as Flume's
# counters.
#
# rsyslog's packages are unpacked, not installed, and rsyslog runs as a plain process.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for program in jq curl; do
    command -v $program >/dev/null || skip "no $program"
done
"$PENSTOCK_SOURCE/tests/real/flume" fetch >/dev/null 2>&1 || skip "Flume's jars cannot be fetched"

events=40000 again=1000
missing=() # subjects that are not available

# ---- figures ----

summary() { tail -n 1 "$work/$1.json"; }

says() { # NAME CONDITION: expects that the summary of a load or a verify fulfils a condition of jq
    summary "$1" | jq -e "select(.type == \"summary\") | $2" >/dev/null ||
        fail "$1: not $2: $(summary "$1" | jq -c 'del(.histogram)' | cut -c 1-900)"
}

clean='.lost == 0 and .complete and .known_by == "manifest" and .duplicated == 0 and .reordered == 0 and .corrupted == 0 and
    .cut == 0 and .broken == 0 and .foreign == 0 and .unknown == 0 and .lossy_far_end == null'

verify_start() { # NAME TOPIC MANIFEST IDLE
    "$PENSTOCK" verify --from "kafka://$brokers/$2" --manifest "$work/$3" --idle "$4" --json >"$work/$1.json" 2>"$work/$1.log" &
    verifier=$!
    children[$verifier]="verify $1"
    await 30 grep -qs '"type":"ready"' "$work/$1.json" || fail "verify $1 is not ready"
}

verify_end() { # NAME EXIT
    local code=0
    wait "$verifier" || code=$?
    unset "children[$verifier]"
    ((code == $2)) || fail "verify $1: exit $code, not $2: $(summary "$1" | jq -c 'del(.histogram)' | cut -c 1-900)"
}

is() { # NUMBER COMMAND...: whether the command prints that number
    [[ $("${@:2}") == "$1" ]]
}
counter_is() { # NUMBER COMMAND...: expects that the command prints that number within 20 s
    local wanted=$1
    shift
    await 20 is "$wanted" "$@" || fail "$*: $("$@"), not $wanted"
}

# ---- counters ----

metric() { # COMPONENT COUNTER: prints a counter of penstock or Flume
    curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics" | jq -r ".\"$1\".$2" 2>/dev/null
}
impstats() { # ORIGIN COUNTER: prints the last value that rsyslog wrote; a line is a time and JSON
    sed -nE 's/^[^{]*//p' "$work/impstats" 2>/dev/null | jq -r -R "fromjson? | select(.origin == \"$1\") | .$2 // empty" | tail -n 1
}

counters_of_agent() { # EVENTS
    counter_is "$1" metric SOURCE.r1 EventReceivedCount
    counter_is "$1" metric SOURCE.r1 EventAcceptedCount
    counter_is "$1" metric CHANNEL.c1 EventPutSuccessCount
    counter_is "$1" metric CHANNEL.c1 EventTakeSuccessCount
    counter_is "$1" metric SINK.k1 EventDrainSuccessCount
}
counters_of_penstock() { counters_of_agent "$1"; }
counters_of_flume() { counters_of_agent "$1"; }
counters_of_rsyslog() { # EVENTS
    # Not omkafka's "acked": it counts the last acknowledgements only when it sends again.
    counter_is "$1" impstats imptcp submitted
    counter_is "$1" impstats core.queue enqueued
    counter_is "$1" impstats core.action processed
    counter_is "$1" impstats omkafka submitted
    counter_is 0 impstats core.action failed
    counter_is 0 impstats omkafka failures
}

# ---- subjects: each one listens on $load_port and writes to the topic of its name ----

start_penstock() {
    agent_file penstock penstock
    agent_start penstock -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port"
    subject=${agents[penstock]}
}

start_flume() {
    agent_file flume flume
    FLUME_LOG=WARN FLUME_JAVA="-Xmx512m -XX:TieredStopAtLevel=1 -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics_port" \
        "$PENSTOCK_SOURCE/tests/real/flume" agent -n a1 -f "$work/flume.properties" --no-reload-conf >"$work/flume.log" 2>&1 </dev/null &
    subject=$!
    children[$subject]=flume
}

start_rsyslog() {
    local lib=usr/lib/x86_64-linux-gnu root
    root=$("$PENSTOCK_SOURCE/tests/real/extras" packages rsyslog 2>>"$work/packages") || return 1
    cat >"$work/rsyslog.conf" <<-EOF_
	global(workDirectory="$work")
	main_queue(queue.type="FixedArray" queue.size="500000")
	module(load="impstats" interval="1" format="json" log.syslog="off" log.file="$work/impstats")
	module(load="omkafka")
	module(load="imptcp")
	input(type="imptcp" port="$load_port" address="127.0.0.1")
	template(name="raw" type="string" string="%rawmsg%")
	action(name="kafka" type="omkafka" broker=["$brokers"] topic="rsyslog" template="raw" partitions.auto="on" resubmitOnFailure="on"
	  confParam=["acks=all","enable.idempotence=true","linger.ms=5"])
	EOF_
    LD_LIBRARY_PATH=$root/$lib:$root/lib/x86_64-linux-gnu "$root/usr/sbin/rsyslogd" -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" \
        -M "$root/$lib/rsyslog" >"$work/rsyslog.log" 2>&1 </dev/null &
    subject=$!
    children[$subject]=rsyslog
}

stop() {
    local code=0
    kill -TERM "$subject"
    wait "$subject" || code=$?
    unset "children[$subject]"
    # A JVM that ends normally after SIGTERM exits with 143.
    ((code == 0 || code == 143)) || fail "$1 ends with $code after SIGTERM"
}

# ---- the same test for each subject ----

# With a single source, event n is line n + 1.
"$PENSTOCK" load --target "file://$work/whole" --rate 100k --events $again --format rfc3164 --json --tolerance 1 \
    --manifest "$work/faults.manifest" >"$work/faults-load.json" 2>"$work/faults-load.log" || fail "load into a file: exit $?"
(($(wc -l <"$work/whole") == again)) || fail "load wrote $(wc -l <"$work/whole") lines"
# shellcheck disable=SC2016 # awk's
awk 'NR == 100 { next }
    NR == 200 { print }
    NR == 300 { kept = $0; next }
    NR == 400 { last = substr($0, length($0)); $0 = substr($0, 1, length($0) - 1) (last == "x" ? "y" : "x") }
    { print }
    NR == 301 { print kept }' "$work/whole" >"$work/faulty"
(($(wc -l <"$work/faulty") == again)) || fail "the faults are not planted"

try() { # SUBJECT
    local name=$1
    step "$name: $events events"
    kafka_topic "$name" 1 # one partition, so that the order is defined
    start_"$name" || { echo "    SKIP: $name is not available: $(tail -n 1 "$work/packages")"; missing+=("$name"); return; }
    await 120 eval "! port_is_free $load_port || ! kill -0 $subject 2>/dev/null" || fail "$name does not listen"
    kill -0 "$subject" 2>/dev/null || fail "$name ended"
    verify_start "$name-verify" "$name" "$name.manifest" 60s
    # Figures are compared; no rate is asserted.
    "$PENSTOCK" load --wait --target "tcp://127.0.0.1:$load_port" --rate 10k --events $events --connections 4 --format rfc3164 \
        --tolerance 1 --settle 60s --json --manifest "$work/$name.manifest" >"$work/$name-load.json" 2>"$work/$name-load.log" ||
        fail "load into $name: exit $?"
    verify_end "$name-verify" 0
    says "$name-load" ".completed == $events and .failed == 0 and .sources == 4 and .outages == []"
    says "$name-verify" "$clean and .received == $events and .records == $events and .sent == $events and
        [.sources[] | .received] == [10000, 10000, 10000, 10000] and all(.sources[]; .lost_ranges == [] and .end_known)"
    counters_of_"$name" $events
    echo "    $(summary "$name-verify" | jq -c '{received, lost, duplicated, reordered, corrupted, p99_ms: (.latency_ns.p99 / 1e6 | round)}')"

    step "$name: faults before it"
    cat "$work/faulty" >"/dev/tcp/127.0.0.1/$load_port"
    counters_of_"$name" $((events + again))
    verify_start "$name-faults" "$name" faults.manifest 20s
    verify_end "$name-faults" 1
    says "$name-faults" ".received == $((again - 1)) and .records == $((events + again)) and .other_runs == $events and .lost == 1 and
        .complete and .duplicated == 1 and .reordered == 1 and .corrupted == 1 and .cut == 0 and .broken == 0 and .foreign == 0 and
        .sources[0].lost_ranges == [[99, 99]]"
    echo "    $(summary "$name-faults" | jq -c '{received, lost, ranges: .sources[0].lost_ranges, duplicated, reordered, corrupted}')"
    if [[ $name == penstock ]]; then agent_stop penstock; else stop "$name"; fi
}

# Flume's UDP source drops events that a full channel does not take: they are received and not accepted.
flows() { (($(metric SINK.k1 EventDrainSuccessCount) > 0)); }
# Datagrams that the kernel dropped because Flume did not read them in time: the last column of the socket's line.
kernel_drops() {
    cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk -v socket="$listening" '$2 " " ~ socket { drops += $NF } END { print drops + 0 }'
}
all_accounted() { (($(metric SOURCE.r1 EventReceivedCount) + $(kernel_drops) == sent)); }
delivers_beyond() { (($(metric SINK.k1 EventDrainSuccessCount) > $1)); } # EVENTS
# One event may be received and not accepted yet.
refuses() { # what was received is read first: it grows between two readings
    local received
    received=$(metric SOURCE.r1 EventReceivedCount)
    ((received > $(metric SOURCE.r1 EventAcceptedCount) + 10))
}
drops() {
    local accepted delivered received sent listening
    step "flume drops"
    kafka_topic drops 1
    agent_file drops drops sources.r1.type=syslogudp channels.c1.capacity=500 channels.c1.transactionCapacity=100 channels.c1.keep-alive=0 \
        sinks.k1.flumeBatchSize=100
    FLUME_LOG=ERROR FLUME_JAVA="-Xmx512m -XX:TieredStopAtLevel=1 -Dflume.monitoring.type=http -Dflume.monitoring.port=$metrics_port" \
        "$PENSTOCK_SOURCE/tests/real/flume" agent -n a1 -f "$work/drops.properties" --no-reload-conf >"$work/drops.log" 2>&1 </dev/null &
    subject=$!
    children[$subject]=flume
    printf -v listening ':%04X ' "$load_port"
    await 60 grep -qsE "^ *[0-9]+: [0-9A-F]*$listening" /proc/net/udp /proc/net/udp6 || fail "flume does not listen for datagrams"
    counter_is 0 metric SOURCE.r1 EventReceivedCount
    "$PENSTOCK" load --target "udp://127.0.0.1:$load_port?segment=false" --rate 1k --format rfc3164 --tolerance 1 --json \
        --manifest "$work/drops.manifest" >"$work/drops-load.json" 2>"$work/drops-load.log" &
    load=$!
    children[$load]=load
    await 20 flows || fail "no events arrive"
    kafka_signal STOP
    await 20 refuses || fail "Flume drops nothing"
    delivered=$(metric SINK.k1 EventDrainSuccessCount)
    kafka_signal CONT
    await 60 delivers_beyond $((delivered + 2000)) || fail "Flume does not go on"
    kill -TERM $load # a load of a certain length could be over before the broker was stopped
    wait $load || fail "load of datagrams: exit $?"
    unset "children[$load]"
    sent=$(summary drops-load | jq .completed)
    says drops-load '.completed == .sent and .failed == 0'
    await 20 all_accounted || fail "$(metric SOURCE.r1 EventReceivedCount) received and $(kernel_drops) dropped by the kernel are not $sent"
    received=$(metric SOURCE.r1 EventReceivedCount)
    accepted=$(metric SOURCE.r1 EventAcceptedCount)
    counter_is "$accepted" metric SINK.k1 EventDrainSuccessCount
    ((accepted < received)) || fail "Flume dropped nothing"
    verify_start drops drops drops.manifest 20s # now, since the silence of a stopped broker could end one that runs beside it
    verify_end drops 1
    says drops ".received == $accepted and .lost == $((sent - accepted)) and .complete and .corrupted == 0 and .broken == 0"
    echo "    $(summary drops | jq -c '{received, lost, duplicated, reordered}')"
    stop flume
}

step "a broker"
kafka_start --brokers 1
try penstock
[[ $(accounted 'events accepted') == $((events + again)) && $(accounted delivered) == $((events + again)) ]] || fail "counts differ: $account"
try flume
drops
try rsyslog
((${#missing[@]} == 0)) || skip "everything else passed; not available: ${missing[*]}"
