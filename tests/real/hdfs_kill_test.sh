#!/usr/bin/env bash
# Needs: hdfs
# netcat -> file channel -> hdfs, rolling files every fraction of a second, and the agent gets SIGKILL again and again at random
# moments (also while it starts, and while it recovers the files of the life before). At the end every event whose client got OK must
# be in a file that has its final name, whole, as Hadoop's own shell reads it; those that are there twice are counted.
#
#   hdfs_kill_test.sh [--kills N] [--seconds N] [--seed N] [--servers] [--http] [--rate N] [--awake SECONDS] [--flume]
#       until N kills are done, or for N seconds (default 12); --servers: the DataNodes and the NameNode get SIGKILL in between, too
#       --http: a source http instead of netcat; --rate N: at most so many events/s; --awake SECONDS: no kill before so long after a first acknowledgement
#       --flume: a real Flume 1.11 instead, to compare the duplicates (its files are completed by penstock at the end)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || skip "no python3"

kills=0 seconds=12 seed=$(seed_of_run) servers='' source=netcat rate=0 awake='' flume=''
while (($#)); do
    case $1 in
    --kills) kills=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --seed) seed=$2; shift ;;
    --servers) servers=1 ;;
    --http) source=http ;;
    --rate) rate=$2; shift ;;
    --awake) awake=$2; shift ;;
    --flume) flume=1 ;;
    *) echo "usage: $0 [--kills N] [--seconds N] [--seed N] [--servers] [--http] [--rate N] [--awake SECONDS] [--flume]" >&2; exit 2 ;;
    esac
    shift
done
step "--seed $seed"
RANDOM=$seed # bash's sequence of numbers, the same for the same seed

if [[ $servers ]]; then
    hdfs_start --datanodes 3 --set dfs.replication=2 --set dfs.namenode.redundancy.considerLoad=false
else
    hdfs_share
fi
folder=/kill.$$.$seed

