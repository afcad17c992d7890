#!/usr/bin/env bash
# Needs: hdfs
# Servers that stand still (SIGSTOP) while penstock's own HDFS client writes: a DataNode of several, the only one, the NameNode. The
# writer must find out who is silent, within its call time-out, and go on without it, or wait for it.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

step "a NameNode and three DataNodes"
hdfs_start --datanodes 3 --set dfs.namenode.redundancy.considerLoad=false

step "one of two DataNodes of a pipeline stands still: the file goes on without it, and so do the next blocks"
# After a quarter of the time-out the DataNodes are asked, and have an eighth of it for an answer, at most 10 s: a healthy one of a busy machine needs some.
write_start two --timeout 80000 --replication 2 --block-size 1048576 --batch 60000
await_progress 15
frozen=$(node_of two 2)
hdfs_signal STOP "$frozen"
address=127.0.0.1:$((port + 62 + 3 * ${frozen#datanode}))
await_progress $(($(<"$work/progress") + 60))
hdfs_signal CONT "$frozen"
grep -q "WARN hdfs_writer: datanode $address: no answer within .*it gets no new blocks for 10 min" "$work/writer.log" ||
    fail "the silent DataNode is not named"
# Either "the pipeline is set up again without" it, or, where it stood still before the block had a byte, "asks for another block".
(($(grep -c "datanode $address does not answer; " "$work/writer.log") == 1)) || fail "the next blocks have it, too"
await 60 grep -q "INFO hdfs_writer: datanode $address answers again" "$work/writer.log" || fail "it is left out for ever"
write_wait two
same two

step "one stands still before a pipeline is set up: those that wait for it with a block without bytes are not taken for silent"
hdfs_signal STOP datanode1
address=127.0.0.1:$((port + 62 + 3))
# A DataNode answers a question about a block without bytes after 3 s, and by this time-out has 2.9 s for an answer: it must be asked otherwise. A healthy
# one of a busy machine may be late, too: of several rounds one must pass. The place of the one that stands still is drawn; where it is the first of a
# pipeline, the others do not wait for it. So each round has six files.
for round in {1..3}; do
    : >"$work/writer.log"
    early=()
    for i in {1..6}; do
        write "early$round$i" --timeout 23000 --replication 3 --block-size 1048576 --batch 1000 --batches 3 &
        early+=($!)
        children[$!]=hdfs_writer
    done
    for pid in "${early[@]}"; do
        wait "$pid" || fail "a file of round $round is not written"
        unset "children[$pid]"
    done
    silent=$(grep -oE "WARN hdfs_writer: datanode [0-9.:]+: no answer within" "$work/writer.log" | grep -cvF "$address:" || true)
    ((silent > 0)) || break
done
((silent == 0)) || fail "a DataNode that waits for another one is called silent, in each of $round rounds"
hdfs_signal CONT datanode1
for file in "$work"/copy/early*.0; do file=${file##*/}; same "${file%.0}"; done

step "the only DataNode of a pipeline, then the NameNode: they are waited for"
write_start one --timeout 30000 --replication 1 --block-size 1048576 --batch 60000
await_progress 15
frozen=$(node_of one 1)
for server in "$frozen" namenode; do
    hdfs_signal STOP "$server"
    sleep 5
    hdfs_signal CONT "$server"
    await_progress $(($(<"$work/progress") + 40))
done
write_wait one
same one
step "done"
