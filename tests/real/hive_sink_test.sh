#!/usr/bin/env bash
# Needs: hive hdfs
# The sink hive against a real Hive: taildir -> file channel -> hive, four buckets, two partitions by a header. The agent is killed
# while it writes, then the metastore; both come back. The engine counts the rows: each line of the file is there, how many twice.
# The same lines go into a plain table of text, whose separator is in them, while the agent is killed. Then
# conf/examples/syslog-to-hive.properties, as it is. Then tables on a real HDFS, transactional and plain: they are altered, or dropped
# and made again, while an agent runs that writes to them; plain tables, one for each codec.
#
#   KEEP=1   keep the working directory
# No sanitizer: it reads files.
# shellcheck source=tests/real/hive_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/hive_lib.sh"
needs "$PENSTOCK"
command -v curl >/dev/null || skip "curl is needed"
metrics=$((port + 1))
agent=
finish_more() { [[ ! $agent ]] || kill -KILL "$agent" 2>/dev/null || true; }
awaits() { # WHAT COMMAND...: while the agent runs; looks every look_s seconds, which is short before a kill
    local what=$1 end_cs
    shift
    patient_clock
    end_cs=$((patient_cs + 24000))
    until "$@"; do
        kill -0 "$agent" 2>/dev/null || fail "the agent has ended; awaited: $what"
        patient_clock
        ((patient_cs < end_cs)) || fail "awaited in vain: $what"
        pause "${look_s:-0.3}"
    done
}

run() { # FILE: starts an agent
    "$PENSTOCK" agent -n a1 -f "$1" -Dflume.monitoring.type=http \
        "-Dflume.monitoring.port=$metrics" >>"$work/agent.log" 2>&1 </dev/null &
    agent=$!
}
killed() { # SIGKILL
    kill -KILL "$agent"
    { wait "$agent" || true; } 2>/dev/null
    agent=
}
stopped() { # SIGTERM
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ends with $?"
    agent=
}
rows_delivered() { # COUNT [SINK]...: by each of these sinks of this process
    local all count sink wanted=$1
    shift
    all=$(curl -fs "http://127.0.0.1:$metrics/metrics") || return 1
    for sink in "${@:-k1}"; do
        count=$(sed -nE 's/.*"SINK.'"$sink"'":\{[^}]*"EventDrainSuccessCount":"([0-9]+)".*/\1/p' <<<"$all")
        ((${count:-0} >= wanted)) || return 1
    done
}
# The source has read the file, and nothing is in the channel. A position is written when the channel has promised the lines.
is_done() {
    grep -q "\"pos\":$(stat -c %s "$lines/lines.log")[,}]" "$lines/position.json" 2>/dev/null &&
        curl -fs "http://127.0.0.1:$metrics/metrics" | grep -qE '"CHANNEL.c1":\{[^}]*"ChannelSize":"0"'
}

# A stop does not wait for what the channel keeps, nor, longer than half a second, for what the sink has under way: the next life delivers it.
deliver_rest() { # FILE
    local lives kept
    lives=$(grep -c 'channel c1: opened' "$work/agent.log")
    has_next_channel() { (($(grep -c 'channel c1: opened' "$work/agent.log") > lives)); }
    run "$1"
    awaits "its channel" has_next_channel
    kept=$(sed -nE 's/.*channel c1: opened in [^:]*: ([0-9,]+) events? .*/\1/p' "$work/agent.log" | tail -n 1 | tr -d ,)
    awaits "what the channel has kept" rows_delivered "$kept"
    stopped
}

# Until then its channel has no size.
has_channel() { (($(grep -c 'channel c1: opened' "$work/agent.log") == $(grep -c ' starts agent' "$work/agent.log"))); }

step "the metastore and an HDFS start"
hdfs_share
hive_start
# On HDFS: of each of these tables one is transactional and one plain; they get the same rows. And a plain one for each codec.
far=far_$$
columns="(id int, name string)"
lazy="row format delimited fields terminated by '|' stored as textfile"
declare -A stored=([transactional]="stored as orc tblproperties ('transactional'='true')" [plain]=$lazy [gzip]=$lazy [bzip2]=$lazy [snappy]=$lazy
    [deflate]="row format serde 'org.apache.hadoop.hive.serde2.JsonSerDe' stored as textfile")
codecs=(gzip bzip2 deflate snappy)
{
    echo "create database $far location '$hdfs_url/$far/external' managedlocation '$hdfs_url/$far/managed';"
    for kind in transactional plain; do
        for name in altered dropped; do echo "create table $far.${name}_$kind $columns ${stored[$kind]};"; done
    done
    for codec in "${codecs[@]}"; do echo "create external table $far.$codec $columns ${stored[$codec]};"; done
} >"$work/tables"
query "$(<"$work/tables")
    create table lines (id int, name string, price decimal(8,2)) partitioned by (kind string) clustered by (id) into 4 buckets
    stored as orc tblproperties ('transactional'='true', 'orc.compress'='ZSTD', 'orc.bloom.filter.columns'='name');
    create table actions (id int, action string, ms int) partitioned by (day string, host string) clustered by (id) into 4 buckets
    stored as orc tblproperties ('transactional'='true');
    create table plain_lines (id int, name string, price decimal(8,2)) partitioned by (kind string)
    row format delimited fields terminated by ' ' escaped by '\\\\' stored as textfile"

