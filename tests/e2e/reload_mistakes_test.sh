#!/usr/bin/env bash
# Every kind of mistake in a changed file, followed by SIGHUP: the reload is refused as a whole, with file, line and cure;
# the old configuration runs on, events flow, nothing is lost; /readyz and the gauge show it until the file is put right.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
metrics_port=$(free_port)
file="$work/agent.properties"
mkdir "$work/out"

good() { # the file that runs; $1 changes with every reload that shall be carried out
    cat <<EOF_
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.penstock.drain.timeout = $((20000 + $1))
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1 c2
a1.sources.r1.selector.type = replicating
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = dc
a1.sources.r1.interceptors.i1.value = one
a1.sources.r2.type = seq
a1.sources.r2.totalEvents = 10
a1.sources.r2.channels = c2
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c2.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
EOF_
}

# kind | sed script | what the log and /readyz say
mistakes=(
    "a port out of range|s/port = $port/port = 444444/|a1.sources.r1.port: 444444 is out of range; 0 to 65535"
    "a port that is no number|s/port = $port/port = 51x4/|a1.sources.r1.port: \"51x4\" is not a whole number"
    "a source of no type|s/r2.type = seq/r2.type = sequ/|a1.sources.r2.type: Flume has no source \`sequ\`; did you mean seq?"
    "a missing key|/r1.port/d|a1.sources.r1.port: is required and missing"
    "a missing type|/r2.type/d|source r2 has no type; add the line a1.sources.r2.type = seq"
    "a channel that is not there|s/r2.channels = c2/r2.channels = c3/|channel \"c3\" is not declared; add c3 to a1.channels"
    "one channel of two that is not there|s/r1.channels = c1 c2/r1.channels = c1 c3/|channel \"c3\" is not declared"
    "a list with a comma|s/sources = r1 r2/sources = r1,r2/|lists are separated by blanks, not commas"
    "a misspelt list|s/^a1.sinks = /a1.sinkz = /|add the line a1.sinks = "
    "a selector of no type|s/selector.type = replicating/selector.type = replicatin/|a1.sources.r1.selector.type: Flume has no selector \`replicatin\`"
    "an interceptor of no type|s/i1.type = static/i1.type = statik/|Flume has no interceptor \`statik\`; did you mean static?"
    "an interceptor without a type|/i1.type/d|interceptor \"i1\" has no type"
    "a sink of no type|s/k2.type = null/k2.type = loger/|Flume has no sink \`loger\`; did you mean logger?"
    "a sink without its key|/k1.sink.directory/d|a1.sinks.k1.sink.directory: is required and missing"
    "a sink with another channel|s/k1.channel = c1/k1.channel = c9/|channel \"c9\" is not declared"
    "a sink moved: its channel has none|s/k1.channel = c1/k1.channel = c2/|a1.sinks.k1.channel: channel c1 has sources, and loses its last sink: sink k1 now takes from c2 instead; give c1 another sink"
    "a source moved: its channel has none|s/r1.channels = c1 c2/r1.channels = c2/|a1.sources.r1.channels: channel c1 has sinks, and loses its last source: source r1 no longer puts events into it; give c1 another source"
    "a channel of no type|s/c1.type = memory/c1.type = memry/|Flume has no channel \`memry\`; did you mean memory?"
    "a capacity below the transaction's|s/capacity = 1000/capacity = 10/|transactionCapacity (100) is above capacity (10)"
    "a capacity that is no number|s/capacity = 1000/capacity = 10k/|\"10k\" is not a whole number"
    "a new sink with a mistake, in a new channel|s/^a1.channels = .*/& c4/;s/^a1.sinks = .*/& k4/;\$a a1.channels.c4.type = memory\\na1.sinks.k4.type = nul\\na1.sinks.k4.channel = c4|Flume has no sink \`nul\`; did you mean null?"
    "a source on another one's port|s/r2.type = seq/r2.type = netcat\\na1.sources.r2.bind = 0.0.0.0\\na1.sources.r2.port = $port/|a1.sources.r2.port: listens on 0.0.0.0:$port (TCP), as source r1 does; set another port or address"
    "a list with another one's port|s/r2.type = seq/r2.type = multiport_syslogtcp\\na1.sources.r2.ports = 0 $port/|a1.sources.r2.ports: listens on *:$port (TCP), as source r1 does"
    "a list with one port twice|s/r2.type = seq/r2.type = multiport_syslogtcp\\na1.sources.r2.ports = 5140 5140/|a1.sources.r2.ports: listens on *:5140 (TCP), as it does already; name each port once"
    "a source that moves to the metrics server's port|s/port = $port/port = $metrics_port/|a1.sources.r1.port: listens on 127.0.0.1:$metrics_port (TCP), as the metrics server (-Dflume.monitoring.port) does"
    "a directory that is not there|s#sink.directory = .*#sink.directory = $work/gone#|sink k1: sink.directory: directory $work/gone: No such file or directory; create it"
    "a directory that is a file|s#sink.directory = .*#sink.directory = $work/agent.err#|sink k1: sink.directory: directory $work/agent.err: Not a directory; set a directory"
    "an address of another machine|s/r1.host = .*/r1.host = 192.0.2.1/|source r1: host: cannot listen on 192.0.2.1:$port (TCP): this machine does not have that address: use one of its addresses"
    "a host name that does not resolve|s/r1.host = .*/r1.host = nohost.invalid/|source r1: host: cannot resolve host nohost.invalid: "
    "a new source at an address of another machine|s/^a1.sources = .*/& r4/;\$a a1.sources.r4.type = netcat\\na1.sources.r4.bind = 192.0.2.1\\na1.sources.r4.port = 0\\na1.sources.r4.channels = c2|source r4: bind: cannot listen on 192.0.2.1:0 (TCP): this machine does not have that address"
    "a new source with a program that is not there|s/^a1.sources = .*/& r4/;\$a a1.sources.r4.type = exec\\na1.sources.r4.command = no-such-program -v\\na1.sources.r4.channels = c2|source r4: program no-such-program: No such file or directory; install it"
    "a key of penstock's own|s/drain.timeout = .*/drain.timeout = soon/|a1.penstock.drain.timeout: \"soon\" is not a whole number"
)

