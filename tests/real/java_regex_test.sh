#!/usr/bin/env bash
# Needs: java
# java.util.regex, live: cases from a new seed, answered by this machine's Java, then by our regex/regex.h and
# regex/matcher/matcher.h. The recorded table of tests/regex does the same everywhere.
#
#   PENSTOCK_SEED   the seed to try again          PENSTOCK_PATTERNS   how many expressions (default 1500)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${PENSTOCK_TOOLS:-$here/../../build/release/tests}
skip() { echo "SKIP: $*"; exit 77; }
command -v java >/dev/null || skip "no java"
for program in regex_java_table regex_java_matcher; do
    [[ -x $tools/$program ]] || skip "no program $tools/$program"
done
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
# A single file can be run since 11; \b changed its meaning in 19.
((version >= 11 && version <= 18)) || skip "Java $version: what we do is what Java 9 to 18 do"

seed=${PENSTOCK_SEED:-$((RANDOM << 30 | RANDOM << 15 | RANDOM))}
echo "seed $seed (PENSTOCK_SEED=$seed tries the same again), Java $version"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/java_regex"
java Generate.java "$seed" "${PENSTOCK_PATTERNS:-1500}" >"$work/cases"
java JavaRegex.java <"$work/cases" >"$work/table"
export PENSTOCK_REGEX_TABLE=$work/table
"$tools/regex_java_table"
"$tools/regex_java_matcher"
