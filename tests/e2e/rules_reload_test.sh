#!/usr/bin/env bash
# Rules files are changed all the time under load, in every way that files are changed, with good and bad contents, with
# SIGHUPs and changes of the agent file in between. penstock verify finds every event once; events are in the channel
# that their set of rules names; no worker returns to an older set; the log has the reason for every refused file.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---- rules: each number gives a different text; odd numbers route to channel odd, even ones to even ----

rules="$work/rules"
mkdir -p "$rules" "$work/odd" "$work/even" "$work/order"

route_rules() { # NUMBER
    local to=even
    (($1 % 2 == 0)) || to=odd
    echo "# a comment, so that the text is long enough to be caught half written"
    echo "include \"words.rules\""
    echo "rule all { when body ~ /load|~1|./ set header.routed = \"$1\" route $to }"
}
word_rules() { # NUMBER
    local i
    for ((i = 0; i < 20; i++)); do
        echo "rule word-$i { when body ~ /never-$1-$i [a-z]+=(?<value>\\d+)/ drop }"
    done
}
order_rules() { # NUMBER
    echo "rule all { when true set header.generation = \"$1\" }"
}
route_rules 1 >"$rules/route.rules"
word_rules 1 >"$rules/words.rules"
order_rules 1 >"$rules/order.rules"

# Replaces a file's contents by standard input, in one of five ways.
change() { # FILE WAY
    case $2 in
    0) cat >"$1" ;;                                      # in place
    1) cat >"$1.new" && mv "$1.new" "$1" ;;              # rename
    2) cat >"$work/copy" && cp "$work/copy" "$1" ;;      # cp
    3) mv "$1" "$1~" && cat >"$1" ;;                     # as an editor that keeps a backup
    4) rm "$1" && cat >"$1" ;;                           # the file is missing for a moment
    esac
}

# ---- the agent ----

port=$(free_port)
metrics_port=$(free_port)
cat >"$work/agent.properties" <<EOF_
a1.penstock.workers = 2
a1.sources = r1 r2
a1.channels = odd even order
a1.sinks = odd even order
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.penstock.workers = 2
a1.sources.r1.channels = odd even
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $rules/route.rules
a1.sources.r1.selector.rules.settle = 20
a1.sources.r1.selector.rules.cache = $work/cache
a1.sources.r2.type = stress
a1.sources.r2.size = 20
a1.sources.r2.maxEventsPerSecond = 2000
a1.sources.r2.channels = order
a1.sources.r2.interceptors = i1
a1.sources.r2.interceptors.i1.type = rules
a1.sources.r2.interceptors.i1.rules.file = $rules/order.rules
a1.sources.r2.interceptors.i1.rules.settle = 20
a1.sources.r2.interceptors.i1.rules.cache = none
a1.channels.odd.type = memory
a1.channels.odd.capacity = 20000
a1.channels.even.type = memory
a1.channels.even.capacity = 20000
a1.channels.order.type = memory
a1.channels.order.capacity = 20000
a1.sinks.odd.type = file_roll
a1.sinks.odd.channel = odd
a1.sinks.odd.sink.directory = $work/odd
a1.sinks.odd.sink.rollInterval = 0
a1.sinks.odd.sink.serializer = header_and_text
a1.sinks.even.type = file_roll
a1.sinks.even.channel = even
a1.sinks.even.sink.directory = $work/even
a1.sinks.even.sink.rollInterval = 0
a1.sinks.even.sink.serializer = header_and_text
a1.sinks.order.type = file_roll
a1.sinks.order.channel = order
a1.sinks.order.sink.directory = $work/order
a1.sinks.order.sink.rollInterval = 0
a1.sinks.order.sink.serializer = header_and_text
EOF_
"$PENSTOCK" check -n a1 -f "$work/agent.properties" --strict >"$work/check.err" 2>&1 || fail "check: $(<"$work/check.err")"
# Rules are compiled at SCHED_IDLE, which otherwise waits until the machine has nothing else to do (tests/support/idle.c).
LD_PRELOAD=$PENSTOCK_TOOLS/not_idle.so "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics_port" \
    >"$work/agent.out" 2>"$work/agent.err" &
agent=$!
children[$agent]=1

