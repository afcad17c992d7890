#!/usr/bin/env bash
# Needs: hive
# The sink hive against a real Hive: taildir -> file channel -> hive, four buckets, two partitions by a header. The agent is killed
# while it writes, then the metastore; both come back. The engine counts the rows: each line of the file is there, how many twice.
# Then conf/examples/syslog-to-hive.properties, as it is.
#
#   KEEP=1   keep the working directory
# No sanitizer: it reads files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
skip() { echo "SKIP: $*"; exit 77; }
for program in java mvn curl; do
    command -v $program >/dev/null || skip "$program is needed for a real Hive"
done
[[ -x $PENSTOCK ]] || skip "no program $PENSTOCK"
# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"
metrics=$((port + 1))
work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-real.XXXXXX")
agent=
finish() {
    [[ ! $agent ]] || kill -KILL "$agent" 2>/dev/null || true
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
await() { # WHAT COMMAND...
    local what=$1 deadline=$((SECONDS + 240))
    shift
    until "$@"; do
        kill -0 "$agent" 2>/dev/null || fail "the agent has ended; awaited: $what"
        ((SECONDS < deadline)) || fail "awaited in vain: $what"
        sleep 0.05
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
rows_delivered() { # COUNT: by this process
    local count
    count=$(curl -fs "http://127.0.0.1:$metrics/metrics" | sed -nE 's/.*"SINK.k1":\{[^}]*"EventDrainSuccessCount":"([0-9]+)".*/\1/p')
    ((${count:-0} >= $1))
}
is_gone() { ! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"; } # PID
# The source has read the file, and nothing is in the channel. A position is written when the channel has promised the lines.
is_done() {
    grep -q "\"pos\":$(stat -c %s "$work/in/lines.log")[,}]" "$work/position.json" 2>/dev/null &&
        curl -fs "http://127.0.0.1:$metrics/metrics" | grep -qE '"CHANNEL.c1":\{[^}]*"ChannelSize":"0"'
}

step "the metastore starts"
metastore=$("$here/hive" start --dir "$work/hive" --port "$port" 2>"$work/start.log") || fail "Hive does not start"
query "create table lines (id int, name string, price decimal(8,2)) partitioned by (kind string) clustered by (id) into 4 buckets
    stored as orc tblproperties ('transactional'='true', 'orc.compress'='ZSTD', 'orc.bloom.filter.columns'='name');
    create table actions (id int, action string, ms int) partitioned by (day string, host string) clustered by (id) into 4 buckets
    stored as orc tblproperties ('transactional'='true')"

mkdir "$work/in"
write() { # FROM TO
    seq "$1" "$2" | awk '{ printf "%d\tpassed over\tname %d\t%d.%02d\t%s\n", $1, $1, $1 / 100, $1 % 100, $1 % 3 ? "odd" : "third" }' \
        >>"$work/in/lines.log"
}
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = taildir
a1.sources.r1.channels = c1
a1.sources.r1.filegroups = f
a1.sources.r1.filegroups.f = $work/in/.*log
a1.sources.r1.positionFile = $work/position.json
a1.sources.r1.writePosInterval = 100
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = regex_extractor
a1.sources.r1.interceptors.i1.regex = (odd|third)\$
a1.sources.r1.interceptors.i1.serializers = s1
a1.sources.r1.interceptors.i1.serializers.s1.name = kind
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/channel/checkpoint
a1.channels.c1.dataDirs = $work/channel/data
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
    await "some rows" rows_delivered 5000
    killed
    write $((100001 + i * 10000)) $((110000 + i * 10000))
done

step "the metastore is killed"
run "$work/agent.properties"
await "some rows" rows_delivered 1
killed=$("$here/hive" pids --dir "$work/hive")
kill -KILL "$killed"
await "the metastore's end" is_gone "$killed"
write 130001 150000
await "a failure" grep -qE 'sink k1: .*the metastore at' "$work/agent.log"
"$here/hive" start --dir "$work/hive" --port "$port" >"$work/start.log" 2>&1 || fail "Hive does not start again"
await "the end" is_done
stopped

step "the example of syslog"
METASTORE=$metastore STATE=$work/syslog LISTEN=127.0.0.1 PORT=$((port + 2)) run "$here/../../conf/examples/syslog-to-hive.properties"
await "the port" grep -q "listening on 127.0.0.1:$((port + 2))" "$work/agent.log"
seq 1000 | awk '{ printf "<13>1 2026-11-%02dT10:11:12Z web%d app: %d|action %d|%d\n", 20 + $1 % 2, $1 % 2, $1, $1 % 5, $1 * 2 }' \
    >"/dev/tcp/127.0.0.1/$((port + 2))"
await "its rows" rows_delivered 1000
stopped

step "what the engine reads"
# Each statement with groups is a job of MapReduce, which takes long on a busy machine: there are two.
query "select kind, count(distinct id), sum(distinct id), count(distinct name), sum(distinct cast(price * 100 as int)), count(*) from lines
    group by kind;
    select day, host, count(*), sum(id), sum(ms), max(action) from actions group by day, host;
    select 'found', price from lines where name = 'name 777' and id = 777" | sort >"$work/read"
cat >"$work/wanted" <<'EOF_'
2026-11-20	web0	500	250500	501000	action 4
2026-11-21	web1	500	250000	500000	action 4
found	7.77
odd	100000	7500000000	100000	7500000000
third	50000	3750075000	50000	3750075000
EOF_
diff "$work/wanted" <(uniq "$work/read" | sed -E '/^(odd|third)/s/\t[0-9]+$//') || fail "the engine reads something else"
rows=$(awk -F '\t' '/^(odd|third)/ { rows += $6 } END { print rows }' "$work/read")
step "done: 150000 lines, $((rows - 150000)) rows twice"
