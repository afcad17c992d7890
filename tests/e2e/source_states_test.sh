#!/usr/bin/env bash
# What a source exec lacks is a state: /readyz says it with its reason and time, penstock_component_up and penstock_source_state show it, the log names it
# once, without the arguments of the command. (Other sources: tests/scenarios/source_states.scn, source_states_kafka.scn.)
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metrics_port=$(free_port)
sources=(missing well badly again)
{
    echo "a1.sources = ${sources[*]}"
    for source in "${sources[@]}"; do printf '%s\n' "a1.sources.$source.channels = c1" "a1.sources.$source.type = exec"; done
    cat <<END
a1.channels = c1
a1.sinks = k1
a1.sources.missing.command = /no/such/program secret
a1.sources.well.command = true
a1.sources.badly.command = false
a1.sources.again.command = false
a1.sources.again.restart = true
a1.sources.again.restartThrottle = 50
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
} >"$work/agent.properties"
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1

page_has() { # LINE-PATTERN
    http_get "$metrics_port" /readyz "$work/ready.txt" >"$work/status.txt" && grep -qE "^$1" "$work/ready.txt"
}
is_in_state() { # SOURCE STATE UP
    http_get "$metrics_port" /metrics/prometheus "$work/metrics.txt" >"$work/status.txt" &&
        grep -qF "penstock_source_state{component=\"$1\",state=\"$2\"} 1" "$work/metrics.txt" &&
        grep -qF "penstock_component_up{kind=\"source\",component=\"$1\"} $3" "$work/metrics.txt"
}
time=' \(since [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z\)$'
expect() { # SOURCE STATE UP LINE
    await "/readyz says of $1: $4" page_has "source $1 $4"
    await "the state of $1 is $2" is_in_state "$1" "$2" "$3"
}

expect missing gone 0 "misses its input: .*/no/such/program.*$time"
expect well nothing_to_read 1 "has nothing to read: command \[true\] ended with 0, and is not started again.*$time"
expect badly gone 0 "misses its input: command \[false\] ended with 1, and is not started again.*$time"
expect again lost 0 "has lost its input: command \[false\] ended with 1, and is started again.*$time"
! grep -q secret "$work/agent.err" || fail 'the log has an argument of the command'
for source in badly again; do (($(grep -c "WARN source $source: " "$work/agent.err") == 1)) || fail "$source is not said once"; done
stop_agent TERM 0
