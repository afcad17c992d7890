#!/usr/bin/env bash
# Needs: hive
# http -> file channel -> hive, six partitions, while the agent gets SIGKILL again and again, and a metastore whose housekeeping runs every second: it
# aborts the transactions that a killed agent left, forgets those that it takes for empty ones, compacts what is there, and removes files that nobody
# reads. Each event that was acknowledged is there, and what the engine reads after the last commit stays what it reads: no row of a transaction that
# was aborted comes to light later.
#
#   hive_housekeeping_test.sh [--kills N] [--rate N] [--timeout SECONDS] [--settle SECONDS]
#       --rate: events/s (default 1200); --timeout: after which Hive aborts transactions (default 15); --settle: how long rows are counted
#       after the last agent (default: the time-out and 5 s)
# shellcheck source=tests/real/hive_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/hive_lib.sh"
command -v python3 >/dev/null || skip "no python3"
kills=3 rate=1200 timeout=15 settle=''
while (($#)); do
    case $1 in
    --kills) kills=$2; shift ;;
    --rate) rate=$2; shift ;;
    --timeout) timeout=$2; shift ;;
    --settle) settle=$2; shift ;;
    *) echo "usage: $0 [--kills N] [--rate N] [--timeout SECONDS] [--settle SECONDS]" >&2; exit 2 ;;
    esac
    shift
done

step "the metastore starts"
hive_options=(--housekeeping "$timeout")
hive_start
# The housekeeping may abort the transaction of a statement that takes long on a busy machine.
created() { "$here/hive" query "create table if not exists t (line string) partitioned by (client string) stored as orc tblproperties ('transactional'='true')" --dir "$work/hive" --port "$port"; }
await 300 created || fail "the table is not created"
cat >"$work/a.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = http
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $load_port
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1
	a1.sources.r1.interceptors.i1.type = regex_extractor
	a1.sources.r1.interceptors.i1.regex = ^([a-f])
	a1.sources.r1.interceptors.i1.serializers = s1
	a1.sources.r1.interceptors.i1.serializers.s1.name = client
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/checkpoint
	a1.channels.c1.dataDirs = $work/data
	a1.channels.c1.capacity = 1000000
	a1.sinks.k1.type = hive
	a1.sinks.k1.channel = c1
	a1.sinks.k1.hive.metastore = $metastore
	a1.sinks.k1.hive.database = default
	a1.sinks.k1.hive.table = t
	a1.sinks.k1.hive.partition = %{client}
	a1.sinks.k1.hive.txnsPerBatchAsk = 10
	a1.sinks.k1.batchSize = 5000
	a1.sinks.k1.heartBeatInterval = 1
	a1.sinks.k1.penstock.commit.interval = 500
	a1.sinks.k1.serializer = DELIMITED
	a1.sinks.k1.serializer.delimiter = ;
	a1.sinks.k1.serializer.fieldnames = line
EOF_
clients=()
for name in a b c d e f; do
    python3 "$here/numbered_client.py" "$load_port" $name "$work" http $((rate / 6)) 2>>"$work/client.log" &
    clients+=($!)
    children[$!]="client $name"
done
acked() { cat "$work"/acked.* 2>/dev/null | wc -l; }
grows() { (($(acked) >= $1)); }
deltas() { find "$work/hive/warehouse/t" -name 'bucket_*' | wc -l; }
more_deltas() { (($(deltas) > $1)); }

compact() { # PARTITION minor|major
    python3 "$here/hive_compact.py" "$port" default t "client=$1" "$2" || fail "no compaction"
}

step "the agent is killed $kills times; partitions are compacted meanwhile"
for ((i = 0; i < kills; i++)); do
    written=$(deltas)
    ((i == 0)) || { compact a major; compact b minor; }
    agent_start a "${monitored[@]}"
    await 60 more_deltas "$written" || fail "nothing is written"
    sleep 0.$((RANDOM % 10))
    agent_kill a
done
agent_start a "${monitored[@]}"
await 60 grows $(($(acked) + 1)) || fail "nothing is acknowledged any more"
touch "$work/stop"
for pid in "${clients[@]}"; do
    wait "$pid" || fail "a client ends with $?"
    unset "children[$pid]"
done
is_empty() { curl -s "http://127.0.0.1:$metrics_port/metrics" | grep -q '"ChannelSize":"0"'; }
await 240 is_empty || fail "the channel does not become empty"
agent_stop a
# A stop does not wait for what the channel keeps: the next life delivers it.
lives=$(grep -c 'channel c1: opened' "$work/a.log")
agent_start a "${monitored[@]}"
has_channel() { (($(grep -c 'channel c1: opened' "$work/a.log") > lives)); }
await 60 has_channel || fail "the channel is not opened"
kept=$(sed -nE 's/.*channel c1: opened in [^:]*: ([0-9,]+) events.*/\1/p' "$work/a.log" | tail -n 1 | tr -d ,)
delivered() {
    local count
    count=$(curl -s "http://127.0.0.1:$metrics_port/metrics" | sed -nE 's/.*"SINK.k1":\{[^}]*"EventDrainSuccessCount":"([0-9]+)".*/\1/p')
    ((${count:-0} >= kept))
}
await 240 delivered || fail "what the channel has kept is not delivered"
agent_stop a
step "$(acked) events acknowledged, $(deltas) files"

