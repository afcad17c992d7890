#!/usr/bin/env bash
# Rewrites tests/stages/data/joda_date_table.txt: cases.txt and generated cases with the answers of Flume's Joda-Time
# 2.9.9.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
java -cp "$(../flume classpath)" JodaDate.java 20261120 10 <cases.txt >../../stages/data/joda_date_table.txt
