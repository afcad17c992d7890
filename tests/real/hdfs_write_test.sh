#!/usr/bin/env bash
# Needs: hdfs
# Files written by penstock's own HDFS client to a real HDFS: their contents are compared through WebHDFS with what was acknowledged. And an
# agent whose events make file names with two slashes in a row, which the NameNode refuses as they are.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

step "an HDFS"
hdfs_share

step "hflush, hsync, blocks of 1 MiB, many files"
write plain --batches 30
write sync --hsync --batches 10
write blocks --batches 30 --batch 150000 --block-size 1048576 --read
write small --batches 100 --batch 200 --block-size 1048576
write many --files 50 --batches 5 --batch 3000
write left --batches 10 --leave
timeout 120 "$writer" --url "$hdfs_url" --path /test/left --recover || fail "a file that was left open cannot be closed"
for name in left plain sync blocks small many; do same $name; done
blocks=$(curl -sf "$webhdfs_url/test/blocks.0?op=GET_BLOCK_LOCATIONS&user.name=$(id -un)" | grep -o '"numBytes"' | wc -l)
((blocks == 0 || blocks >= 5)) || fail "$blocks blocks instead of five"

step "a prefix in which a header puts two slashes"
folder=/slashes.$$
cat >"$work/slashes.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = http
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $((port + 41))
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.sinks.k1.type = hdfs
	a1.sinks.k1.channel = c1
	a1.sinks.k1.hdfs.path = $hdfs_url$folder
	a1.sinks.k1.hdfs.filePrefix = p-%{host}
	a1.sinks.k1.hdfs.fileType = DataStream
	a1.sinks.k1.hdfs.callTimeout = 120000
EOF_
agent_start slashes
posted() {
    curl -sf -d '[{"headers":{"host":"a//b"},"body":"one"},{"headers":{"host":"/c//d/"},"body":"two"}]' "http://127.0.0.1:$((port + 41))/" >>"$work/posted"
}
await 60 posted || fail "the source takes no event"
agent_stop slashes
# As Flume: "p-a//b" is the file b in the directory p-a.
listed() { # DIRECTORY PATTERN: sets name to the one file there, which must match
    name=$(curl -sf "$webhdfs_url$folder/$1?op=LISTSTATUS&user.name=$(id -un)" | grep -oE '"pathSuffix":"[^"]*"' | cut -d '"' -f 4)
    [[ $name =~ ^$2$ ]] || fail "not one file in $1: $name"
}
listed p-a 'b\.[0-9]+'
hdfs_read "$folder/p-a/$name" | cmp - <(echo one) || fail "not its event"
listed p-/c/d '\.[0-9]+'
hdfs_read "$folder/p-/c/d/$name" | cmp - <(echo two) || fail "not its event"
