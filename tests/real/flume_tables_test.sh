#!/usr/bin/env bash
# Needs: flume
# The recorded answers of Flume's own classes (tests/stages/data: dumps, escapes, the order of a HashMap, syslog) against those that the
# classes give now.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn; do
    command -v $program >/dev/null || skip "no $program"
done
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
((version >= 11)) || skip "Java $version cannot run a single source file"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
java -XX:TieredStopAtLevel=1 -cp "$("$here/flume" classpath)" "$here/flume_tables/Tables.java" "$here/../stages/data" "$work"
files=$(cd "$work" && find . -type f | wc -l)
((files >= 12)) || { echo "FAILED: only $files tables were answered"; exit 1; }
(cd "$work" && find . -type f) | while read -r file; do diff "$here/../stages/data/$file" "$work/$file"; done
echo "ok: $files tables"
