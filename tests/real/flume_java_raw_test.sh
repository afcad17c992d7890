#!/usr/bin/env bash
# Needs: flume
# An interceptor that gives what the compiler does not check, run by a real Flume 1.11 and by penstock with the same file: headers that are no
# strings, null in several places, one event twice, an event of an earlier call, a list that nobody may change. And events with more headers than
# penstock's channels take: they are dead letters, also when the class made a new event, and those behind them arrive.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

for round in 1 2 3; do
    for kind in plain values key 'null value' 'null key' 'null body' twice many swap; do echo "$kind $round"; done
done >"$work/input"
agent_file() { # DIR
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = c1'
    printf 'a1.sources.r1.%s\n' 'type = exec' "command = cat $work/input" 'channels = c1' "penstock.deadletter = $work/dead" \
        'interceptors = i1 i2' "interceptors.i1.type = example.Raw\$Builder" 'interceptors.i2.type = static' 'interceptors.i2.key = behind' 'interceptors.i2.value = it'
    into_files c1 "$1/out" 10000 10000
}
# A header or value that is null is empty in penstock.
comparable() { sed 's/^many .*//; s/{h[0-9].*//; s/null=x/=x/; s/none=null/none=/' | grep . | headers_in_order; }
# Flume also delivers the three events with 5,000 headers.
run flume 30 "${engines[flume]}"
run penstock 27 "${engines[penstock]}"
without_many() { grep -v ' many [0-9]*$'; }
same_content 'what the compiler does not check' out eval 'without_many | comparable'
(($(content "$work/flume/out" | grep -c ' many [0-9]*$') == 3)) || fail "Flume does not deliver events with 5,000 headers"
[[ $(cat "$work"/dead/* | grep -c '"reason":"event-unfit".*many') == 3 ]] || { cat "$work"/dead/* >&2; fail "not 3 dead letters"; }
grep -qE 'ERROR interceptor i1 of source r1: of what the interceptor made of a batch of [0-9]+ events, .* given up.*: an event with 50[0-9]* headers: at most 4096' "$work/penstock.log" ||
    fail "the log does not name the interceptor whose events are given up"
# One event for each event: those that the class made itself are assigned by their place.
printf '%s\n' 'plain 4' 'fresh 4' 'plain 5' 'fresh 5' 'fresh 6' 'plain 6' >"$work/input"
run penstock 30 "${engines[penstock]}"
for number in 4 5 6; do
    [[ $(cat "$work"/dead/* | grep -c "\"reason\":\"event-unfit\".*fresh $number") == 1 ]] || { cat "$work"/dead/* >&2; fail "no dead letter of fresh $number"; }
    content "$work/penstock/out" | grep -q "plain $number" || fail "plain $number did not arrive"
done
echo 'same: what the compiler does not check; 6 dead letters'
