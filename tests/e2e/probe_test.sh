#!/usr/bin/env bash
# penstock check --probe: what an agent needs outside its file, when all is there and when something is missing; it leaves
# nothing behind. What check and the start of the log say of components, and -v.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tcp=$(free_port)
udp=$(free_port)
kafka=$(free_port)
metrics=$(free_port)

write_agent() { # BROKER-PORT TOPIC DIRECTORY
    cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2 r3 r4
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $tcp
a1.sources.r1.channels = c1 c2
a1.sources.r2.type = syslogudp
a1.sources.r2.host = 127.0.0.1
a1.sources.r2.port = $udp
a1.sources.r2.channels = c1
a1.sources.r3.type = exec
a1.sources.r3.command = tail -n 0 -F /dev/null --secret=swordfish
a1.sources.r3.channels = c1
a1.sources.r4.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r4.kafka.bootstrap.servers = 127.0.0.1:$1
a1.sources.r4.kafka.topics = $2
a1.sources.r4.kafka.consumer.group.id = readers
a1.sources.r4.batchSize = 100
a1.sources.r4.channels = c2
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$1
a1.sinks.k1.kafka.topic = $2
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $3
a1.sinks.k2.channel = c2
EOF_
}
check() { # CODE OPTION...
    local want=$1 code=0
    shift
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" "$@" >"$work/out" 2>"$work/check.err" || code=$?
    ((code == want)) || fail "check $*: exit $code, not $want:"$'\n'"$(cat "$work/out")"
}
probe() { probe_agent "$work/agent.properties" "$@"; } # CODE OPTION... [-- PATTERN...]
says() { grep -qE -- "$1" "$work/out" || fail "no line like \"$1\" in"$'\n'"$(cat "$work/out")"; }
says_not() { ! grep -qE -- "$1" "$work/out" || fail "a line like \"$1\" in"$'\n'"$(cat "$work/out")"; }

"$PENSTOCK" mock-broker --port "$kafka" --topic here:4 --with-parent >"$work/broker" 2>"$work/broker.err" &
children[$!]=1
is_there() { [[ -s $work/broker ]]; }
await 'no mock broker' is_there
mkdir "$work/files"

# ---- what an operator looks for ----
write_agent "$kafka" here "$work/files"
check 0
says "source r1: netcat, listens on 127.0.0.1:$tcp \(TCP\)\$"
says "source r2: syslogudp, listens on 127.0.0.1:$udp \(UDP\)"
says 'source r3: exec, runs tail, once'
says_not swordfish
says "source r4: kafka, brokers 127.0.0.1:$kafka, group readers, topic here, native engine\$"
says "sink k1: kafka from channel c1, brokers 127.0.0.1:$kafka, topic here or the event's, acks all, idempotent, native engine\$"
says "sink k2: file_roll from channel c2, writes files in $work/files, a new one every 30 s\$"
says '^flow r1 -> c1 -> k1: .*sender is refused; exactly once '
says '^flow r4 -> c2 -> k2: at least once: '
says_not '^flow r4 -> c1'
says_not 'ring|worker [0-9]+:'
check 0 -v
says '^channel c1 \(memory\): 3 producers, 1 consumer, 3 SPSC rings$'
says '^worker [0-9]+: sink k1'
check 0 --json
jq -e '.sinks[] | select(.name == "k1") | .outline | contains("topic here")' "$work/out" >/dev/null || fail 'no outline in --json'
jq -e '(.flows | map(select(startswith("flow "))) | length == 5) and (.engine | any(contains("rings"))) and (has("probes") | not)' \
    "$work/out" >/dev/null || fail 'no flows in --json'

sed -i 's/^a1.sinks.k1.kafka.topic/a1.sinks.k1.kafka.producer.acks = 1\n&/' "$work/agent.properties"
check 0
says 'acks 1 \(events can be lost\), native engine$'

