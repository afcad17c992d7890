#!/usr/bin/env bash
# Every bench, one after the other, as JSON lines on standard output. On a quiet machine:
#
#   bench/all.sh [--quick] >perf/baseline.jsonl
#
# Needs a release build (cmake --preset release && cmake --build --preset release). What needs a real Kafka or Flume is skipped, with the reason, where java or mvn is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/release}
quick=${1:-}
say() { echo "== $*" >&2; }

say "machine"
printf '{"machine":"%s","cpus":%d,"kernel":"%s","librdkafka":"%s","version":"%s","date":"%s"}\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(uname -r)" \
    "$(pkg-config --modversion rdkafka)" "$("$build/penstock" version)" "$(date -u +%FT%TZ)"

say "StressSource to null, and the hop"
"$build/bench/bench_stress_null" 2 5
say "syslog over TCP and UDP to null, beside bare loops"
"$build/bench/bench_syslog_receive" 2 5
say "the Kafka sink beside a bare produce loop, mock cluster"
"$build/bench/bench_kafka_produce" 2000000 5
say "micro benches"
"$build/bench/bench_micro" --benchmark_format=json --benchmark_min_time=0.2 2>/dev/null |
    jq -c '.benchmarks[] | {micro: .name, ns: (.cpu_time * 100 | round / 100)}'
if [[ $quick != --quick ]]; then
    say "peers on a real broker"
    bench/peers.sh --rounds 3
    bench/peers.sh --rounds 1 --bytes 256 bare penstock rsyslog syslog-ng
    bench/peers.sh --rounds 1 --compression lz4 bare penstock rsyslog syslog-ng
fi