numbers() { curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$metrics_port/metrics/prometheus"; }
number() { # NAME LABEL-PATTERN
    numbers | grep -E "^penstock_$1\{.*$2.*\} " | awk '{ print $NF }' | head -n 1
}
listens() { ! port_is_free "$port"; }
has_metrics() { [[ $(number selector_rules_generation 'component="r1"') ]]; }
await "the agent does not listen" listens
await "no metrics" has_metrics

# ---- changes while load sends ----

"$PENSTOCK" load --target "tcp://127.0.0.1:$port" --wait --settle 300s --rate 4k --connections 4 --format rfc3164 --json --tolerance 1 \
    --manifest "$work/load.manifest" >"$work/load.json" 2>"$work/load.err" &
load=$!
children[$load]=1

failures() { number selector_rules_reload_failures_total 'component="r1"'; }
failed_again() { (($(failures) > failed_before)); }
# Writes bad rules and waits until they were read and refused: the previous rules stay in use meanwhile.
refused() { # WAY, the text from standard input
    local failed_before
    failed_before=$(failures)
    change "$rules/route.rules" "$1"
    await "a bad file was not refused" failed_again
}

generation() { number selector_rules_generation 'component="r1"'; }
generation_passed() { (($(generation) > generation_before)); }
generation_before=1
for ((number = 2; number <= 40; number++)); do
    kill -0 $load 2>/dev/null || fail "load ended"
    route_rules $number | change "$rules/route.rules" $((number % 5))
    ((number % 3 != 0)) || word_rules $number | change "$rules/words.rules" $((number / 3 % 5))
    order_rules $number | change "$rules/order.rules" $((number / 2 % 5))
    sleep 0.1
    if ((number % 5 == 0)); then # wait until the compiler had its turn on a busy machine
        await "no new rules are in use" generation_passed
        generation_before=$(generation)
    fi
    case $((number % 20)) in
    6) echo 'rule all { when body ~ /(/ route odd }' | refused 1 ;;
    9) printf 'rule all {\n  when true\n  route nowhere\n}\n' | refused 0 ;; # no such channel
    13) # half of a file, by a slow writer
        {
            printf 'rule all { when true set header.routed = "1" route od'
            sleep 0.1
            echo 'd }'
        } >"$rules/route.rules" # complete in the end
        sleep 0.3
        ;;
    16) kill -HUP $agent ;;
    18) # the agent file changes: a sink is replaced, r1 keeps running with its rules, r2 is rebuilt with its rules
        sed -i "s/^\(a1.sinks.odd.sink.rollInterval\) = .*/\1 = $((3600 + number))/
            s/^\(a1.sources.r2.interceptors.i1.rules.settle\) = .*/\1 = $((20 + number))/" "$work/agent.properties"
        kill -HUP $agent
        ;;
    esac
done
kill -TERM $load
code=0
wait $load || code=$?
unset "children[$load]"
events=$(tail -n 1 "$work/load.json" | jq 'select(.type == "summary" and .failed == 0 and .completed == .sent) | .completed')
((events > 0)) || fail "load: exit $code: $(tail -n 1 "$work/load.json" | cut -c 1-600)"

# The last rules are good: they must come into use.
for file in route word order; do "${file}_rules" $number >"$work/last.${file/word/words}.rules"; done
for file in route words order; do mv "$work/last.$file.rules" "$rules/$file.rules"; done
is_fine() {
    [[ $(number selector_rules_last_reload_successful 'component="r1"') == 1 && $(number interceptor_rules_last_reload_successful 'component="r2/i1"') == 1 ]]
}
await "the last rules are not in use" is_fine

# ---- the account ----

code=0
"$PENSTOCK" verify --from "file://$work/odd?follow=true" --from "file://$work/even?follow=true" --manifest "$work/load.manifest" --idle 20s \
    --json >"$work/verify.json" 2>"$work/verify.err" || code=$?
clean='.lost == 0 and .complete and .duplicated == 0 and .reordered == 0 and .corrupted == 0 and .cut == 0 and .broken == 0'
tail -n 1 "$work/verify.json" | jq -e "select(.type == \"summary\") | $clean and .received == $events and .records == $events" >/dev/null ||
    fail "verify ($code): $(tail -n 1 "$work/verify.json" | jq -c 'del(.histogram)' | cut -c 1-900)"
for parity in 0 1; do
    folder=even
    ((parity == 0)) || folder=odd
    cat "$work/$folder"/* | awk -v parity=$parity '
        match($0, /routed=[0-9]+/) { n = substr($0, RSTART + 7, RLENGTH - 7) + 0; if (n % 2 != parity) wrong++; else if (!(n in seen)) { seen[n] = 1; sets++ } ; next }
        { unmarked++ }
        END { printf "%d sets, %d wrong, %d unmarked\n", sets, wrong, unmarked; exit wrong > 0 || unmarked > 0 || sets < 1 }' >"$work/$folder.err" ||
        fail "events in $folder: $(<"$work/$folder.err")"
done
cat "$work"/order/* | awk '
    match($0, /generation=[0-9]+/) { n = substr($0, RSTART + 11, RLENGTH - 11) + 0; if (n < last) wrong++; if (n != last) sets++; last = n; next }
    { unmarked++ }
    END { printf "%d sets, %d back to older ones, %d unmarked\n", sets, wrong, unmarked; exit wrong > 0 || unmarked > 0 || sets < 3 }' >"$work/order.err" ||
    fail "order: $(<"$work/order.err")"

hits=$(number selector_rule_hits_total 'component="r1",rule="all"')
((hits == events)) || fail "the rule hit $hits events, not $events"
reloads=$(number selector_rules_reloads_total 'component="r1"')
failures=$(failures)
((reloads >= 6 && failures >= 4)) || fail "$reloads reloads, $failures failures"
(($(number selector_rules_generation 'component="r1"') == reloads + 1)) || fail "generations and reloads do not agree"
(($(number selector_rules_scan_errors_total 'component="r1"') == 0)) || fail "scan errors"
grep -qE 'route\.rules:1:[0-9]+: error: ' "$work/agent.err" || fail "the bad expression was not named with its place"
grep -qE 'route\.rules:3:[0-9]+: error: .*nowhere' "$work/agent.err" || fail "the missing channel was not named with its place"
grep -q 'the old rules stay active' "$work/agent.err" || fail "the log does not show that the old rules stay active"

kill -TERM $agent
wait $agent || fail "the agent ended with $?"
unset "children[$agent]"
grep -q 'not delivered 0' "$work/agent.err" || fail "wrong account of the agent: $(grep 'stopped:' "$work/agent.err")"
echo "ok: $events events through $((reloads + 1)) sets of rules, $failures refused; $(<"$work/order.err")"
