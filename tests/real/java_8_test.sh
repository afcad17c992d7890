#!/usr/bin/env bash
# Needs: java
# The Java host runs with Java 8: its classes have that version's format, and use no class, method or field that Java 8 does not have (javac
# compares with the API of each version), nor one of the JDK's own. With a Java 8 on the machine (JAVA_8, or a folder of /usr/lib/jvm) it is started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"
skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
for program in java javac javap jdeps jar; do command -v $program >/dev/null || skip "no $program"; done
host=${PENSTOCK%/*}/penstock-java.jar
[[ -r $host ]] || skip "no penstock-java.jar beside $PENSTOCK"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=$here/../../stages/lib/java
export JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1

mkdir "$work/stubs" "$work/host" "$work/jar"
java_compile "$work/stubs" "$work/stubs" "$sources"/stubs/*.java 2>"$work/log" || fail "stubs: $(cat "$work/log")"
java_compile "$work/host" "$work/stubs" "$sources"/host/*.java 2>"$work/log" || fail "not Java 8: $(cat "$work/log")"
(cd "$work/jar" && jar -xf "$host")
compared=$(find "$work/jar" -name '*.class' | wc -l)
((compared >= 20)) || fail "only $compared classes in $host"
while read -r class; do # bytes 6 and 7 are the format: 52 is that of Java 8
    (($(od -An -tu1 -j 7 -N 1 "$class") <= 52)) || fail "$class needs a Java newer than 8"
done < <(find "$work/jar" -name '*.class')
own=$(jdeps --jdk-internals -cp "$work/stubs" "$host" 2>/dev/null | grep -c 'JDK internal' || true)
((own == 0)) || fail "the host uses classes of the JDK's own: $(jdeps --jdk-internals -cp "$work/stubs" "$host")"
echo "$compared classes use what Java 8 has"

# javac must refuse a call of Java 9; otherwise the comparison above proves nothing, and the classes of tests may not run in Java 8.
echo 'class Newer { Object list = java.util.List.of(); }' >"$work/Newer.java"
! java_compile "$work" "$work" "$work/Newer.java" 2>/dev/null || fail "javac does not know what Java 8 lacks"

java=${JAVA_8:-$(find /usr/lib/jvm -maxdepth 4 -path '*8*/bin/java' 2>/dev/null | while read -r one; do
    if "$one" -version 2>&1 | grep -q 'version "1\.8\.'; then echo "$one"; fi
done | head -1)}
if [[ $java ]]; then
    unset JAVA_TOOL_OPTIONS
    JAVA_HOME=${java%/bin/java} PENSTOCK=$PENSTOCK bash "$here/flume_java_contract_test.sh" || fail "the host does not run with $java"
else
    echo "SKIP PART: run: no Java 8 on this machine"
fi
