#!/usr/bin/env bash
# What CI asks of `penstock plan`: requirements, comparison, their exit statuses, exports, cost. From stored results, so that
# nothing is measured; plan_test.sh has one measurement with them.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v jq >/dev/null || { echo "SKIP: no jq"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# ndr 806,000 to 822,000 (95 %: 803,000 to 823,000); p99<5ms 780,000 to 800,000 (778,000 to 799,000); pdr=0.1% out of time.
jq -c 'del(.requirements, .comparison)' "$PENSTOCK_SOURCE/tests/bench/data/plan-result.json" >"$work/now.json"

fail() { echo "FAILED: $*" >&2; tail -c 2000 "$work/out" >&2; cat "$work/err" >&2; exit 1; }

plan() { # WANTED-EXIT OPTION...
    local wanted=$1 code=0
    shift
    "$PENSTOCK" plan --json "$@" >"$work/out" 2>"$work/err" || code=$?
    ((code == wanted)) || fail "plan $*: exit $code, not $wanted"
}
result() { # JQ-FILTER
    tail -n 1 "$work/out" | jq -e "$1" >/dev/null || fail "the result does not fulfil: $1"
}
says() { # TEXT
    grep -qF -- "$1" "$work/err" || fail "standard error does not contain: $1"
}
judged() { # WANTED-EXIT OPTION...
    plan "$1" --render "$work/now.json" "${@:2}"
}

echo "requirements"
judged 0 --require 'ndr>=806k'
result '.requirements == [{"requirement": "ndr>=806k", "goal": "ndr", "rate": 806000, "verdict": "met",
    "text": "held at 806,000, not at 822,000 events/s; 95 % interval 803,000 to 823,000"}]'
[[ ! -s $work/err ]] || fail "it complains of a requirement that is met"
judged 0 --require 'ndr>=100k' --require 'p99<5ms>=780k' --require 'p99<5000us>=100k'
result '[.requirements[].verdict] == ["met", "met", "met"]'
judged 3 --require 'ndr>=100k' --require 'p99<5ms>=900k'
result '[.requirements[].verdict] == ["met", "missed"]'
says 'penstock plan: --require p99<5ms>=900k: missed: held at 780,000, not at 800,000 events/s'
judged 3 --require 'ndr>=810k'
says 'not-shown: held at 806,000, not at 822,000'
judged 3 --require 'pdr=0.1%>=826k'
says 'out-of-time'

echo "mistakes in requirements are found before anything is done"
judged 2 --require 'ndr>50k'
says "'ndr>=50k'"
judged 2 --require 'p99<20>=50k'
says 'the limit has no unit; write p99<20ms'
judged 2 --require 'p99<20ms>=50k'
says "now.json has no goal p99<20ms"

echo "a stored result as text, for people, also into a pipe"
"$PENSTOCK" plan --render "$work/now.json" >"$work/out" || fail "plan --render: exit $?"
for text in 'ndr (loss 0): 812,000 events/s ± 1.0 %, 96 % sure' 'what limits it' '    4     1,263,000 events/s' \
    'projection for 2,400,000 events/s' '  6 machines (1 of them may be down), 568,400 events/s each' '25 trials in 2 min 38 s'; do
    grep -qF -- "$text" "$work/out" || fail "the text lacks: $text"
done
! grep -q '[{}]' "$work/out" || fail "JSON among the text"
echo "a figure whose time was used up is not told, and has no certainty next to it"
grep -F 'pdr=0.1%' "$work/out" | grep -F 'not told (out-of-time): at least 826,000 events/s (held), at most 836,000 events/s (failed)' >/dev/null ||
    fail "the third goal is told"
! grep -F 'pdr=0.1%' "$work/out" | grep -q 'sure' || fail "a certainty next to what is not told"
jq -c '.goals[2] += {held: null, held_s: 1, failed: 900000, upper: 900000, rate: 860000}' "$work/now.json" >"$work/short.json"
"$PENSTOCK" plan --render "$work/short.json" >"$work/out" || fail "plan --render: exit $?"
grep -qF '826,000 events/s was held, but for 1 s only, at most 900,000 events/s (failed); the best guess is 860,000 events/s' "$work/out" ||
    fail "what a short trial held is no lower end"
"$PENSTOCK" plan --render "$work/now.json" --report "$work/untold.html" >/dev/null || fail "plan --report: exit $?"
grep -qF 'not told (out-of-time)' "$work/untold.html" || fail "the page tells it"
jq -c '.interrupted = true' "$work/now.json" >"$work/cut.json"
"$PENSTOCK" plan --render "$work/cut.json" >"$work/out" || fail "plan --render: exit $?"
grep -qF 'not told (interrupted): at least 826,000 events/s (held)' "$work/out" || fail "it says that the time was used up"
"$PENSTOCK" plan --render "$work/cut.json" --report "$work/cut.html" >/dev/null || fail "plan --report: exit $?"
grep -qF 'not told (interrupted)' "$work/cut.html" || fail "the page says that the time was used up"
"$PENSTOCK" plan --render "$work/now.json" --require 'ndr>=100k' >"$work/out" || fail "plan --render --require: exit $?"
grep -qE 'ndr>=100k +met ' "$work/out" || fail "no verdict in the text"
plan 0 --render "$work/now.json"
result '.kind == "penstock-plan" and ([.trials[] | has("histogram")] | any | not)'
cp "$work/now.json" "$work/kept.json"
plan 2 --render "$work/kept.json" --report "$work/kept.json"
says 'would replace the measurement that --render or --compare reads'
cmp "$work/now.json" "$work/kept.json" || fail "the result was overwritten"
echo '{"kind": "penstock-plan", "version": 99}' >"$work/newer.json"
plan 2 --render "$work/newer.json" --report "$work/none.html"
says 'is a result of version 99'
[[ ! -e $work/none.html ]] || fail "a page was made"

