#!/usr/bin/env bash
# Builds and demonstrates penstock on a fresh Debian 12 in one command: installs missing build packages, builds a
# release, and runs `penstock demo`: a generator sends syslog over TCP to an agent, which routes it to two Kafka topics
# of an embedded broker, and every event is accounted for. Options are passed to the demo:
#
#   ./quickstart.sh --rate 200000 --seconds 20
#   ./quickstart.sh --keep                      keeps it open afterwards, to look at topics and metrics
#
# Environment: BUILD (folder of the build, default build).
set -euo pipefail
cd "$(dirname "$0")"

build=${BUILD:-build}/release
log=$(mktemp)
trap 'rm -f "$log"' EXIT

.ci/packages build

echo "building $build ..."
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
if ! cmake --preset release -B "$build" "${launcher[@]}" >"$log" 2>&1 ||
    ! cmake --build "$build" -j "$(nproc)" --target penstock >"$log" 2>&1; then
    grep -E 'error|Error|FAILED' "$log" | head -20 >&2 || tail -20 "$log" >&2
    exit 1
fi
echo

status=0
"$build/penstock" demo --config conf/examples/quickstart.properties "$@" || status=$?
if ((status == 0)); then
    echo
    echo "Next: $build/penstock check -n a1 -f YOUR.properties     check your Flume agent file"
    echo "      $build/penstock agent -n a1 -f YOUR.properties     run it"
fi
exit "$status"
