#!/usr/bin/env bash
# Needs: hive
# http -> file channel -> hive, six partitions, while the agent gets SIGKILL again and again, and a metastore whose housekeeping runs every second: it
# aborts the transactions that a killed agent left, forgets those that it takes for empty ones, compacts what is there, and removes files that nobody
# reads. Partitions are compacted, minor and major, while an agent streams and those of a killed one are open, aborted and forgotten. Each event that was
# acknowledged is there, no row of a transaction that was aborted is, and what the engine reads after the last commit stays what it reads until the
# housekeeping has run. An agent that is started behind an ALTER TABLE, which waits for the locks of a killed one, names who has the lock, and goes on.
#
#   hive_housekeeping_test.sh [--kills N] [--rate N] [--timeout SECONDS] [--settle SECONDS]
#       --kills: one after the other (default 3), after the two of what comes before; --rate: events/s (default 1200); --timeout: after which Hive aborts
#       transactions (default 15); --settle: rows are counted for at least so long after the last agent (default: until the housekeeping has run)
# shellcheck source=tests/real/hive_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/hive_lib.sh"
command -v python3 >/dev/null || skip "no python3"
begin_draws
kills=3 rate=1200 timeout=15 settle=0
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
table=$work/hive/warehouse/t
files() { find "$table" -name 'bucket_*' 2>/dev/null | wc -l; }
# The highest write id of all directories: transactions that an agent opens have higher ones than what was there before it.
newest() {
    { find "$table" -mindepth 2 -maxdepth 2 \( -name 'delta_*' -o -name 'base_*' \) -printf '%f\n' 2>/dev/null || true; } |
        awk '{ sub(/_v[0-9]+$/, ""); sub(/.*_/, ""); if ($0 + 0 > highest) highest = $0 + 0 } END { print highest + 0 }'
}
writes_behind() { (($(newest) > $1)); } # WRITE-ID

ask() { python3 "$here/hive_metastore.py" "$port" "$1" default.t "${@:2}" 2>>"$work/ask.log"; } # CALL [ARGUMENT]...
ask_failed() { fail "$1: $(tail -n 3 "$work/ask.log" | paste -s -d ' ')"; } # WHAT
# The metastore refuses a call whose statements its database has rolled back too often.
ask_compactions() { await 60 ask compact client={a,c,e}:major client={b,d,f}:minor || ask_failed "compactions are refused"; }
python3 "$here/hive_metastore.py" "$port" aborted default.t >"$work/aborted" 2>>"$work/ask.log" &
watch=$!
children[$watch]="the list of aborted write ids"

step "the agent is killed, and its table altered; the next one says who has the lock, and goes on"
agent_start a "${monitored[@]}"
await 60 writes_behind 0 || fail "nothing is written"
agent_kill a
python3 "$here/hive_metastore.py" "$port" hold default.t "$work/release" >"$work/lock" 2>>"$work/ask.log" &
holder=$!
children[$holder]="the holder of a lock"
await 60 test -s "$work/lock" || ask_failed "the metastore does not answer who asks for a lock"
written=$(newest)
agent_start a "${monitored[@]}"
alter='alter@test \(alter table, transaction [0-9]+\)'
await_log a "transaction [0-9]+ waits for its lock: $alter (holds|waits for) the exclusive lock" 240
step "it says: $(sed -nE 's/.* (transaction [0-9]+ waits for its lock)/\1/p' "$work/a.log" | tail -n 1)"
touch "$work/release"
wait "$holder" || ask_failed "the holder of the lock ends with $?"
unset "children[$holder]"
await 240 writes_behind "$written" || fail "nothing is written behind the lock"

step "it streams until partitions were compacted, minor and major"
# Hive merges two directories or more, and only below the lowest write id that is open: what a killed agent left must have been aborted.
major='' minor='' asked=-1
has_merged() { # asks once a second, because Hive passes over what is not enough, and removes what the next compaction replaces
    ((SECONDS == asked)) || { asked=$SECONDS; ask_compactions; }
    [[ $major ]] || major=$(compgen -G "$table/client=*/base_*_v*" | head -n 1) || true
    [[ $minor ]] || minor=$(compgen -G "$table/client=*/delta_*_v*" | head -n 1) || true
    [[ $major && $minor ]]
}
await 300 has_merged || fail "compacted while the agent streams: ${major:-nothing} (major), ${minor:-nothing} (minor); $(ask compactions | paste -s -d ,)"
await 240 writes_behind "$(newest)" || fail "nothing is written any more"
agent_kill a

step "the agent is killed $kills times; partitions are compacted meanwhile"
for ((i = 0; i < kills; i++)); do
    written=$(newest)
    agent_start a "${monitored[@]}"
    await 60 writes_behind "$written" || fail "nothing is written"
    ask_compactions
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
kept=$(sed -nE 's/.*channel c1: opened in [^:]*: ([0-9,]+) events? .*/\1/p' "$work/a.log" | tail -n 1 | tr -d ,)
delivered() {
    local count
    count=$(curl -s "http://127.0.0.1:$metrics_port/metrics" | sed -nE 's/.*"SINK.k1":\{[^}]*"EventDrainSuccessCount":"([0-9]+)".*/\1/p')
    ((${count:-0} >= kept))
}
await 240 delivered || fail "what the channel has kept is not delivered"
agent_stop a
ended=$SECONDS
step "$(acked) events acknowledged, $(files) files"

