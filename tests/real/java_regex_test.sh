#!/usr/bin/env bash
# Needs: java
# Compares with the java.util.regex of the installed Java: cases drawn from a seed, answered by Java, then by regex/regex.h
# and regex/matcher/matcher.h. The recorded table of tests/regex does the same without Java.
#
#   PENSTOCK_SEED   the seed to replay             PENSTOCK_PATTERNS   number of expressions (default 1500)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
tools=${PENSTOCK_TOOLS:-$here/../../build/release/tests}
skip() { echo "SKIP: $*"; exit 77; }
command -v java >/dev/null || skip "no java"
for program in regex_java_table regex_java_matcher; do
    [[ -x $tools/$program ]] || skip "no program $tools/$program"
done
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
# Java runs single source files since 11; \b changed its meaning in 19.
((version >= 11 && version <= 18)) || skip "Java $version: penstock matches as Java 9 to 18 do"

seed=$(seed_of_run)
echo "seed $seed (PENSTOCK_SEED=$seed replays it), Java $version"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/java_regex"
java -XX:TieredStopAtLevel=1 Generate.java "$seed" "${PENSTOCK_PATTERNS:-1500}" >"$work/cases"
java -XX:TieredStopAtLevel=1 JavaRegex.java <"$work/cases" >"$work/table"
export PENSTOCK_REGEX_TABLE=$work/table
"$tools/regex_java_table"
"$tools/regex_java_matcher"
