#!/usr/bin/env bash
# The Grafana dashboard and the Prometheus alerts: every metric in them is one that a running agent exposes, with the labels and
# of the type that they use; promtool reads and runs the alerts where it is installed.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
monitoring=$PENSTOCK_SOURCE/docs/monitoring
port=$(free_port)

"$PENSTOCK" mock-broker --topic t:1 >"$work/brokers" 2>"$work/brokers.err" &
children[$!]=1
has_brokers() { [[ -s $work/brokers ]]; }
await 'no mock broker' has_brokers

# One agent with a component of each sort that has metrics of its own.
printf '%s\n' 'default c1' 'rule a { when body contains "x" route c2 }' >"$work/some.rules"
printf '%s\n' 'rule b { when body contains "y" drop }' >"$work/other.rules"
mkdir "$work/files"
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2 r3 r4
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = stress
a1.sources.r1.maxEventsPerSecond = 500
a1.sources.r1.channels = c1 c2
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = rules
a1.sources.r1.interceptors.i1.rules.file = $work/other.rules
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $work/some.rules
a1.sources.r2.type = syslogudp
a1.sources.r2.host = 127.0.0.1
a1.sources.r2.port = 0
a1.sources.r2.channels = c2
a1.sources.r3.type = syslogtcp
a1.sources.r3.host = 127.0.0.1
a1.sources.r3.port = 0
a1.sources.r3.channels = c2
a1.sources.r4.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r4.kafka.bootstrap.servers = $(<"$work/brokers")
a1.sources.r4.kafka.topics = t
a1.sources.r4.batchSize = 100
a1.sources.r4.channels = c2
a1.channels.c1.type = memory
a1.channels.c2.type = file
a1.channels.c2.checkpointDir = $work/checkpoint
a1.channels.c2.dataDirs = $work/data
a1.channels.c2.minimumRequiredSpace = 1000000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = $(<"$work/brokers")
a1.sinks.k1.kafka.topic = t
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/files
a1.sinks.k2.channel = c2
EOF_
XDG_CACHE_HOME=$work/cache "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$port" 2>"$work/agent.err" &
children[$!]=1
delivers() {
    curl -s --noproxy '*' --max-time 5 "http://127.0.0.1:$port/metrics/prometheus" >"$work/metrics" &&
        grep -qE '^penstock_sink_events_delivered_total\{component="k1"\} [1-9]' "$work/metrics"
}
await 'nothing is delivered' delivers

check() { # DASHBOARD ALERTS
    python3 "$here/dashboards_check.py" "$1" "$2" "$work/metrics" "$PENSTOCK_SOURCE/docs/OPERATIONS.md" "$work/panels.yml"
}
check "$monitoring/grafana-dashboard.json" "$monitoring/alerts.yml" || fail 'the dashboard or the alerts'

# The check finds what it is for.
finds() { # TEXT SED-EXPRESSION FILE
    cp "$monitoring/grafana-dashboard.json" "$work/broken.dashboard"
    cp "$monitoring/alerts.yml" "$work/broken.alerts"
    sed -i "$2" "$work/broken.$3"
    if check "$work/broken.dashboard" "$work/broken.alerts" >"$work/broken.err" 2>&1; then fail "it does not notice: $2"; fi
    grep -qF -- "$1" "$work/broken.err" || fail "it does not say: $1"
}
finds 'no agent exposes penstock_sink_events_delivred_total' 's/events_delivered_total/events_delivred_total/' dashboard
finds 'no agent exposes penstock_component_is_up' 's/expr: penstock_component_up/expr: penstock_component_is_up/' alerts
finds 'has no label severity' 's/log_lines_total{level=/log_lines_total{severity=/' alerts
finds 'is a counter' 's/expr: rate(penstock_source_blocked_seconds_total\[5m\])/expr: penstock_source_blocked_seconds_total/' alerts
finds 'tells to watch penstock_worker_cycle_max_seconds' 's/penstock_worker_cycle_max_seconds/penstock_worker_blocks_cached/' dashboard

if has promtool promtool; then
    cp "$monitoring/alerts.yml" "$here/alerts_promtool.yml" "$work"
    promtool check rules "$work/alerts.yml" "$work/panels.yml" >"$work/promtool.err" 2>&1 || fail 'promtool check rules'
    promtool test rules "$work/alerts_promtool.yml" >"$work/promtool.err" 2>&1 || fail 'promtool test rules'
    promtool check metrics <"$work/metrics" >"$work/promtool.err" 2>&1 || (($? == 3)) || fail 'promtool check metrics'
    echo 'promtool accepts the alerts, and every expression of the dashboard'
fi
