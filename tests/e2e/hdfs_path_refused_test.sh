#!/usr/bin/env bash
# Events whose headers choose a path that cannot be, before the sink hdfs on the local disk: a file in the place of a directory, a
# name that is too long, a component "..". With dead letters they go aside and the others are written; without them
# they wait, and the log and /readyz name the reason. A file in the place of the configured directory is no event's matter.
# Names that can be (empty, ".", "..", a newline in them) are written, as Flume does.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/support/http_agent.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/http_agent.sh"
port=$(free_port)
metrics_port=$(free_port)
dead=$work/dead
out=$work/out

agent() { # LINE...
    rm -rf "$out" "$dead"
    mkdir "$out"
    : >"$out/file" # in the way
    http_agent "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" \
        "a1.sinks.k1.type = hdfs" "a1.sinks.k1.channel = c1" "a1.sinks.k1.hdfs.path = file://$out/%{d}" "a1.sinks.k1.hdfs.filePrefix = %{p}" \
        "a1.sinks.k1.hdfs.fileType = DataStream" "a1.sinks.k1.hdfs.rollInterval = 0" "a1.sinks.k1.hdfs.rollCount = 0" \
        "a1.sinks.k1.hdfs.rollSize = 0" a1.sinks.k1.penstock.retry.backoff{,.max}=$rest_ms "$@"
}
rest_ms=50
sent=0
post() { # DIRECTORY PREFIX..: one request with an event for each pair, whose body is its number
    local body=()
    while (($# > 0)); do
        ((++sent))
        body+=("$(jq -nc --arg d "$1" --arg p "$2" --arg body "<$sent>" '{headers: {d: $d, p: $p}, body: $body}')")
        shift 2
    done
    post_events "${body[@]}"
}
long=$(printf 'x%.0s' {1..250})

agent "a1.sinks.k1.penstock.deadletter = $dead"
post file p                                             # the first event of the agent
post good p file p file/below p good p                  # in the middle
post good "$long" "$long$long" p good/../.. p good $'a\1b' good p # a control character is no flaw
post good file/ good "" good . good .. good $'a\nb' good 'x/../y'
post file p good p
await "the others are not written" is_metric penstock_sink_events_delivered_total k1 10
await "they are no dead letters" is_metric penstock_sink_events_deadletter_total k1 8
stop_agent TERM 0
"$PENSTOCK" deadletter show "$dead" --reason event-unwritable --json >"$work/letters.json"
[[ $(jq -r .body "$work/letters.json" | tr -d '<>' | sort -n | xargs) == '1 3 4 6 7 8 16 17' ]] || fail "$(<"$work/letters.json")"
(cd "$out/good" && find . -type f ! -name 'p.*' -printf '%P\0' | sed -zE 's/[0-9]{13}/N/' | sort -z | tr '\n' '^' | tr '\0' ' ') >"$work/names"
[[ $(<"$work/names") == *'...N ..N .N '*'a^b.N file/.N '* ]] || fail "names: $(<"$work/names")"

# ---- a directory that may not be written to, where others may be: refused again and again, while others are written ----
if (($(id -u) != 0)); then
    agent "a1.sinks.k1.penstock.deadletter = $dead"
    mkdir -m 500 "$out/closed"
    post closed p
    has_tried() { (($(metric penstock_sink_event_write_failures_total k1) >= 4)); }
    await "it is not tried" has_tried
    is_metric penstock_sink_events_deadletter_total k1 0 || fail "a dead letter, although nothing shows that others can be written"
    post good p
    await "it is no dead letter" is_metric penstock_sink_events_deadletter_total k1 1
    stop_agent TERM 0
fi

# ---- without dead letters ----
agent
post file p good p
await "the other one is not written" grep -rqs '<' "$out/good"
await "/readyz does not name it" not_ready 'sink k1 has failed [0-9]* times in a row: cannot create .*/file/p.*: Not a directory'
grep -q 'WARN sink k1: cannot create .*/file/p.*: Not a directory (correct the headers in hdfs.path and hdfs.filePrefix; set penstock.deadletter' "$work/agent.err" ||
    fail "the log does not name it"
rm "$out/file" # somebody puts it right
await "it is not written" is_metric penstock_sink_events_delivered_total k1 2
stop_agent TERM 0

# ---- the same behind a file channel, whose batches count as delivered in any order: no delivery hides it ----
rest_ms=400
agent "a1.channels.c1.type = file" "a1.channels.c1.checkpointDir = $work/state" "a1.channels.c1.dataDirs = $work/data" \
    "a1.channels.c1.minimumRequiredSpace = 1048576"
names_it() { not_ready "sink k1 $1: cannot create .*/file/p.*: Not a directory"; }
post file p
await "/readyz does not name it" names_it 'has failed [0-9]* times in a row'
for delivered in 1 2 3 4 5; do
    post good p
    await "the other one is not written" is_metric penstock_sink_events_delivered_total k1 $delivered
    names_it '\(delivers events, but tries some in vain\|has failed [0-9]* times in a row\)' || fail "/readyz: $(<"$work/ready")"
done
is_metric penstock_component_up k1 0 || fail "the sink is up"
rm "$out/file"
await "it is not written" is_metric penstock_sink_events_delivered_total k1 6
[[ $(http_get "$metrics_port" /readyz "$work/ready") == 200 ]] || fail "/readyz: $(<"$work/ready")"
stop_agent TERM 0
rest_ms=50

# ---- a file in the place of the configured directory ----
agent "a1.sinks.k1.penstock.deadletter = $dead"
rm -r "$out"
: >"$out"
post a p b p
await "the log does not name it" grep -q 'WARN sink k1: cannot create .*/out/[ab]/p.*: Not a directory' "$work/agent.err"
rm "$out"
await "they are not written" is_metric penstock_sink_events_delivered_total k1 2
is_metric penstock_sink_events_deadletter_total k1 0 || fail "a dead letter for a mistake of the configuration"
stop_agent TERM 0
