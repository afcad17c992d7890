#!/usr/bin/env bash
# Needs: flume
# Flume's own sources, sinks and interceptors run by penstock in Java (`penstock.engine = java`), compared with the same classes in a real
# Flume by the scripts that compare native stages with it. ORACLES=".." are others of them, which take longer: groups hdfs hdfs_formats netcat exec spooldir
# taildir file_roll.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for oracle in ${ORACLES:-http http_sink legacy logger selectors seq_stress syslog}; do
    echo "== $oracle"
    ENGINE=java bash "$here/flume_oracle_${oracle}_test.sh" || exit # 77: it says why
done
