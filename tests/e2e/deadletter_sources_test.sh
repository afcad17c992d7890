#!/usr/bin/env bash
# What sources and rules give up goes to the directory of the source: lines that are too long or not finished, datagrams without
# a priority, records that are no Avro events, events that a rule sends there; all else arrives.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v nc >/dev/null || { echo "SKIP: no nc"; exit 77; }
broker_port=$(free_port)
netcat_port=$(free_port)
syslog_port=$(free_port)
udp_port=$(free_port)
dead=$work/dead
mkdir "$work/out"
"$PENSTOCK" mock-broker --port "$broker_port" --topic in:1 >"$work/broker.out" 2>"$work/broker.err" &
children[$!]=1
await "no broker" test -s "$work/broker.out"
cat >"$work/web.rules" <<'END'
default c1
rule secret { when body ~ /secret/ set header.why = "secret" drop deadletter }
rule noise { when body ~ /noise/ drop }
END
{
    cat <<END
a1.sources = r1 r2 r3 r4
a1.channels = c1
a1.sinks = k1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $netcat_port
a1.sources.r1.max-line-length = 100
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = host
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $work/web.rules
a1.sources.r2.type = syslogtcp
a1.sources.r2.host = 127.0.0.1
a1.sources.r2.port = $syslog_port
a1.sources.r3.type = syslogudp
a1.sources.r3.host = 127.0.0.1
a1.sources.r3.port = $udp_port
a1.sources.r4.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r4.kafka.bootstrap.servers = 127.0.0.1:$broker_port
a1.sources.r4.kafka.topics = in
a1.sources.r4.kafka.consumer.group.id = g
a1.sources.r4.kafka.consumer.auto.offset.reset = earliest
a1.sources.r4.useFlumeEventFormat = true
END
    for source in r1 r2 r3 r4; do
        echo "a1.sources.$source.channels = c1"
        echo "a1.sources.$source.penstock.deadletter = $dead"
    done
} >"$work/a.properties"
"$PENSTOCK" agent -n a1 -f "$work/a.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port=0 2>"$work/agent.err" &
agent=$!
children[$agent]=1
touch "$work/agent.err"
listening() { [[ $(grep -c 'listening on 127.0.0.1:' "$work/agent.err") -ge 3 ]]; }
await "the sources do not listen" listening

letters() { "$PENSTOCK" deadletter show "$dead" --json "$@" 2>"$work/show.err"; }
one() { # WHAT COMPONENT REASON: there is one letter; it is in $work/letter
    has_one() { letters --component "$2" --reason "$3" >"$work/letter" && [[ $(wc -l <"$work/letter") -eq 1 ]]; }
    await "no letter: $1" has_one "$@"
}
body() { jq -j '.body // (.body_base64 | @base64d)' "$work/letter"; }

printf '%s\n' 'first' 'a secret' 'noise' 'last' | nc -N 127.0.0.1 "$netcat_port" >"$work/answers"
[[ $(<"$work/answers") == $'OK\nOK\nOK\nOK' ]] || fail "answers: $(<"$work/answers")"
one "of the rule" 'selector of source r1' rule
[[ $(body) == 'a secret' && $(jq -r '.headers.why, .text' "$work/letter" | xargs) == 'secret rule secret' ]] || fail "the rule's: $(<"$work/letter")"
jq -e .headers.host "$work/letter" >/dev/null || fail "the interceptor's header is missing"

printf 'good\n%0200d\nnever\n' 7 | nc -N 127.0.0.1 "$netcat_port" >"$work/answers" || true
grep -q 'FAILED: Event exceeds the maximum length' "$work/answers" || fail "too long: $(<"$work/answers")"
one "too long" r1 line-too-long
body | grep '^0*7' >/dev/null || fail "too long: $(<"$work/letter")"

printf 'whole\nhalf' | nc -N 127.0.0.1 "$netcat_port" >/dev/null
one "unfinished line" r1 unfinished
[[ $(body) == half ]] || fail "unfinished: $(<"$work/letter")"
printf '<13>Oct 11 10:00:00 h whole\n<13>Oct 11 10:00:00 h ha\377' | nc -N 127.0.0.1 "$syslog_port" >/dev/null
one "unfinished message" r2 unfinished
[[ $(jq -r '.body_base64' "$work/letter" | base64 -d | xxd -p) == "$(printf '<13>Oct 11 10:00:00 h ha\377' | xxd -p)" ]] || fail "syslog: $(<"$work/letter")"

printf '<' | nc -u -w 1 -N 127.0.0.1 "$udp_port"
one "datagram" r3 no-priority
[[ $(body) == '<' ]] || fail "datagram: $(<"$work/letter")"

"$PENSTOCK" load --wait --events 50 --rate 1k --tolerance 1 --target "kafka://127.0.0.1:$broker_port/in" >"$work/load.out" 2>"$work/load.err" || fail "load"
malformed() { [[ $(letters --component r4 --reason malformed | wc -l) -eq 50 ]]; }
await "records that are no Avro" malformed
[[ $(letters --component r4 | jq -r .text | head -1) == 'topic in, partition 0, offset 0: not an event of Flume'* ]] || fail "$(letters --component r4 | head -1)"

port=$(sed -nE 's/.*metrics: listening on [^ ]*:([0-9]+): .*/\1/p' "$work/agent.err")
counted() { curl -s "http://127.0.0.1:$port/metrics/prometheus" | grep '^penstock_source_events_deadletter_total{component="r4"} 50$' >/dev/null; }
await "the counter" counted
kill -TERM "$agent"
wait "$agent" || fail "the agent exits with $?"
unset "children[$agent]"
diff <(cat "$work"/out/* | sort) <(printf '%s\n' first last good whole whole | sort) || fail "what arrived"
echo "ok: $("$PENSTOCK" deadletter list "$dead" | head -1)"