lines=$work/in
mkdir "$lines"
write() { # FROM TO
    seq "$1" "$2" | awk '{ printf "%d\tpassed over\tname %d\t%d.%02d\t%s\n", $1, $1, $1 / 100, $1 % 100, $1 % 3 ? "odd" : "third" }' \
        >>"$lines/lines.log"
}
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = taildir
a1.sources.r1.channels = c1
a1.sources.r1.filegroups = f
a1.sources.r1.filegroups.f = $lines/.*log
a1.sources.r1.positionFile = $lines/position.json
a1.sources.r1.writePosInterval = 100
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = regex_extractor
a1.sources.r1.interceptors.i1.regex = (odd|third)\$
a1.sources.r1.interceptors.i1.serializers = s1
a1.sources.r1.interceptors.i1.serializers.s1.name = kind
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $lines/checkpoint
a1.channels.c1.dataDirs = $lines/data
a1.sinks.k1.type = hive
a1.sinks.k1.channel = c1
a1.sinks.k1.hive.metastore = $metastore
a1.sinks.k1.hive.database = default
a1.sinks.k1.hive.table = lines
a1.sinks.k1.hive.partition = %{kind}
a1.sinks.k1.hive.txnsPerBatchAsk = 10
a1.sinks.k1.batchSize = 5000
a1.sinks.k1.penstock.commit.interval = 200
a1.sinks.k1.serializer = DELIMITED
a1.sinks.k1.serializer.delimiter = "\\t"
a1.sinks.k1.serializer.fieldnames = id,,name,price
EOF_

step "the agent is killed, three times"
write 1 100000
for ((i = 0; i < 3; i++)); do
    run "$work/agent.properties"
    look_s=0.05 awaits "some rows" rows_delivered 5000
    killed
    write $((100001 + i * 10000)) $((110000 + i * 10000))
done

step "the metastore is killed"
run "$work/agent.properties"
look_s=0.05 awaits "some rows" rows_delivered 1
killed=$("$here/hive" pids --dir "$work/hive")
kill -KILL "$killed"
awaits "the metastore's end" is_gone "$killed"
write 130001 150000
awaits "a failure" grep -qE 'sink k1: .*the metastore at' "$work/agent.log"
hive_start
awaits "the end" is_done
stopped
deliver_rest "$work/agent.properties"

step "a plain table; the agent is killed, three times"
sed "s/hive.table = .*/hive.table = plain_lines/; s,$lines,$work/plain," "$work/agent.properties" >"$work/plain.properties"
lines=$work/plain
mkdir "$lines"
write 1 100000
echo "a1.sinks.k1.penstock.table.type = plain" >>"$work/plain.properties"
probed() { "$PENSTOCK" check --probe -n a1 -f "$work/plain.properties" >"$work/probe.log"; } # each step waits 5 s at most
await 60 probed || fail "the probe of the plain table"
grep -q 'ok  *sink k1: hive.table: default.plain_lines: plain, text, 3 columns, 1 partition keys' "$work/probe.log" || fail "what the probe says"
for ((i = 0; i < 3; i++)); do
    run "$work/plain.properties"
    look_s=0.05 awaits "some rows" rows_delivered 5000
    killed
    write $((100001 + i * 10000)) $((110000 + i * 10000))
done
write 130001 150000
run "$work/plain.properties"
awaits "what is in the channel" has_channel
awaits "the end" is_done
stopped
deliver_rest "$work/plain.properties"
left=$(find "$work/hive/warehouse/plain_lines" -name '_*')
[[ ! $left ]] || fail "files in use are left: $left"

step "the example of syslog"
METASTORE=$metastore STATE=$work/syslog LISTEN=127.0.0.1 PORT=$((port + 2)) run "$here/../../conf/examples/syslog-to-hive.properties"
awaits "the port" grep -q "listening on 127.0.0.1:$((port + 2))" "$work/agent.log"
seq 1000 | awk '{ printf "<13>1 2026-11-%02dT10:11:12Z web%d app: %d|action %d|%d\n", 20 + $1 % 2, $1 % 2, $1, $1 % 5, $1 * 2 }' \
    >"/dev/tcp/127.0.0.1/$((port + 2))"
awaits "its rows" rows_delivered 1000
stopped

