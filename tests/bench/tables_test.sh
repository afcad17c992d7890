#!/usr/bin/env bash
# bench/peers and bench/overload: what they list, what they refuse, and the tables they make of records.
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

echo "no records"
: >"$work/none"
exits 2 "$bench/peers" --table "$work/none"
exits 2 "$bench/overload" --table "$work/none"
