#!/usr/bin/env bash
# Needs: hive
# The client of Hive's metastore (stages/lib/hive) and the writer of its files (stages/lib/orc) against a real Hive: transactions are opened,
# written, committed and aborted in a table with partitions and in one without; the engine reads what was committed, and nothing else.
# Lines of delimited text and of JSON are read by the engine, and by the readers of stages/lib/hive into ORC files: the rows are the same.
#
#   KEEP=1   keep the working directory
# No sanitizer: it reads files.
# shellcheck source=tests/real/hive_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/hive_lib.sh"
needs "$PENSTOCK_TOOLS"/hive_{calls,rows}
calls() { # TABLE PARTITION ROWS END
    "$PENSTOCK_TOOLS/hive_calls" "$metastore" default "$@" >"$work/calls.log" 2>&1 || fail "the calls of $1"
}
says() { grep -qE -- "$1" "$work/calls.log" || fail "the calls do not say: $1"; }

step "the metastore starts"
hive_start
step "lines, and the same rows in ORC files"
columns="id int, b boolean, t tinyint, s smallint, l bigint, f float, d double, x string, v varchar(3), c char(4), y binary, dt date,
    ts timestamp, m decimal(7,2), a array<array<int>>, p map<string,int>, r struct<u:int,w:array<string>>"
types=$(tr -d '\n' <<<"$columns" | sed -E 's/(^|, *)([a-z]+) /\1\2:/g; s/ //g')
mkdir "$work"/{text,json}
for ((i = 0; i < 50; i++)); do # ids, numbers at the edge, nested values; every seventh line has nulls alone
    ((i % 7 == 6)) && printf '%d\1\\N\1\1x\1\\N\1\1\1\\N\1\\N\1\\N\1\\N\1\1-\1\\N\1\\N\1\\N\1\\N\n' $i && continue
    printf '%d\1%s\1%d\1%d\1%d\1%d.25\1%de-3\1text %d\1äöü%d\1%d\1WUpa%02d==\1' $i true $((127 - i)) $((-32768 + i)) 922337203685477580$((i % 8)) $i $i \
        $i $i $i $((i + 10))
    printf '%04d-02-%02d\1%04d-03-04 05:06:%02d.%d\1%d.%02d5\1%d\3%d\2\2%d\1a\3%d\2b\3%d\2a\0037\1%d\2p\3q%d\n' $((1960 + i)) $((i % 28 + 1)) \
        $((1950 + i)) $i $i $i $i $i $i $i $i $i $i $i
done >"$work/text/lines"
for ((i = 0; i < 50; i++)); do
    printf '{"ID":%d,"b":%s,"t":%d,"s":%d,"l":%d,"f":%d.25,"d":%de-3,"x":"tx;#\\\\\\"\\u00e4%d","v":"abcd","c":"%d","dt":"%04d-02-%02d",' $i false $((i - 128)) $((32767 - i)) \
        -922337203685477580$((i % 9)) $i $i $i $i $((1960 + i)) $((i % 28 + 1))
    printf '"ts":"%04d-03-04 05:06:%02d.%d","m":%d.%02d5,"a":[[%d,%d],[],null],"p":{"a":%d,"b":null},"r":{"w":["p",null,"q%d"],"u":%d},"other":{"id":7}}\n' \
        $((1950 + i)) $i $i $i $i $i $i $i $i $i
done >"$work/json/lines"
# Their rows in files of other formats: ORC, text with escapes and separators that stand in the values, JSON.
lazy=org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe
declare -A serdes=([orc]=orc [plain]=$lazy [escaped]=$lazy [json]=org.apache.hadoop.hive.serde2.JsonSerDe)
declare -A parameters=([orc]='' [plain]='' [json]=''
    [escaped]='field.delim=x collection.delim=; mapkey.delim=# escape.delim=\\ serialization.escape.crlf=true serialization.null.format=NIL')
rows() { # FORM FORMAT: lines of one form into a file of the other
    mkdir "$work/$1_$2"
    # shellcheck disable=SC2086 # several parameters
    "$PENSTOCK_TOOLS/hive_rows" "$1" ${serdes[$2]} "$work/$1_$2/rows" "$types" ${parameters[$2]} <"$work/$1/lines" 2>"$work/rows.log" ||
        fail "no file of $2 from $1"
    [[ ! -s $work/rows.log ]] || fail "rows of $1 are refused by $2: $(head -n 1 "$work/rows.log")"
}
for form in text json; do
    for format in "${!serdes[@]}"; do rows $form "$format"; done
done

step "tables"
external() { echo "create external table $1_lines ($columns) $2 location 'file://$work/$1';"; } # FOLDER FORMAT
json="row format serde 'org.apache.hadoop.hive.serde2.JsonSerDe' stored as textfile"
declare -A stored=([orc]='stored as orc' [plain]='stored as textfile' [json]=$json
    [escaped]="row format serde '$lazy' with serdeproperties ('field.delim'='x', 'collection.delim'=';', 'mapkey.delim'='#',
        'escape.delim'='\\\\', 'serialization.escape.crlf'='true', 'serialization.null.format'='NIL') stored as textfile")
for form in text json; do
    for format in "${!serdes[@]}"; do external "${form}_$format" "${stored[$format]}"; done
done >"$work/tables"
query "$(external text 'stored as textfile') $(external json "$json") $(<"$work/tables")
    create table parts (id int, name string) partitioned by (day string) clustered by (id) into 1 buckets stored as orc
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
for form in text json; do
    for table in ${form}_lines ${form}_{orc,plain,escaped,json}_lines; do
        echo "select '$form', id, b, t, s, l, f, d, x, v, c, hex(y), dt, ts, m, a, p, r from $table;"
    done
done >"$work/selects"
query "$(<"$work/selects")" >"$work/rows"
(($(grep -cE '^(text|json)' "$work/rows") == 500)) || fail "not 500 rows: $(tail -n 5 "$work/rows")"
for form in text json; do
    grep -E "^$form" "$work/rows" | split -l 50 - "$work/$form.rows."
    for other in b c d e; do
        cmp "$work/$form.rows.a"{a,$other} || fail "other rows of $form: $(diff "$work/$form.rows.a"{a,$other} | head -n 5)"
    done
done
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