# A query that began before a compaction was committed reads the merged files, and misses the rows of those that the cleaner removes meanwhile, without
# an error (decision 74). So a query counts only if every file that was there before it is there behind it.
listing() { find "$table" -name 'bucket_*' -printf '%P\n' 2>/dev/null | sort; }
reads() {
    listing >"$work/files" || return 1
    "$here/hive" query "select client, row__id.writeid, line from t" --dir "$work/hive" --port "$port" >"$work/rows" 2>>"$work/query.log" || return 1
    listing >"$work/files.behind" || return 1
    [[ -z $(comm -23 "$work/files" "$work/files.behind") ]]
}
count() { # sets rows, distinct, lost. A query fails whose files are removed by the cleaner while it plans, or whose transaction has timed out on a busy machine
    await 300 reads || fail "the table cannot be read; Hive's cleaner has forgotten: $(forgotten | paste -s -d ,)"
    awk '{ print $3 }' "$work/rows" | sort -u >"$work/events"
    rows=$(wc -l <"$work/rows") distinct=$(wc -l <"$work/events")
    lost=$(sort "$work"/acked.* | comm -23 - "$work/events" | tee "$work/lost" | wc -l)
    step "$rows rows, $distinct distinct, $lost lost, $(files) files"
    ((lost == 0)) || fail "lost: $(head -n 5 "$work/lost" | xargs)"
}
by_write_id() { cut -f 1,2 "$1" | sort | uniq -c | awk '{ print $2, $3, $1 }'; } # ROWS: partition, write id, how many
# Hive's own fault, whoever wrote the rows: its cleaner may take up a compaction whose transaction is not committed yet. It looks at the write ids
# that the oldest transaction has seen that is still open, and then forgets the aborted ones up to the compaction's highest, whose files are left
# (docs/decisions/0074-sink-hive.md). Prints such partitions, with the write ids after which and up to which.
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
excused=0
compare() { # with the first count: each row that has come, or was written by an aborted transaction, belongs to one that Hive has forgotten itself
    by_write_id "$work/rows" >"$work/now"
    [[ -e $work/before ]] || cp "$work/now" "$work/before"
    {
        diff "$work/before" "$work/now" | sed -n '/^[<>]/p' || true
        awk 'FILENAME == ARGV[1] { aborted[$1]; next } $2 in aborted { print ">", $0 }' "$work/aborted" "$work/now"
    } | sort -u >"$work/differences"
    [[ -s $work/differences ]] || return 0
    forgotten >"$work/forgotten"
    : >"$work/unexplained"
    excused=$(awk -v unexplained="$work/unexplained" 'FILENAME == ARGV[1] { n++; partition[n] = $1; low[n] = $2; high[n] = $3; next }
        $1 == ">" { for (i = 1; i <= n; i++) if ($2 == partition[i] && $3 > low[i] && $3 <= high[i]) { rows += $4; next } }
        { print >unexplained }
        END { print rows + 0 }' "$work/forgotten" "$work/differences")
    [[ ! -s $work/forgotten ]] || step "Hive's cleaner has forgotten, with their files left (partition, write ids): $(paste -s -d , "$work/forgotten")"
    [[ -s $work/unexplained ]] || return 0
    {
        echo "before (<) and now, or of an aborted transaction (>): partition, write id, rows"
        cat "$work/unexplained"
        find "$work/hive/warehouse/t" -name 'bucket_*' -printf '%P\n' | sort
        grep -aE 'Cleaning based on|Starting cleaning|About to remove|Remained|obsolete directories|ValidCompactWriteIdList|transaction\(s\)' "$work/hive/metastore.out" | tr -d '\0' || true
    } >&2
    fail "rows of transactions that were aborted have come to light, or others are gone"
}
look() { count; compare; }
look
first=$rows
has_none_open() { ask open >"$work/open" && [[ ! -s $work/open ]]; }
await 300 has_none_open || fail "Hive does not abort what killed agents left: write ids $(paste -s -d , "$work/open")"
forgets() { patient_limit 300 ask forgets || ask_failed "the metastore does not forget what was aborted"; }
forgets
step "Hive has aborted what killed agents left ($(wc -l <"$work/aborted") write ids were seen), and forgotten what seems empty"
look
ask_compactions
has_cleaned() { ask compactions >"$work/compactions" && ! grep -qE ' (initiated|working|ready for cleaning)$' "$work/compactions"; }
await 300 has_cleaned || fail "compactions do not end: $(paste -s -d , "$work/compactions")"
forgets
step "Hive has compacted, cleaned, and forgotten what was cleaned"
look
while ((SECONDS < ended + settle)); do
    left=$((ended + settle - SECONDS))
    sleep $((left < 30 ? left : 30))
    look
done
kill "$watch" || ask_failed "the list of aborted write ids has ended"
wait "$watch" 2>/dev/null || true
unset "children[$watch]"
[[ -s $work/aborted ]] || fail "Hive has aborted nothing"
step "done: $((first - distinct)) rows twice at first; $excused rows excused, which Hive's own cleaner has brought to light; ${major#"$table"/} (major), ${minor#"$table"/} (minor)"
