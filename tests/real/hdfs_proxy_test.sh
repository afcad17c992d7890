#!/usr/bin/env bash
# Needs: hdfs
# Between an agent and HDFS is a proxy that cuts connections to the NameNode and to the DataNodes at any message, tears, delays and
# changes them. Every line that the agent took must be in HDFS, as Hadoop's own reader sees it, and no line may be another one.
#
#   SEED=N       another order of faults            LINES=N   more of them
#   ANSWERS=1    faults in all that the NameNode says, any bit of it (by hand: calls are waited for until hdfs.callTimeout)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || skip "python3 is needed"

seed=${SEED:-1} lines=${LINES:-40000}

step "a NameNode and two DataNodes behind the proxy, seed $seed"
# The client connects to host names, which are the proxy's address; the servers themselves to addresses.
hdfs_start --datanodes 2 --set dfs.datanode.hostname=127.0.0.2
python3 "$PENSTOCK_SOURCE/tests/real/fault_proxy.py" --listen 127.0.0.2 --to 127.0.0.1 --seed "$seed" \
    "$((port + 60))${ANSWERS:+:answers}" "$((port + 65)):flip" "$((port + 68)):flip" >"$work/proxy.out" 2>"$work/proxy.log" &
proxy=$!
children[$proxy]=proxy
await 60 grep -q ready "$work/proxy.out" || fail "no proxy"

mkdir -p "$work/conf" "$work/spool" "$work/channel"
echo '<configuration><property><name>dfs.client.use.datanode.hostname</name><value>true</value></property></configuration>' >"$work/conf/hdfs-site.xml"
cat >"$work/flow.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = spooldir
a1.sources.r1.spoolDir = $work/spool
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/channel/checkpoint
a1.channels.c1.dataDirs = $work/channel/data
a1.sinks.k1.type = hdfs
a1.sinks.k1.channel = c1
a1.sinks.k1.hdfs.path = hdfs://127.0.0.2:$((port + 60))/flow
a1.sinks.k1.hdfs.fileType = DataStream
a1.sinks.k1.hdfs.rollInterval = 0
a1.sinks.k1.hdfs.rollSize = 0
a1.sinks.k1.hdfs.rollCount = 400
a1.sinks.k1.hdfs.batchSize = 100
a1.sinks.k1.hdfs.minBlockReplicas = 1
a1.sinks.k1.hdfs.retryInterval = 1
a1.sinks.k1.hdfs.callTimeout = $([[ ${ANSWERS:-} ]] && echo 5000 || echo 30000)
END
for ((i = 0; i < lines; i++)); do printf '%08d of the lines of this test, which is long enough to be told from headers: %08d\n' "$i" $((i * 7919 % 99999989)); done >"$work/lines"

step "$lines lines"
HADOOP_CONF_DIR=$work/conf agent_start flow -Dflume.monitoring.type=http "-Dflume.monitoring.port=$((port + 50))"
split -l 10000 "$work/lines" "$work/part."
mv "$work"/part.* "$work/spool" # whole files: the source reads what it finds
delivered() {
    curl -sf "http://127.0.0.1:$((port + 50))/metrics" >"$work/metrics" && [[ $(<"$work/metrics") =~ \"EventDrainSuccessCount\":\"?([0-9]+) ]] &&
        ((BASH_REMATCH[1] >= lines))
}
await 400 delivered || fail "not all lines are delivered: $(<"$work/metrics")"
agent_stop flow
kill -TERM "$proxy"
wait "$proxy" || fail "the proxy ends with $?"
unset "children[$proxy]"
echo "    $(tail -1 "$work/proxy.out"); $account"
for fault in cut torn late flipped ${ANSWERS:+garbled}; do (($(field "$fault" "$(tail -1 "$work/proxy.out")") > 0)) || fail "no connection was $fault"; done

step "what Hadoop reads"
"$hdfs" run org.apache.hadoop.fs.FsShell -cat '/flow/*' --dir "$work/hdfs" >"$work/read" 2>"$work/read.log" || fail "Hadoop cannot read it"
sort -u "$work/read" | cmp - "$work/lines" || fail "lines are missing, or changed: $(sort -u "$work/read" | diff - "$work/lines" | head -5)"
echo "    $(($(wc -l <"$work/read") - lines)) lines twice"
step "done"
