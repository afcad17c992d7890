# Shared by tests/real/hive*_test.sh, which source it first: what tests/real/lib.sh has, and a Hive of their own, and queries. It builds nothing.
#
# Sets more: here (the folder), metrics ports are the script's own (port + 1 ..; the metastore's is port). A script's own `finish_more` is called
# at its end, before Hive is stopped.
# shellcheck shell=bash disable=SC2034
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

here=$PENSTOCK_SOURCE/tests/real
finish_more() { :; }
finish_hive() {
    local code=$?
    set +e
    finish_more
    if [[ $code != 0 && -e $work/hive ]]; then
        tail -n 30 "$work"/hive/*.out
        # Why a job of MapReduce failed stands in the command line's own log alone.
        [[ ! -e $work/hive/hive.log ]] || { echo "--- hive.log"; grep -aE ' (ERROR|FATAL) |^[a-zA-Z.]+(Exception|Error)\b|^Caused by: ' "$work/hive/hive.log" | tail -n 30; }
    fi >&2
    "$here/hive" stop --dir "$work/hive"
    (exit "$code")
    finish
}
trap finish_hive EXIT
needs() { # PROGRAM...: ends the script when one is missing
    local program
    for program; do
        [[ -x $program ]] || skip "no program $program"
    done
}
keytab=      # of a metastore that asks for Kerberos
hive_options=() # more of them
hive_start() { # sets metastore, its URL
    metastore=$("$here/hive" start --dir "$work/hive" --port "$port" ${keytab:+--kerberos "$keytab"} "${hive_options[@]}" 2>"$work/start.log") ||
        fail "Hive does not start"
}
query() { "$here/hive" query "$1" --dir "$work/hive" --port "$port" || fail "the query: $1"; } # SQL: prints the rows