# ---- all is there ----
write_agent "$kafka" here "$work/files"
probe 0 -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics" -b "$work/backup/deep"
says "^  ok +source r1: listen on 127.0.0.1:$tcp \(TCP\): the port is free\$"
says "^  ok +source r2: listen on 127.0.0.1:$udp \(UDP\): the port is free\$"
says '^  ok +source r3: program tail: can be run$'
says "^  ok +source r4: brokers 127.0.0.1:$kafka: answer, and accept the credentials; the cluster has 1 broker\$"
says '^  ok +source r4: topic here: 4 partitions, their leaders answer$'
says '^  ok +sink k1: topic here: 4 partitions, their leaders answer$'
says "^  ok +sink k2: sink.directory: directory $work/files: can be written, [0-9.]+ [KMGTP]iB free\$"
says "^  ok +metrics: listen on \*:$metrics \(TCP\): the port is free\$"
says "^  ok +agent: backup \(-b\): directory $work: can be written, "
says '^a1: fine$'
[[ ! -e $work/backup && -z $(ls -A "$work/files") ]] || fail 'it left something behind'
probe 0 --json
jq -e '.probes | length == 8 and all(.result == "ok")' "$work/out" >/dev/null || fail "probes: $(cat "$work/out")"

# ---- the directory of the log file: of a file in the root, in the working directory, and in one that will be made ----
mkdir "$work/conf"
log_is_probed() { # FILE DIRECTORY
    local code=0
    cat >"$work/conf/log4j2.xml" <<EOF_
<Configuration><Appenders><File name="F" fileName="$1"><PatternLayout pattern="%m%n" /></File></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="F" /></Root></Loggers></Configuration>
EOF_
    [[ -w $2 ]] || code=3
    probe "$code" -c "$work/conf"
    says "^  (ok|FAILED) +agent: log file: directory $2(: can be written,.*|: Permission denied;.*)\$"
}
log_is_probed /penstock-never-made.log /
log_is_probed "$work/logs/deep/x.log" "$work"
(cd "$work" && log_is_probed x.log .)
[[ ! -e $work/logs && ! -e $work/x.log && ! -e /penstock-never-made.log ]] || fail 'the probe made a log'

# ---- something is missing: a line for each, with cause and cure ----
touch "$work/plain"
write_agent "$kafka" absent "$work/plain"
sed -i 's/command = tail/command = no-such-program/' "$work/agent.properties"
if has python3 ports_in_use; then
    python3 - "$tcp" "$udp" >"$work/taken" <<'EOF_' &
import socket, sys, time
one, two = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind(('127.0.0.1', int(sys.argv[1])))
one.listen()
two.bind(('127.0.0.1', int(sys.argv[2])))
print('taken', flush=True)
time.sleep(600)
EOF_
    thief=$!
    children[$thief]=1
    are_taken() { [[ -s $work/taken ]]; }
    await 'the ports are not taken' are_taken
fi
for _ in first again; do # a topic that the first one created would be there
    probe 3 -- "^  ok +source r4: brokers 127.0.0.1:$kafka: answer" '^  FAILED +source r4: topic absent: the cluster has no such topic.*; create it' \
        '^  FAILED +sink k1: topic absent: '
    says '^  FAILED +source r3: program no-such-program: No such file or directory; install it'
    says "^  FAILED +sink k2: sink.directory: directory $work/plain: Not a directory; set a directory"
    if [[ ${thief-} ]]; then
        says "^  FAILED +source r1: listen on 127.0.0.1:$tcp \(TCP\): taken by python3[^ ]* \(process $thief\); stop it"
        says "^  FAILED +source r2: listen on 127.0.0.1:$udp \(UDP\): taken by python3[^ ]* \(process $thief\); stop it"
    fi
    says '^a1: [0-9] required resources? (is|are) unavailable$'
done

# ---- no broker; one that does not speak TLS; a topic that depends on the event ----
write_agent "$(free_port)" here "$work/gone"
probe 3 -- '^  FAILED +sink k1: brokers 127.0.0.1:[0-9]+: .*Connection refused.*check that the brokers run'
says_not 'topic here:'
says "^  FAILED +sink k2: sink.directory: directory $work/gone: No such file or directory; create it"
write_agent "$kafka" here "$work/files"
sed -i 's/^a1.sinks.k1.kafka.topic = .*/a1.sinks.k1.kafka.topic = %{kind}\na1.sinks.k1.kafka.producer.security.protocol = SSL/' "$work/agent.properties"
probe 3 -- '^  FAILED +sink k1: brokers .*TLS failed: '
says '^  skipped sink k1: %\{kind\}: the topic depends on the event$'

