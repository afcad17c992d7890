# Shared by tests/real/hive*_test.sh, which source it first: a Hive of their own, queries, and the head of each script. It builds nothing.
#
#   PENSTOCK         the program                       PENSTOCK_TOOLS   folder of hive_calls and the other tools
#   KEEP=1           keep the working directory
#
# Sets here (the folder), work (a new one), port (the metastore's; the 99 behind it are free). A script's own `finish_more` is called at its
# end, before Hive is stopped.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
PENSTOCK_TOOLS=${PENSTOCK_TOOLS:-$(dirname "$PENSTOCK")/tests}
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn; do
    command -v $program >/dev/null || skip "$program is needed for a real Hive"
done
# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"
work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-real.XXXXXX")
finish_more() { :; }
finish() {
    finish_more
    "$here/hive" stop --dir "$work/hive" || true
    if [[ ${KEEP:-} ]]; then echo "left: $work"; else rm -rf "$work"; fi
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    tail -n 30 "$work"/*.log "$work"/hive/*.out >&2 || true
    exit 1
}
step() { echo "[$SECONDS s] $*"; }
needs() { # PROGRAM...: ends the script when one is missing
    local program
    for program; do
        [[ -x $program ]] || skip "no program $program"
    done
}
keytab= # of a metastore that asks for Kerberos
hive_start() { # sets metastore, its URL
    metastore=$("$here/hive" start --dir "$work/hive" --port "$port" ${keytab:+--kerberos "$keytab"} 2>"$work/start.log") ||
        fail "Hive does not start"
}
query() { "$here/hive" query "$1" --dir "$work/hive" --port "$port" || fail "the query: $1"; } # SQL: prints the rows