echo "comparison"
older() { # NAME JQ-FILTER: an older result
    jq -c "$2" "$work/now.json" >"$work/$1.json"
}
older same '.goals[0] += {rate: 820000, low95: 808000, high95: 832000}'
older faster '.goals[0] += {rate: 900000, low95: 890000, high95: 912000} | .load.connections = 1'
older slower '.goals[0] += {rate: 700000, low95: 690000, high95: 712000}'
older second 'del(.goals[0])'
older other '.goals = [{"goal": "pdr=5%", "loss_max": 0.05, "rate": 1}]'
verdict='.comparison.figures[] | select(.figure == "ndr") | .verdict'
judged 0 --compare "$work/same.json"
result "($verdict) == \"same\" and .comparison.worse == 0 and .comparison.differences == []"
judged 0 --compare "$work/slower.json"
result "($verdict) == \"better\""
judged 4 --compare "$work/faster.json"
result "($verdict) == \"worse\" and .comparison.worse == 1 and .comparison.differences == [\"connections: 1 before, 4 now\"]"
says 'penstock plan: --compare ndr: worse: 900,000 before, 812,000 events/s now: -9.8 % (95 %: '
judged 3 --compare "$work/faster.json" --require 'ndr>=2M'
says '--require ndr>=2M: missed'
says '--compare ndr: worse'
judged 0 --compare "$work/second.json" # it has the second goal only
result '[.comparison.figures[].figure] | index("p99<5ms") != null and index("ndr") == null'
judged 2 --compare "$work/other.json"
says 'it has no result for any of the goals'
judged 2 --compare "$work/nothing.json"
says "--compare $work/nothing.json"

echo "the older result is read before anything is measured"
SECONDS=0
plan 2 --target tcp://127.0.0.1:1 --from tcp://127.0.0.1:1 --compare "$work/other.json"
says 'it has no result for any of the goals'
plan 2 --target tcp://127.0.0.1:1 --from tcp://127.0.0.1:1 --csv "$work/no/such/table"
says "--csv $work/no/such/table: cannot be written"
plan 2 --target tcp://127.0.0.1:1 --from tcp://127.0.0.1:1 --cost-per-machine 0.34/h
says '--machines-for is missing'
plan 2 --target tcp://127.0.0.1:1 --from tcp://127.0.0.1:1 --machines-for 1M --cost-per-machine cheap
says "is not a cost; write for example 0.34/h"
((SECONDS < 60)) || fail "it measured first"

echo "a target at which nothing listens is an error at once"
for target in tcp://127.0.0.1:1 netcat://127.0.0.1:1 http://127.0.0.1:1/ avro://127.0.0.1:1 'tcp://[::1]:1' kafka://127.0.0.1:1,127.0.0.1:2/t; do
    plan 2 --target "$target" --from tcp://127.0.0.1:0 --within 1m
    says "$target: Connection refused: nothing listens there; start the target first"
done

echo "a page and a result with the verdicts"
judged 4 --compare "$work/faster.json" --require 'ndr>=100k' --report "$work/page.html" --result "$work/judged.json"
jq -e '.requirements[0].verdict == "met" and .comparison.worse == 1' "$work/judged.json" >/dev/null || fail "no verdicts in the result"
grep -q '"requirements":\[' "$work/page.html" || fail "no verdicts on the page"
plan 0 --render "$work/judged.json" --report "$work/again.html"
cmp "$work/page.html" "$work/again.html" || fail "the page from the judged result differs"
plan 0 --render "$work/now.json" --report "$work/plain.html"
! grep -q '"requirements":' "$work/plain.html" || fail "verdicts on the page of a result without"

echo "exports"
plan 0 --render "$work/now.json" --csv "$work/t.csv" --hgrm "$work/t.hgrm" --hlog "$work/t.hlog"
[[ ! -s $work/out ]] || fail "it prints something"
trials=$(jq '.trials | length' "$work/now.json")
(($(wc -l <"$work/t.csv") == trials + 1)) || fail "not a row for each trial"
(($(grep -c '^Tag=trial-' "$work/t.hlog") == trials)) || fail "not a line for each trial"
grep -q '^ *[0-9.]* 1.000000000000 ' "$work/t.hgrm" || fail "the percentiles do not reach 100 %"
if command -v python3 >/dev/null; then
    python3 - "$work/t.csv" "$work/now.json" <<'PYTHON' || fail "the table is not that of the result"
import csv, json, sys
rows, trials = list(csv.DictReader(open(sys.argv[1], newline=""))), json.load(open(sys.argv[2]))["trials"]
for row, trial in zip(rows, trials, strict=True):
    assert None not in row and None not in row.values()
    assert (row["number"], row["goal"], row["verdict"]) == (str(trial["number"]), trial["goal"], trial["verdict"])
    assert float(row["p99.9_ns"]) == trial["latency_ns"]["p99.9"] and float(row["lost"]) == trial["lost"]
PYTHON
else
    echo "SKIP PART: table: no python3"
fi
"$PENSTOCK" plan --render "$work/now.json" --csv /dev/stdout | cmp - "$work/t.csv" || fail "a pipe gets something else"
