#!/usr/bin/env bash
# Needs: java
# The names of character sets, and a text of each, that tests/stages/data/java_charsets.txt has are those of the installed Java. The test
# stages_lib_text_charset compares penstock with this file. --record writes it anew.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
table=$here/../stages/data/java_charsets.txt
skip() { echo "SKIP: $*"; exit 77; }
command -v java >/dev/null || skip "no java"
# A later Java has more names.
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
((version == 17)) || skip "Java $version: the table is of Java 17"
print() {
    echo "# Java's character sets, written by tests/real/java_charsets_test.sh --record: names, bytes, and the text that Java decodes from them."
    java -XX:TieredStopAtLevel=1 "$here/java_charsets/Charsets.java"
}
if [[ ${1-} == --record ]]; then
    print >"$table"
else
    diff <(print) "$table"
fi
