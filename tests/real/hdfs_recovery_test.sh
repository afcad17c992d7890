#!/usr/bin/env bash
# Needs: hdfs
# Faults while penstock's own HDFS client writes to a real NameNode and four DataNodes: DataNodes killed in the middle of a block.
# What was acknowledged must be there.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

step "a NameNode and four DataNodes"
hdfs_start --datanodes 4 --set dfs.namenode.redundancy.considerLoad=false --set dfs.replication=3

step "a DataNode is killed in the middle of a block: another one takes its place"
write_start replaced
await_progress 15
hdfs_kill "$(node_of replaced 2)"
write_wait replaced
same replaced
grep -q 'replaced.0: .*set up again without datanode' "$work/writer.log" || fail "no recovery was needed"
grep -q 'replaced.0: datanode .* replaces the failed one' "$work/writer.log" || fail "no datanode was replaced"

step "a second one, and nobody is left to take its place: refused as by Hadoop's client, or goes on if it may"
write_start refused --timeout 60000
await_progress 15
hdfs_kill "$(node_of refused 1)"
write_wait refused 1
grep -q 'replace-datanode-on-failure' "$work/refused.json" || fail "not the reason that was expected"
mkdir "$work/conf"
echo '<configuration><property><name>dfs.client.block.write.replace-datanode-on-failure.best-effort</name><value>true</value></property></configuration>' \
    >"$work/conf/hdfs-site.xml"
hdfs_start
write_start going --conf "$work/conf"
await_progress 15
for place in 1 2; do hdfs_kill "$(node_of going $place)"; done
write_wait going
hdfs_start
same going