reads() { "$here/hive" query "select client, row__id.writeid, line from t" --dir "$work/hive" --port "$port" >"$work/rows" 2>>"$work/query.log"; }
count() { # sets rows, distinct, lost. A query fails whose files are removed by the cleaner while it plans, or whose transaction has timed out on a busy machine
    await 300 reads || fail "the table cannot be read; Hive's cleaner has forgotten: $(forgotten | paste -s -d ,)"
    awk '{ print $3 }' "$work/rows" | sort -u >"$work/events"
    rows=$(wc -l <"$work/rows") distinct=$(wc -l <"$work/events")
    lost=$(sort "$work"/acked.* | comm -23 - "$work/events" | tee "$work/lost" | wc -l)
    step "$rows rows, $distinct distinct, $lost lost, $(deltas) files"
    ((lost == 0)) || fail "lost: $(head -n 5 "$work/lost" | xargs)"
}
by_write_id() { cut -f 1,2 "$1" | sort | uniq -c | awk '{ print $2, $3, $1 }'; } # ROWS: partition, write id, how many
# Hive's own fault, whoever wrote the rows: its cleaner may take up a compaction whose transaction is not committed yet. It looks at the write ids
# that the oldest transaction has seen that is still open, and then forgets the aborted ones up to the compaction's highest, whose files are left
# (docs/decisions/0074-a-transactions-files-are-begun-behind-its-lock.md). Prints such partitions, with the write ids after which and up to which.
forgotten() {
    tr -d '\0' <"$work/hive/metastore.out" | awk '
        function say() { if (seen != "" && seen + 0 < highest + 0) print partition, seen, highest; seen = "" }
        /Starting cleaning for / {
            say()
            partition = $0; sub(/.*,partName=client=/, "", partition); sub(/,.*/, "", partition)
            highest = $0; sub(/.*,highestWriteId=/, "", highest); sub(/,.*/, "", highest)
        }
        /Cleaning based on writeIdList: / { seen = $0; sub(/.*writeIdList: [^:]*:/, "", seen); sub(/:.*/, "", seen) }
        /Remained [0-9]+ obsolete/ { seen = "" } # the compaction stays in the queue, and nothing is forgotten
        END { say() }'
}
compare() { # HOW-MANY: with the first count. Each row that has come belongs to a transaction that Hive has forgotten itself
    by_write_id "$work/rows" >"$work/now"
    ! diff "$work/before" "$work/now" >"$work/diff" || return 0
    sed -n '/^[<>]/p' "$work/diff" >"$work/differences"
    forgotten >"$work/forgotten"
    awk 'FILENAME == ARGV[1] { n++; partition[n] = $1; low[n] = $2; high[n] = $3; next }
        $1 == ">" { for (i = 1; i <= n; i++) if ($2 == partition[i] && $3 > low[i] && $3 <= high[i]) next }
        { print }' "$work/forgotten" "$work/differences" >"$work/unexplained"
    [[ ! -s $work/forgotten ]] || step "Hive's cleaner has forgotten, with their files left (partition, write ids): $(paste -s -d , "$work/forgotten")"
    [[ -s $work/unexplained ]] || return 0
    {
        echo "before (<) and now (>): partition, write id, rows"
        cat "$work/differences"
        find "$work/hive/warehouse/t" -name 'bucket_*' -printf '%P\n' | sort
        grep -aE 'Cleaning based on|Starting cleaning|About to remove|Remained|obsolete directories|ValidCompactWriteIdList|transaction\(s\)' "$work/hive/metastore.out" | tr -d '\0' || true
    } >&2
    fail "$1 rows of transactions that were aborted have come to light"
}
count
by_write_id "$work/rows" >"$work/before"
first=$rows until=$((SECONDS + ${settle:-$((timeout + 5))}))
for name in a c e; do compact $name major; done
for name in b d f; do compact $name minor; done
while
    sleep "$((until - SECONDS < 30 ? (until > SECONDS ? until - SECONDS : 0) : 30))"
    count
    compare $((rows - first))
    ((SECONDS < until))
do :; done
# Hive passes over a partition with a single delta, so which are compacted differs.
step "done: $((first - distinct)) rows twice; $(find "$work/hive/warehouse/t" -maxdepth 2 -name '*_v[0-9]*' | wc -l) compacted directories"