step "tables on HDFS; they are altered, or dropped and made again, while the agent runs"
mkdir "$work/far"
names=({altered,dropped}_{transactional,plain} "${codecs[@]}") channels='' sinks=''
for i in "${!names[@]}"; do
    channels+=" c$i" sinks+=" k$i"
    cat <<EOF_
a1.channels.c$i.type = memory
a1.channels.c$i.capacity = 5000
a1.channels.c$i.transactionCapacity = 1000
a1.sinks.k$i.type = hive
a1.sinks.k$i.channel = c$i
a1.sinks.k$i.hive.metastore = $metastore
a1.sinks.k$i.hive.database = $far
a1.sinks.k$i.hive.table = ${names[i]}
a1.sinks.k$i.hive.txnsPerBatchAsk = 10
a1.sinks.k$i.batchSize = 1000
a1.sinks.k$i.penstock.commit.interval = 100
a1.sinks.k$i.callTimeout = 60000
a1.sinks.k$i.serializer = JSON
EOF_
    [[ ${names[i]} == *_transactional ]] || echo "a1.sinks.k$i.penstock.table.type = plain"
    [[ ${names[i]} == *_* ]] || echo "a1.sinks.k$i.penstock.codeC = ${names[i]}"
done >"$work/far.properties"
cat >>"$work/far.properties" <<EOF_
a1.channels =$channels
a1.sinks =$sinks
a1.sources = r1
a1.sources.r1.type = taildir
a1.sources.r1.channels =$channels
a1.sources.r1.filegroups = f
a1.sources.r1.filegroups.f = $work/far/.*log
a1.sources.r1.positionFile = $work/far/position.json
EOF_
far_rows() { # FROM TO
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"name\":\"name %d\",\"note\":\"note %d\"}\n", $1, $1, $1 }' >>"$work/far/rows.log"
}
read -ra all <<<"$sinks"
far_rows 1 1000
run "$work/far.properties"
awaits "the first rows" rows_delivered 1000 "${all[@]}"
{
    for kind in transactional plain; do
        echo "alter table $far.altered_$kind add columns (note string);"
        echo "drop table $far.dropped_$kind; create table $far.dropped_$kind $columns ${stored[$kind]};"
    done
} >"$work/tables"
query "$(<"$work/tables")"
patient_rest 3 # what a sink has seen of a plain table counts for a second, and a turn of its worker may take longer than that
far_rows 1001 2000
awaits "the rows after that" rows_delivered 2000 "${all[@]}"
stopped

step "what the engine reads"
# Each statement with groups is a job of MapReduce, which takes long on a busy machine: there are two.
for name in "${names[@]}"; do
    [[ $name == altered_* ]] && note="coalesce(note, 'none')" || note="'none'"
    echo "select '$name', id, name, $note from $far.$name;"
done >"$work/selects"
query "$(<"$work/selects")
    select kind, count(distinct id), sum(distinct id), count(distinct name), sum(distinct cast(price * 100 as int)), count(*)
    from (select id, name, price, kind from lines union all select id, name, price, concat('plain ', kind) from plain_lines) t
    group by kind;
    select day, host, count(*), sum(id), sum(ms), max(action) from actions group by day, host;
    select 'found', price from lines where name = 'name 777' and id = 777" >"$work/all"
# Rows of plain tables may be there twice after a time-out.
grep -E '(none|note [0-9]+)$' "$work/all" | awk '/^[a-z]*_transactional/ || !seen[$0]++' | sort >"$work/read.far"
for name in "${names[@]}"; do
    for ((i = 1; i <= 2000; i++)); do
        note=none
        [[ $name != altered_* || $i -le 1000 ]] || note="note $i"
        [[ $name == dropped_* && $i -le 1000 ]] || printf '%s\t%d\tname %d\t%s\n' "$name" $i $i "$note"
    done
done | sort >"$work/wanted.far"
cmp "$work/wanted.far" "$work/read.far" || fail "the engine reads other rows of the tables on HDFS: $(diff "$work/wanted.far" "$work/read.far" | head -n 5)"
grep -vE '(none|note [0-9]+)$' "$work/all" | sort >"$work/read"
cat >"$work/wanted" <<'EOF_'
2026-11-20	web0	500	250500	501000	action 4
2026-11-21	web1	500	250000	500000	action 4
found	7.77
odd	100000	7500000000	100000	7500000000
plain odd	100000	7500000000	100000	7500000000
plain third	50000	3750075000	50000	3750075000
third	50000	3750075000	50000	3750075000
EOF_
diff "$work/wanted" <(uniq "$work/read" | sed -E '/^(plain )?(odd|third)/s/\t[0-9]+$//') || fail "the engine reads something else"
twice() { awk -F '\t' -v kind="^$1(odd|third)" '$1 ~ kind { rows += $6 } END { print rows - 150000 }' "$work/read"; } # PREFIX
step "done: 150000 lines, $(twice '') rows twice; in the plain table $(twice 'plain ')"