properties() { # a new life, in which files roll by other rules
    local rolls=("rollCount = $((RANDOM % 5000 + 500))" "rollSize = $((RANDOM % 500000 + 50000))" "rollInterval = 1" "idleTimeout = 1")
    local rule=$((RANDOM % ${#rolls[@]})) key
    cat >"$work/a.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = $source
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $load_port
	a1.sources.r1.channels = c1
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $work/checkpoint
	a1.channels.c1.dataDirs = $work/data
	a1.channels.c1.capacity = 200000
	a1.sinks.k1.type = hdfs
	a1.sinks.k1.channel = c1
	a1.sinks.k1.hdfs.path = $hdfs_url$folder
	a1.sinks.k1.hdfs.fileType = DataStream
	a1.sinks.k1.hdfs.batchSize = 100
	a1.sinks.k1.penstock.orphans = recover
	a1.sinks.k1.hdfs.${rolls[rule]}
	EOF_
    for key in rollCount rollSize rollInterval; do
        [[ ${rolls[rule]} == $key* ]] || echo "a1.sinks.k1.hdfs.$key = 0" >>"$work/a.properties"
    done
}

monitoring=("${monitored[@]}")
penstock=$PENSTOCK
if [[ $flume ]]; then
    export FLUME_HADOOP=1 FLUME_JAVA="$FLUME_JAVA ${monitoring[*]}"
    monitoring=()
    PENSTOCK=$PENSTOCK_SOURCE/tests/real/flume
fi
life() {
    properties
    agent_start a "${monitoring[@]}"
}
acked() { cat "$work"/acked.* 2>/dev/null | wc -l; }
grows() { (($(acked) >= $1)); }
names() { # PATTERN: the files in HDFS
    curl -sf "$webhdfs_url$folder?op=LISTSTATUS&user.name=$(id -un)" | grep -oE '"pathSuffix":"[^"]*"' | cut -d '"' -f 4 | grep -E -- "$1"
}

clients=()
for name in x y z; do
    python3 "$PENSTOCK_SOURCE/tests/real/numbered_client.py" "$load_port" $name "$work" "$source" $((rate / 3)) 2>"$work/client.log" &
    clients+=($!)
    children[$!]="client $name"
done

began=$SECONDS killed=0 victims=''
life
while ((kills > 0 ? killed < kills : killed < 3 || SECONDS - began < seconds)); do
    { ((RANDOM % 4 == 0)) && [[ ! $awake ]]; } || await 60 grows $(($(acked) + 1)) || fail "nothing is acknowledged any more after $killed kills"
    sleep "$((RANDOM % 2 + ${awake:-0})).$((RANDOM % 10))$((RANDOM % 10))"
    if [[ $servers ]] && ((RANDOM % 4 == 0)); then
        all=(datanode1 datanode2 datanode3 namenode)
        victim=${all[RANDOM % 4]}
        victims+=" $victim"
        hdfs_kill "$victim"
        sleep "$((RANDOM % 3)).$((RANDOM % 10))"
        ((RANDOM % 2)) || { agent_kill a; life; killed=$((killed + 1)); }
        hdfs_start
    fi
    agent_is_up a || fail "the agent ended by itself"
    agent_kill a
    life
    killed=$((killed + 1))
done
await 60 grows $(($(acked) + 1)) || fail "nothing is acknowledged any more" # so that the last life looks for files of those before
touch "$work/stop"
for pid in "${clients[@]}"; do
    wait "$pid" || fail "a client ends with $?"
    unset "children[$pid]"
done
is_empty() { curl -s "http://127.0.0.1:$((port + 41))/metrics" | grep -q '"ChannelSize":"0"'; }
step "$killed kills${victims:+, and of$victims}; $(acked) events acknowledged"
await 120 is_empty || fail "the channel does not become empty"
none_in_use() { ! names '\.tmp$' >"$work/in_use"; }
if [[ $flume ]]; then
    kill -TERM "${agents[a]}"
    wait "${agents[a]}" || true
    unset "children[${agents[a]}]"
    await 1 true
    PENSTOCK=$penstock monitoring=("${monitored[@]}")
    rm -rf "$work/checkpoint" "$work/data"
    life
    python3 "$PENSTOCK_SOURCE/tests/real/numbered_client.py" "$load_port" w "$work" "$source" 10 &
    children[$!]="client w"
    client=$!
    rm "$work/stop"
    await 60 grows $(($(acked) + 1))
    touch "$work/stop"
    wait $client
fi
agent_stop a
echo "    $account"
deliver_kept a $((port + 41)) life
await 60 none_in_use || fail "still in use: $(head -n 5 "$work/in_use" | xargs)"

# A file between each two of them shows where one ends. The last line of a file that was recovered may be torn: it is of a batch that
# was under way, and comes again.
printf '\n--\n' >"$work/end"
curl -sfL -T "$work/end" "$webhdfs_url$folder.end?op=CREATE&user.name=$(id -un)" || fail "no file for the ends"
mapfile -t files < <(names . | sed "s|.*|$hdfs_url$folder/&\n$hdfs_url$folder.end|")
step "Hadoop's shell reads $((${#files[@]} / 2)) files"
"$hdfs" run org.apache.hadoop.fs.FsShell -text "${files[@]}" --dir "$hdfs_dir" >"$work/read" 2>"$work/shell.log" || fail "Hadoop does not read them"
awk -v whole="$work/whole.unsorted" -v ends="$work/ends" -v torn="$work/torn" '
    NF == 0 {next}
    $0 == "--" {if (odd != "") print odd >ends; odd = ""; next}
    {if (odd != "") print odd >torn; odd = ""}
    NF == 3 && $1 == $3 && $2 ~ /^x*$/ || NF == 2 && $1 == $2 {print $1 >whole; next}
    {odd = $0}
    END {if (odd != "") print odd >torn}' "$work/read"
touch "$work/ends" "$work/torn"
sort "$work/whole.unsorted" >"$work/whole"
whole=$(wc -l <"$work/whole") events=$(sort -u "$work/whole" | tee "$work/events" | wc -l)
lost=$(sort "$work"/acked.* | comm -23 - "$work/events" | tee "$work/lost" | wc -l)
step "$events events, $((whole - events)) twice ($(((whole - events) / (killed > 0 ? killed : 1))) a kill), $(wc -l <"$work/ends") files end in a torn line, $lost lost"
((lost == 0)) || fail "lost: $(head -n 5 "$work/lost" | xargs)"
# What was written and not acknowledged, at most two flushes of 1,024 events, and what was acknowledged while the log's last sync ran.
[[ $servers ]] || ((whole - events <= killed * 4096)) || fail "more come twice than are under way"
[[ ! -s $work/torn ]] || fail "torn: $(head -n 3 "$work/torn")"
curl -sf -X DELETE "$webhdfs_url$folder?op=DELETE&recursive=true&user.name=$(id -un)" >"$work/deleted" || fail "the files cannot be removed"
