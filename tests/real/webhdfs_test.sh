#!/usr/bin/env bash
# Needs: hdfs
# Files written through WebHDFS to a real HDFS, by penstock's own client and by the sink hdfs: their contents are compared with what was acknowledged.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

step "an HDFS"
hdfs_share
authority=${webhdfs_url#http://}
hdfs_url=webhdfs://${authority%%/*}

step "an APPEND for each flush, many files, a file that is not open"
write web_plain --batches 5 --read
write web_many --files 20 --batches 2 --batch 3000
timeout 120 "$writer" --url "$hdfs_url" --path /test/web_plain --recover || fail "a file that is closed cannot be recovered"
for name in web_plain web_many; do same $name; done

step "refusals"
refused() { # URL WORDS
    local said code=0
    said=$("$writer" --url "$1" --path /test/web_refused 2>&1) || code=$?
    ((code == 1)) || fail "$1: ends with $code: $said"
    [[ $said == *"$2"* ]] || fail "$1: no word of $2: $said"
}
HADOOP_USER_NAME=eve refused "$hdfs_url" "AccessControlException: Permission denied: user=eve"
refused "webhdfs://127.0.0.1:$load_port" "CREATE /test/web_refused.0"

step "the sink hdfs: a file of lines becomes a file"
mkdir "$work/spool"
seq -f 'line %.0f of the spooled file' 3000 >"$work/lines"
cat >"$work/sink.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = spooldir
	a1.sources.r1.spoolDir = $work/spool
	a1.sources.r1.batchSize = 1000
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 10000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = hdfs
	a1.sinks.k1.hdfs.path = $hdfs_url/test/web_sink
	a1.sinks.k1.hdfs.fileType = DataStream
	a1.sinks.k1.hdfs.batchSize = 1000
	a1.sinks.k1.hdfs.rollInterval = 0
	a1.sinks.k1.hdfs.rollSize = 0
	a1.sinks.k1.hdfs.rollCount = 0
	a1.sinks.k1.hdfs.callTimeout = 120000
	a1.sinks.k1.channel = c1
EOF_
cp "$work/lines" "$work/spool/.lines"
mv "$work/spool/.lines" "$work/spool/lines"
agent_start sink
await 60 test -e "$work/spool/lines.COMPLETED" || fail "the file is not read to its end"
agent_stop sink
names=$(curl -sf "$webhdfs_url/test/web_sink?op=LISTSTATUS&user.name=$(id -un)" | grep -o '"pathSuffix":"[^"]*"' | cut -d'"' -f4)
[[ $names =~ ^FlumeData\.[0-9]+$ ]] || fail "not one finished file: $names"
await 30 fetched "/test/web_sink/$names" || fail "$names cannot be read"
cmp "$work/read" "$work/lines" || fail "$names is not what was spooled"
