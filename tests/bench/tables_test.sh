#!/usr/bin/env bash
# bench/peers, bench/overload and bench/kafka_report: what they list, what they refuse, and the tables they make of records.
# No sanitizer: it runs scripts.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
bench=$PENSTOCK_SOURCE/bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; cat "$work/out" >&2; exit 1; }
shows() { grep -qF -- "$1" "$work/out" || fail "does not show: $1"; }
exits() { # WANTED COMMAND...
    local wanted=$1 code=0
    shift
    "$@" >"$work/out" 2>&1 || code=$?
    ((code == wanted)) || fail "$*: exit $code, not $wanted"
}

echo "subjects"
exits 0 "$bench/peers" --list
for one in bare penstock flume rsyslog syslog-ng fluent-bit vector penstock-udp; do
    grep -q "^$one " "$work/out" || fail "$one is not listed"
    grep -q "^| .*${one%-udp}" "$PENSTOCK_SOURCE/docs/BENCHMARKS.md" || fail "docs/BENCHMARKS.md says nothing of $one"
done
exits 2 "$bench/peers" nobody
shows "there is no subject nobody"
exits 2 "$bench/overload" penstock-stress
shows "there is no subject penstock-stress with a far end"

echo "the peers' table"
common='"unit":"events/CPU-s","better":"higher","rounds":3,"events_per_second":900000,"corrupted":0,"bytes":120,"compression":"none","version":"penstock 1","date":"2026-01-02T03:04:05Z","machine":{"cpu":"made up","cpus":2}'
cat >"$work/peers" <<EOF_
{"bench":"peers","variant":"penstock","value":2700000,"low":2500000,"high":2800000,"rss_bytes":27262976,"lost":0,"duplicated":0,"reordered":0,"latency_ns":{"p50":2e6,"p99":7.25e6,"max":9e6},"latency_rate":50000,"latency_rate_held":true,"about":"a to b","settings":"","broker":"real",$common}
{"bench":"peers","variant":"flume","value":90000,"low":80000,"high":95000,"rss_bytes":1073741824,"lost":null,"duplicated":3,"reordered":1234,"latency_ns":{"p50":2e6,"p99":1e9,"max":2e9},"latency_rate":50000,"latency_rate_held":false,"about":"the same","settings":"-Xmx2g","broker":"real",$common}
{"bench":"peers","variant":"vector","skip":"vector is not on this machine"}
EOF_
exits 0 "$bench/peers" --table "$work/peers"
shows '| penstock: a to b | 2.70 M (2.50 M to 2.80 M) | 0.90 M | 26 MiB | 7.2 ms | 0 / 0 / 0 |  |  |'
shows '| flume: the same | 90 k (80 k to 95 k) | 0.90 M | 1024 MiB | 1000.0 ms (rate not held) | unknown / 3 / 1,234 | 30 × | -Xmx2g |'
shows '120 bytes per event, compression none, real broker'
shows 'p99 from the due time at 50,000 events/s; made up, 2 CPUs, penstock 1, 2026-01-02.'
shows 'Not run: vector (vector is not on this machine).'

echo "the overload's table"
cat >"$work/overload" <<EOF_
{"bench":"overload","variant":"penstock 3x","value":990000,"offered":3000000,"of_peak":0.99,"latency_ns":{"p50":1e9,"p99":2.5e9,"max":3e9},"lost":0,"rss_bytes":104857600,"budget_bytes":67108864,"budget_used_bytes":33554432}
{"bench":"overload","variant":"rsyslog 3x","value":90000,"offered":300000,"of_peak":0.9,"latency_ns":{"p50":1e6,"p99":2e6,"max":3e6},"lost":12,"rss_bytes":104857600}
EOF_
exits 0 "$bench/overload" --table "$work/overload"
shows '| penstock 3 × | 3,000,000 | 990,000 | 99% | 1,000.0 ms | 2,500.0 ms | 3,000.0 ms | 0 | 100 MiB | 50% of 64 MiB |'
shows '| rsyslog 3 × | 300,000 | 90,000 | 90% | 1.0 ms | 2.0 ms | 3.0 ms | 12 | 100 MiB |  |'