# ---- a sink reads identities, which brokers give that read topics by their ids: this one does not ----
write_agent "$kafka" here "$work/files"
sed -i 's/^a1.sinks.k2.type = .*/a1.sinks.k2.type = logger\na1.sinks.k2.penstock.identity = true/' "$work/agent.properties"
probe 3 -- '^  FAILED +source r4: identities of events, .*reads no topic by its id .*; set penstock.ids = none'

# ---- of several addresses one is wrong: the client would not notice ----
write_agent "$kafka" here "$work/files"
gone=$(free_port)
sed -i "s/^\(a1.sinks.k1.kafka.bootstrap.servers = \).*/\1127.0.0.1:$gone, 127.0.0.1:$kafka/" "$work/agent.properties"
probe 3 -- "^  ok +sink k1: brokers 127.0.0.1:$gone, ?127.0.0.1:$kafka: answer" "^  FAILED +sink k1: broker 127.0.0.1:$gone alone: .*Connection refused" \
    "^  ok +sink k1: broker 127.0.0.1:$kafka alone: answers\$"

# ---- a broker that refuses the password (the mock cluster knows no SASL) ----
if command -v python3 >/dev/null; then
    python3 "$(dirname "${BASH_SOURCE[0]}")/sasl_refuses.py" >"$work/refuses" 2>"$work/refuses.err" &
    refuser=$!
    children[$refuser]=1
    listens() { [[ -s $work/refuses ]]; }
    await 'no broker that refuses' listens
    write_agent "$kafka" here "$work/files"
    sed -i "s/^a1.sinks.k1.kafka.bootstrap.servers = .*/a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:$(cat "$work/refuses")\n\
a1.sinks.k1.kafka.producer.security.protocol = SASL_PLAINTEXT\n\
a1.sinks.k1.kafka.producer.sasl.mechanism = PLAIN\n\
a1.sinks.k1.kafka.producer.sasl.jaas.config = org.apache.kafka.common.security.plain.PlainLoginModule required username=\"ann\" password=\"Secret7\";/" "$work/agent.properties"
    probe 3 -- '^  FAILED +sink k1: brokers 127.0.0.1:[0-9]+: .*ann is not known here'
    says_not 'Secret7'
    kill -KILL "$refuser"
    wait "$refuser" 2>/dev/null || true
    unset "children[$refuser]"
fi

# ---- a mistake in the file: no probes ----
write_agent "$kafka" here "$work/files"
sed -i 's/^a1.channels = .*/a1.channels = /' "$work/agent.properties"
check 1 --probe
says_not 'tried as'

# ---- the start of the log ----
log_of() { # OPTION...
    : >"$work/agent.err" # the copy of this shell that becomes the agent empties it too late: lines of the agent before would be found
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" "$@" 2>"$work/agent.err" &
    local agent=$!
    children[$agent]=1
    has_started() { grep -q 'flow r4' "$work/agent.err" && grep -q 'sink k2' "$work/agent.err"; }
    await 'the agent does not start' has_started
    kill -TERM $agent
    wait $agent || true
    unset "children[$agent]"
    cp "$work/agent.err" "$work/out"
}
if [[ ${thief-} ]]; then
    kill -KILL "$thief"
    wait "$thief" 2>/dev/null || true
    unset "children[$thief]"
fi
write_agent "$kafka" here "$work/files"
log_of
says "INFO agent: source r1 \(netcat\) listens on 127.0.0.1:$tcp \(TCP\); into c1 c2\$"
says "INFO agent: sink k1 \(kafka\) brokers 127.0.0.1:$kafka, topic here or the event's, acks all, idempotent, native engine; from c1\$"
says 'INFO agent: channel c1 \(memory\) up to 100 events$'
says_not 'ring|worker [0-9]+:'
log_of --verbose
says 'INFO agent: channel c1 \(memory\): 3 producers, 1 consumer, 3 SPSC rings$'
