#!/usr/bin/env bash
# Needs: flume
# The recorded defaults of Flume's Kafka clients (tests/stages/data/kafka_defaults.txt) against those in Flume's own jars.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn; do
    command -v $program >/dev/null || skip "no $program"
done
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
((version >= 11)) || skip "Java $version cannot run a single source file"
java -XX:TieredStopAtLevel=1 -cp "$("$here/flume" classpath)" "$here/kafka_defaults/Defaults.java" |
    diff <(grep -v '^#' "$here/../stages/data/kafka_defaults.txt") -