echo "the table of Kafka"
pair='"unit":"events/CPU-s","better":"higher","rounds":1,"events_per_second":900000,"reference_events_per_second":500000,"lost":0,"duplicated":0,"reordered":0,"reference_lost":0,"reference_duplicated":0,"reference_reordered":0,"version":"penstock 1","date":"2026-01-02T03:04:05Z","machine":{"cpu":"made up","cpus":2,"memory_bytes":17179869184,"kernel":"6.1","librdkafka":"2.0.2"}'
cat >"$work/kafka" <<EOF_
{"bench":"kafka_produce","variant":"stress to a real broker","value":12500000,"low":12500000,"high":12500000,"samples":[12500000],"reference":"the loop","reference_value":2000000,"reference_low":2000000,"reference_high":2000000,"reference_samples":[2000000],"ratio":6.25,"ratio_low":6.25,"ratio_high":6.25,$pair}
{"bench":"kafka_produce","variant":"broker, linger 5 to a real broker","value":0.2,"low":0.2,"high":0.2,"samples":[0.2],"reference":"the loop","reference_value":0.25,"reference_low":0.25,"reference_high":0.25,"reference_samples":[0.25],"ratio":0.8,"ratio_low":0.8,"ratio_high":0.8,$pair}
{"bench":"kafka_produce","variant":"broker, linger 50 to a real broker","value":0.2,"low":0.2,"high":0.2,"samples":[0.2],"reference":"the loop","reference_value":0.16,"reference_low":0.16,"reference_high":0.16,"reference_samples":[0.16],"ratio":1.25,"ratio_low":1.25,"ratio_high":1.25,$pair}
{"bench":"kafka_to_kafka","variant":"native","skip":"no real Kafka"}
{"bench":"kafka_produce","variant":"native sink with 1,000 partitions to a real broker","value":8000000,"low":8000000,"high":8000000,"samples":[8000000],"reference":"with 4 partitions","reference_value":10000000,"reference_low":10000000,"reference_high":10000000,"reference_samples":[10000000],"ratio":0.8,"ratio_low":0.8,"ratio_high":0.8,$pair}
{"bench":"peers","variant":"penstock","value":6000000,"samples":[5000000,6000000],"low":5000000,"high":6000000,"events_per_second":1000000,"lost":0,"duplicated":0,"reordered":0}
{"bench":"peers","variant":"rsyslog","value":600000,"samples":[500000,600000],"low":500000,"high":600000,"events_per_second":700000,"lost":0,"duplicated":0,"reordered":0}
{"bench":"peers","variant":"syslog-ng","value":800000,"samples":[800000,800000],"low":800000,"high":800000,"events_per_second":700000,"lost":0,"duplicated":0,"reordered":0}
{"bench":"peers","variant":"flume","skip":"java or mvn is missing"}
{"bench":"latency","variant":"penstock","acknowledged_ms":{"p50":1,"p99":12,"p99.9":15},"latency_ns":{"p50":2e6,"p99":9e6,"p99.9":19e6},"latency_rate":700000,"latency_rate_held":true,"lost":0,"duplicated":0,"reordered":0}
{"bench":"latency","variant":"penstock-librdkafka","acknowledged_ms":{"p50":2,"p99":24,"p99.9":60},"latency_ns":{"p50":4e6,"p99":18e6,"p99.9":38e6},"latency_rate":500000,"latency_rate_held":false,"lost":0,"duplicated":0,"reordered":0}
EOF_
exits 0 "$bench/kafka_report" "$work/kafka"
shows '| 12.5 M (12.5 M to 12.5 M) | 0.90 M; 0.50 M | the loop 2.00 M (2.00 M to 2.00 M) | 6.25 (6.25 to 6.25) | 5 ×, 12 M | reached | 0 / 0 / 0; 0 / 0 / 0 |'
shows 'loop, linger.ms 50: 0.160 (0.160 to 0.160); others linger.ms 5: 0.250 | 1.25 (1.25 to 1.25) | ≤ 1 × the best librdkafka | **not reached** |'
shows '| 1.25 (1.25 to 1.25) | ≤ 1.5 × | reached |'
shows 'rsyslog 0.60 M (0.50 M to 0.60 M), syslog-ng 0.80 M (0.80 M to 0.80 M) | 7.50 (6.25 to 7.50) | 6 × the better | reached |'
shows '| 1.00 / 12.00 / 15.00 at 0.70 M/s |  | librdkafka engine 2.00 / 24.00 / 60.00 at 0.50 M/s (rate not held) | 0.50 / 0.50 / 0.25 | p99 < 10 ms, p99.9 < 20 ms on a quiet machine | **not reached** |'
shows 'SKIP: kafka_to_kafka native: no real Kafka'
shows 'SKIP: peers flume: java or mvn is missing'
shows '2 CPUs (made up), 16 GiB, Linux 6.1, librdkafka 2.0.2, penstock 1, 2026-01-02.'
sed -i '1s/"lost":0/"lost":3/' "$work/kafka"
exits 1 "$bench/kafka_report" "$work/kafka"
shows '3 / 0 / 0; 0 / 0 / 0'

echo "no records"
: >"$work/none"
exits 2 "$bench/peers" --table "$work/none"
exits 2 "$bench/overload" --table "$work/none"
