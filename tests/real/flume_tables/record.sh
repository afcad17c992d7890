#!/usr/bin/env bash
# Records the answers in tests/stages/data/{dumps,escapes,java_map}.txt and tests/stages/data/syslog again: those of Flume 1.11.0's
# classes, and of this JVM's HashMap, to the questions that are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
java -cp "$(../flume classpath)" Tables.java ../../stages/data ../../stages/data
