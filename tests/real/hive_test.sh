#!/usr/bin/env bash
# Needs: hive
# The client of Hive's metastore (stages/hive) and the writer of its files (stages/orc) against a real Hive: transactions are opened,
# written, committed and aborted in a table with partitions and in one without; the engine reads what was committed, and nothing else.
#
#   KEEP=1   keep the working directory
# No sanitizer: it reads files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
PENSTOCK_TOOLS=${PENSTOCK_TOOLS:-$(dirname "$PENSTOCK")/tests}
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn; do
    command -v $program >/dev/null || skip "$program is needed for a real Hive"
done
[[ -x $PENSTOCK_TOOLS/hive_calls ]] || skip "no program $PENSTOCK_TOOLS/hive_calls"
# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"
work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-real.XXXXXX")
finish() {
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
query() { "$here/hive" query "$1" --dir "$work/hive" --port "$port" || fail "the query: $1"; }
calls() { # TABLE PARTITION ROWS END
    "$PENSTOCK_TOOLS/hive_calls" "$metastore" default "$@" >"$work/calls.log" 2>&1 || fail "the calls of $1"
}
says() { grep -qE -- "$1" "$work/calls.log" || fail "the calls do not say: $1"; }

step "the metastore starts"
metastore=$("$here/hive" start --dir "$work/hive" --port "$port" 2>"$work/start.log") || fail "Hive does not start"
step "two tables"
query "create table parts (id int, name string) partitioned by (day string) clustered by (id) into 1 buckets stored as orc
    tblproperties ('transactional'='true');
    create table whole (id int, name string) clustered by (id) into 1 buckets stored as orc tblproperties ('transactional'='true')"

step "transactions"
calls parts day=2026-11-21 20000 commit
says '^get_table_req: 1 .*no_such_table'
says 'struct<id:int,name:string>, 1 buckets, 1 partition keys, transactional=true'
says '^get_partition: 1 '
says '^append_partition: 2 Partition already exists'
says '^allocate_table_write_ids: 0 .* 1 .* 2 .* 3$'
says '^  lock [0-9]+, state 1$'
says '^commit_txn: 3 .*already aborted'
calls parts day=2026-11-22 10 commit
calls whole - 100 commit
calls whole - 100 leave

step "what the engine reads"
query "select day, count(*), sum(id), count(name), max(id) from parts group by day order by day;
    select name from parts where id = 40007;
    select count(*), sum(id) from whole" >"$work/read"
cat >"$work/wanted" <<'EOF_'
2026-11-21	40000	1199980000	36000	59999
2026-11-22	20	290	18	29
name 40007
200	29900
EOF_
diff "$work/wanted" "$work/read" || fail "the engine reads something else"
step "done"