good 0 >"$file"
"$PENSTOCK" agent -n a1 -f "$file" -i 3600 -b "$work/backup" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1

url="http://127.0.0.1:$metrics_port"
value() { curl -sf "$url/metrics/prometheus" | awk -v name="$1" '$1 == name { print $2 }'; } # NAME
is() { [[ $(value "$1") == "$2" ]]; }                                                        # NAME VALUE
ready() { curl -sf "$url/readyz" >/dev/null; }
delivered() { [[ $(cat "$work/out"/* 2>/dev/null | wc -l) -eq $1 ]]; } # COUNT
sent=0
send() { # one event on the connection that stays open
    sent=$((sent + 1))
    echo "<13>Nov 20 09:00:00 host app: event $sent" >&3
}

await "it starts" ready
exec 3<>"/dev/tcp/127.0.0.1/$port"
send
await "the first event" delivered 1
failed=0
reloads=0
for row in "${mistakes[@]}"; do
    kind=${row%%|*}
    said=${row##*|}
    script=${row#*|}
    script=${script%|*}
    good $reloads | sed "$script" >"$file"
    good $reloads | cmp -s - "$file" && fail "$kind: the file did not change"
    failed=$((failed + 1))
    kill -HUP "$agent"
    await "$kind: refused" is 'penstock_reloads_total{result="failed"}' $failed
    is 'penstock_reloads_total{result="ok"}' $reloads || fail "$kind: carried out"
    is penstock_configuration_reload_successful 0 || fail "$kind: the gauge does not show it"
    for component in 'source",component="r1' 'source",component="r2' 'channel",component="c1' 'sink",component="k1' 'sink",component="k2'; do
        is "penstock_component_up{kind=\"$component\"}" 1 || fail "$kind: $component is gone"
    done
    [[ $(curl -s -o "$work/ready.txt" -w '%{http_code}' "$url/healthz") == 503 ]] || fail "$kind: /healthz is well"
    grep -qF "$said" "$work/ready.txt" || fail "$kind: /readyz says $(<"$work/ready.txt")"
    grep -qE "^the last reload failed; the agent still runs the previous configuration: $file(:[0-9]+)?: error: " "$work/ready.txt" ||
        fail "$kind: /readyz names no place: $(<"$work/ready.txt")"
    grep -F "the new configuration is not used; the agent keeps the old one: $file" "$work/agent.err" | tail -n 1 | grep -qF "$said" ||
        fail "$kind: the log does not say $said"
    [[ $(curl -s "$url/livez") == ok ]] || fail "$kind: /livez"
    send
    await "$kind: an event on the old connection" delivered $sent
    if ((failed % 4 == 0)); then # put right, with a change: applied; else the next mistake follows
        reloads=$((reloads + 1))
        good $reloads >"$file"
        kill -HUP "$agent"
        await "$kind: put right" is 'penstock_reloads_total{result="ok"}' $reloads
        is penstock_configuration_reload_successful 1 || fail "$kind: put right: the gauge"
        await "$kind: put right: ready" ready
        send
        await "$kind: put right: an event" delivered $sent
    fi
done

# What leaves nothing that could run is an error as a whole: the cause is said, not the consequence.
wholes=(
    "no valid channel: capacities|s/capacity = 1000/capacity = 10/;s/^a1.channels.c2.type.*/&\\na1.channels.c2.capacity = 10/|a1.channels.c1.transactionCapacity: transactionCapacity (100) is above capacity (10): raise capacity"
    "no valid channel: types|s/\\(channels.c..type\\) = memory/\\1 = memry/|a1.channels.c1.type: Flume has no channel \`memry\`; did you mean memory?"
    "neither a source nor a sink|s/\\(sources.r..type\\) = .*/\\1 = sequ/;s/\\(sinks.k..type\\) = .*/\\1 = nul/|a1.sources.r1.type: Flume has no source \`sequ\`"
    "no list of channels|s/^a1.channels = /a1.channel = /|a1: the agent has no list of channels; add the line a1.channels = c1 c2"
)
for row in "${wholes[@]}"; do
    kind=${row%%|*}
    said=${row##*|}
    script=${row#*|}
    script=${script%|*}
    good $reloads | sed "$script" >"$file"
    failed=$((failed + 1))
    kill -HUP "$agent"
    await "$kind: refused" is 'penstock_reloads_total{result="failed"}' $failed
    for place in "$(curl -s "$url/readyz")" "$(tail -n 1 "$work/agent.err")"; do
        [[ $place == *"$file"*": error: $said"* ]] || fail "$kind: $place"
    done
    [[ $kind == *list* ]] || curl -s "$url/readyz" | grep -qE ": $file:[0-9]+: error: " || fail "$kind: no line"
done

# A file that is again what runs is well, too. The backup has what runs, not what was refused.
good $reloads | sed 's/k2.type = null/k2.type = loger/' >"$file"
kill -HUP "$agent"
await "one more mistake" is penstock_configuration_reload_successful 0
grep -qx "a1.sinks.k2.type=null" "$work/backup/.a1.properties" || fail "the backup has the mistake"
grep -qx "a1.penstock.drain.timeout=$((20000 + reloads))" "$work/backup/.a1.properties" || fail "the backup is not what runs"
good $reloads >"$file"
kill -HUP "$agent"
await "back to what runs" is penstock_configuration_reload_successful 1
ready || fail "back to what runs: not ready"

# What only opening would show has the line of its key, too.
good $reloads | sed "s#sink.directory = .*#sink.directory = $work/gone#" >"$file"
kill -HUP "$agent"
await "a directory that is not there" is penstock_configuration_reload_successful 0
failed=$((failed + 1))
curl -s "$url/readyz" | grep -qF "$file:$(grep -n sink.directory "$file" | cut -d: -f1): error: sink k1: sink.directory: " ||
    fail "no line: $(curl -s "$url/readyz")"
good $reloads >"$file"
kill -HUP "$agent"
await "the directory that runs" is penstock_configuration_reload_successful 1

# A component that is removed from its list was removed on purpose, also when its keys stay.
good $reloads | sed 's/^a1.sources = .*/a1.sources = r1/' >"$file"
kill -HUP "$agent"
await "r2 removed" is 'penstock_reloads_total{result="ok"}' $((reloads + 1))
[[ -z $(value 'penstock_component_up{kind="source",component="r2"}') ]] || fail "r2 is still there"

# The sink of a channel that stays is removed: its contents stay, and the sink's return delivers them.
good $reloads | sed 's/^a1.sinks = .*/a1.sinks = k2/' >"$file"
kill -HUP "$agent"
await "k1 removed" is 'penstock_reloads_total{result="ok"}' $((reloads + 2))
for _ in 1 2 3; do send; done
await "events wait in c1" is 'penstock_channel_size_events{component="c1"}' 3
good $reloads | sed 's/capacity = 1000/capacity = 2000/;s/^a1.sinks = .*/a1.sinks = k2/' >"$file"
kill -HUP "$agent"
await "c1 changed without a sink" is 'penstock_reloads_total{result="ok"}' $((reloads + 3))
is 'penstock_channel_size_events{component="c1"}' 3 || fail "what waits in c1 is gone"

# c1 goes while its events cannot be delivered: refused, and everything runs on.
good $reloads | sed 's/^a1.sinks = .*/a1.sinks = k2/;s/^a1.channels = .*/a1.channels = c2/;s/r1.channels = .*/r1.channels = c2/' >"$file"
kill -HUP "$agent"
await "c1 is needed" is 'penstock_reloads_total{result="failed"}' $((failed + 2))
problems=$(curl -s "$url/readyz")
[[ $problems == *"channel c1 is removed or gets another type, and 3 events in it are not delivered"* ]] || fail "/readyz: $problems"
send
await "c1 takes on" is 'penstock_channel_size_events{component="c1"}' 4
good $((reloads + 1)) >"$file"
kill -HUP "$agent"
await "k1 is back" is 'penstock_reloads_total{result="ok"}' $((reloads + 4))
await "everything in c1 is delivered" delivered $sent

# A port that this agent has is no mistake, nor are brokers that do not answer: nobody waits for them.
exec 3>&-
port_5=$(free_port)
with_kafka() { # BROKERS: what runs, with r1 changed, and a flow to Kafka
    good $((reloads + 1)) | sed 's/^a1.sources = .*/& r5/;s/^a1.channels = .*/& c5/;s/^a1.sinks = .*/& k5/'
    printf 'a1.sources.r1.eventSize = 4000\na1.sources.r5.type = netcat\na1.sources.r5.bind = localhost\na1.sources.r5.port = %d\n' "$port_5"
    printf 'a1.sources.r5.channels = c5\na1.channels.c5.type = memory\na1.sinks.k5.channel = c5\na1.sinks.k5.kafka.topic = t\n'
    printf 'a1.sinks.k5.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.k5.kafka.bootstrap.servers = %s\n' "$1"
}
for brokers in "127.0.0.1:$(free_port)" "nohost.invalid:9092"; do
    reloads=$((reloads + 1))
    with_kafka "$brokers" >"$file"
    kill -HUP "$agent"
    await "brokers $brokers" is 'penstock_reloads_total{result="ok"}' $((reloads + 4))
    is 'penstock_component_up{kind="source",component="r1"}' 1 || fail "brokers $brokers: r1 is gone"
done
exec 3<>"/dev/tcp/127.0.0.1/$port"
send
await "an event on the port that was changed" delivered $sent

kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
[[ $code -eq 0 ]] || fail "exit status $code"
grep -q "not delivered 0" "$work/agent.err" || fail "something was not delivered"
delivered $sent || fail "not every event is there once"
for ((i = 1; i <= sent; i++)); do
    [[ $(grep -cE "event $i\$" "$work"/out/* | awk -F: '{ n += $NF } END { print n }') -eq 1 ]] || fail "event $i"
done

# A start drops such components, as Flume does, and names each of them however many there are.
{
    echo "a1.channels = c1"
    echo "a1.channels.c1.type = memory"
    echo "a1.sinks = k1 $(seq -s ' ' -f 'x%g' 1 15)"
    echo "a1.sinks.k1.type = null"
    echo "a1.sinks.k1.channel = c1"
    for ((i = 1; i <= 15; i++)); do printf 'a1.sinks.x%d.type = nul\na1.sinks.x%d.channel = c1\n' $i $i; done
} >"$file"
"$PENSTOCK" agent -n a1 -f "$file" 2>"$work/start.err" &
agent=$!
children[$agent]=1
await "a start with mistakes" grep -q "sink k1 (null); from c1" "$work/start.err"
[[ $(grep -cE "dropped: a1.sinks.x[0-9]+.type: Flume has no sink" "$work/start.err") -eq 15 ]] || fail "not every mistake is named"
kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
echo "ok: ${#mistakes[@]} mistakes, $sent events"
