# Shared by tests/real/flume_draws_*_test.sh, which source it first. `drawn WHAT...` draws cases, has Flume's classes and penstock's
# stages answer them, and compares.
#
#   PENSTOCK_SEED   the seed to replay             DRAWS   cases of each (default 300, of some 60)
#   ONLY="A B"      these kinds only               KEEP=1  keep the cases and answers
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"
tools=${PENSTOCK_TOOLS:-$here/../../build/release/tests}
skip() { echo "SKIP: $*"; exit 77; }
for program in javac mvn python3; do
    command -v $program >/dev/null || skip "no $program"
done
[[ -x $tools/flume_draws ]] || skip "no program $tools/flume_draws"
export FLUME_HADOOP=1 FLUME_LOG=OFF LC_ALL=C.UTF-8 TZ=${TZ:-Europe/Berlin}
"$here/flume" fetch >/dev/null 2>&1 || skip "Flume's jars cannot be fetched"

seed=$(seed_of_run)
echo "seed $seed (PENSTOCK_SEED=$seed replays it)"
work=$(mktemp -d)
finish() {
    local code=$?
    if [[ ${KEEP:-} ]]; then echo "left: $work"; else rm -rf "$work"; fi
    exit $code
}
trap finish EXIT
mkdir "$work/flume" "$work/penstock"
java_classes "$work/classes" "$("$here/flume" classpath)" "$here/flume_draws/FlumeDraws.java"
cat >"$work/classes/core-site.xml" <<EOF_
<configuration><property><name>fs.file.impl</name><value>FlumeDraws\$Disk</value></property></configuration>
EOF_
export FLUME_CLASSPATH=$work/classes FLUME_JAVA=${FLUME_JAVA:--Xmx512m -XX:TieredStopAtLevel=1}

# A file of a sink costs Flume and penstock milliseconds, so that CI draws fewer of these kinds.
declare -A fewer=([sequence]=60 [datum]=60)
failures=0
drawn() { # WHAT...
    local what
    for what; do
        python3 "$here/flume_draws/draw.py" "$what" "$seed" "${DRAWS:-${fewer[$what]:-300}}" >"$work/$what.cases"
        "$here/flume" run FlumeDraws "$work/flume" <"$work/$what.cases" >"$work/$what.flume" 2>"$work/$what.flume.log" ||
            { tail -20 "$work/$what.flume.log" >&2; exit 1; }
        "$tools/flume_draws" "$work/penstock" <"$work/$what.cases" >"$work/$what.penstock" 2>"$work/$what.log" ||
            { tail -20 "$work/$what.log" >&2; ((++failures)); }
        python3 "$here/flume_draws/compare.py" "$what" "$work/$what.cases" "$work/$what.flume" "$work/$what.penstock" || ((++failures))
    done
    ((failures == 0)) || { echo "FAILED: $failures kinds differ" >&2; exit 1; }
}
