#!/usr/bin/env bash
# Rewrites tests/stages/data/kafka_defaults.txt: the defaults of the Kafka clients in Flume 1.11.0 (kafka-clients 2.7.2).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
{
    echo "# client, property, default of kafka-clients 2.7.2, which Flume 1.11.0 has; properties without a default are left out"
    java -cp "$(../flume classpath)" Defaults.java
} >../../stages/data/kafka_defaults.txt
