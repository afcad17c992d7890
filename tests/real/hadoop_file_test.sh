#!/usr/bin/env bash
# Needs: java
# SequenceFiles of each compression, codec and kind of value, and compressed streams of each codec, ended and cut after a flush, are read by
# Hadoop itself: every record and every byte.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK_TOOLS=${PENSTOCK_TOOLS:-$here/../../build/release/tests}
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"
skip() { echo "SKIP: $*"; exit 77; }
for program in java javac mvn; do
    command -v $program >/dev/null || skip "no $program, which Hadoop needs"
done
[[ -x $PENSTOCK_TOOLS/hadoop_file_write ]] || skip "no program $PENSTOCK_TOOLS/hadoop_file_write"
"$here/hdfs" fetch >/dev/null 2>&1 || skip "Hadoop's jars cannot be fetched"

work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-hadoop-file.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
fail() {
    echo "FAILED: $*" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}

classpath=$work/classes
for name in lz4 zstd; do # which Hadoop leaves to its users
    jar=$("$here/extras" jar $name 2>"$work/fetch.log") || skip "$(tail -n 1 "$work/fetch.log")"
    classpath+=:$jar
done
classpath+=:$("$here/hdfs" classpath --dir "$work/none")
mkdir "$work/files"
java_classes "$work/classes" "$classpath" "$here/HadoopFile.java" "$here/ZStandardCodec.java" >"$work/javac.log" 2>&1 || fail "javac"

"$PENSTOCK_TOOLS/hadoop_file_write" "$work/files" >"$work/written" 2>"$work/write.log" || fail "hadoop_file_write"
hadoop() { # sequence|text FILE...
    java -Xmx512m -XX:TieredStopAtLevel=1 --add-opens java.base/java.lang=ALL-UNNAMED -cp "$classpath" HadoopFile "$@" 2>>"$work/java.log" ||
        fail "Hadoop does not read them"
}
hadoop sequence "$work"/files/sequence_* >"$work/read"
hadoop text "$work"/files/stream_* >>"$work/read"

# A line that differs is a record that does; which file it is of is on the line before it that names one.
ordered() { awk '/^sequence_|^stream_/ { file = $1 } { print file, NR, $0 }' "$1" | sort -s -k1,1 | cut -d ' ' -f 1,3-; }
ordered "$work/written" >"$work/written.log"
ordered "$work/read" >"$work/read.log"
cmp "$work/written.log" "$work/read.log" || fail "Hadoop reads something else"
echo "$(find "$work/files" -type f | wc -l) files, $(grep -vc '^s' "$work/read") records"
