#!/usr/bin/env bash
# Writes tests/stages/data/joda_date_table.txt anew: cases.txt and generated cases as the Joda-Time 2.9.9 beside Flume
# answers them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
java -cp "$(../flume classpath)" JodaDate.java 20261120 250 <cases.txt >../../stages/data/joda_date_table.txt
