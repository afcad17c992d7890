#!/usr/bin/env bash
# Needs: flume
# `penstock check` against a real Flume 1.11, file by file: which components each of them keeps, and how they are connected.
# The files: tests/real/agents, written after what real agent files do and get wrong, and those of tests/conf. By hand over
# other files:
#
#   tests/real/flume_oracle_check_test.sh FOLDER
#
# (Flume's taildir source makes the directory of its position file when it is configured, its Kafka source asks the ZooKeeper
# that it names for 6 s.)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn python3; do
    command -v $program >/dev/null || skip "no $program"
done
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
((version >= 11)) || skip "Java $version cannot run a single source file"
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
classpath=$("$here/flume" classpath) || skip "Flume's jars cannot be fetched"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compare() { # FOLDER
    java -Xmx512m -XX:TieredStopAtLevel=1 -Duser.home="$work" -Djava.io.tmpdir="$work" \
        -Dderby.stream.error.file="$work/derby.log" -cp "$classpath" "$here/flume_check/Check.java" "$1"/*.properties >"$work/answers" 2>"$work/log" || { tail -20 "$work/log"; return 1; }
    python3 "$here/flume_check/compare.py" "$PENSTOCK" "$work/answers" "$1"
}

if (($#)); then
    compare "$1"
    exit
fi
wrong=0
compare "$here/agents" || wrong=1
compare "$here/../conf" || wrong=1
exit $wrong
