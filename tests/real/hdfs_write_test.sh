#!/usr/bin/env bash
# Needs: hdfs
# Files written by penstock's own HDFS client to a real NameNode and four DataNodes: their contents are compared through WebHDFS with
# what was acknowledged, after ordinary writing, and after faults: DataNodes killed in the middle of a block, one that stands still for some
# seconds, the NameNode killed and restarted.
#
#   STALL_S=20   seconds that a DataNode is stopped (default 5)
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

writer=$PENSTOCK_TOOLS/hdfs_writer
[[ -x $writer ]] || skip "no program $writer"
stall_s=${STALL_S:-5}
mkdir "$work/copy"

write() { # NAME [OPTION]... of hdfs_writer: sets wrote, its JSON
    local name=$1
    shift
    wrote=$("$writer" --url "$hdfs_url" --path "/test/$name" --copy "$work/copy" "$@" 2>>"$work/writer.log") ||
        fail "hdfs_writer ends with $?: $wrote"
    echo "    $name: $wrote"
}

fetched() { hdfs_read "$1" >"$work/read"; } # PATH; the NameNode may send a reader to a DataNode that is gone

same() { # NAME: what is in HDFS is what was acknowledged
    local file
    for file in "$work/copy/$1".*; do
        await 30 fetched "/test/${file##*/}" || fail "${file##*/} cannot be read"
        cmp -s "$work/read" "$file" || fail "${file##*/} differs: $(cmp "$work/read" "$file" 2>&1)"
    done
}

write_start() { # NAME [OPTION]...: in the background, slowly enough for faults in its middle
    local name=$1
    shift
    rm -f "$work/progress"
    "$writer" --url "$hdfs_url" --path "/test/$name" --copy "$work/copy" --progress "$work/progress" "$@" \
        >"$work/$name.json" 2>>"$work/writer.log" &
    writing=$!
    children[$writing]=hdfs_writer
}

write_wait() { # NAME [CODE]: the writer ends with this exit code (0)
    local code=0
    wait "$writing" || code=$?
    unset "children[$writing]"
    echo "    $1: $(<"$work/$1.json")"
    ((code == ${2:-0})) || fail "the writer of $1 ends with $code"
}

progressed() { # COUNT: so many batches are acknowledged
    [[ -s $work/progress ]] && (($(<"$work/progress") >= $1))
}

await_progress() { # COUNT
    await 60 progressed "$1" || fail "no $1 batches are acknowledged"
}

step "a NameNode and four DataNodes"
hdfs_start --datanodes 4 --set dfs.namenode.redundancy.considerLoad=false --set dfs.replication=3

step "hflush, hsync, blocks of 1 MiB, many files, appends at odd places"
write plain --batches 30
write sync --hsync --batches 10
write blocks --batches 30 --batch 150000 --block-size 1048576 --read
write small --batches 100 --batch 200 --block-size 1048576
write small --append --batches 20 --batch 333
write many --files 50 --batches 5 --batch 3000
for name in plain sync blocks small many; do same $name; done
blocks=$(curl -sf "$webhdfs_url/test/blocks.0?op=GET_BLOCK_LOCATIONS&user.name=$(id -un)" | grep -o '"numBytes"' | wc -l)
((blocks == 0 || blocks >= 5)) || fail "$blocks blocks instead of five"

# The DataNode, by its server's name, that is in this place of the pipeline of a file.
node_of() { # NAME PLACE
    local data
    data=$(curl -sf "$webhdfs_url/test/$1.0?op=GET_BLOCK_LOCATIONS&user.name=$(id -un)" | grep -oE '"xferPort":[0-9]+' | sed -n "$2p" | cut -d: -f2)
    [[ $data ]] || fail "the DataNodes of $1 are not known"
    echo "datanode$(((data - port - 62) / 3))"
}

step "a DataNode is killed in the middle of a block: another one takes its place"
write_start replaced --batches 40 --rest 20
await_progress 15
hdfs_kill "$(node_of replaced 2)"
write_wait replaced
same replaced
grep -q 'replaced.0: .*set up again without datanode' "$work/writer.log" || fail "no recovery was needed"
grep -q 'replaced.0: datanode .* takes its place' "$work/writer.log" || fail "no datanode was replaced"

step "a second one, and nobody is left to take its place: refused as by Hadoop's client, or goes on if it may"
write_start refused --batches 100000 --rest 20
await_progress 15
hdfs_kill "$(node_of refused 1)"
write_wait refused 1
grep -q 'replace-datanode-on-failure' "$work/refused.json" || fail "not the reason that was expected"
mkdir "$work/conf"
echo '<configuration><property><name>dfs.client.block.write.replace-datanode-on-failure.best-effort</name><value>true</value></property></configuration>' \
    >"$work/conf/hdfs-site.xml"
hdfs_start
write_start going --batches 40 --rest 20 --conf "$work/conf"
await_progress 15
for place in 1 2; do hdfs_kill "$(node_of going $place)"; done
write_wait going
hdfs_start
same going

step "the NameNode is killed and restarted while files are written"
write_start namenode --files 5 --batches 60 --rest 20 --batch 60000 --block-size 1048576
await_progress 60
hdfs_kill namenode
sleep 1
hdfs_start
write_wait namenode
same namenode

step "a DataNode stands still for $stall_s s"
write_start stopped --batches 40 --rest 20
await_progress 15
hdfs_signal STOP datanode2
sleep "$stall_s"
hdfs_signal CONT datanode2
write_wait stopped
same stopped

step "all DataNodes are killed: the writer is told, and what was acknowledged is there once they are back"
write_start lost --batches 100000 --rest 20 --timeout 10000
await_progress 20
for server in datanode{1..4}; do hdfs_signal KILL "$server"; done
write_wait lost 1
hdfs_start
timeout 60 "$writer" --url "$hdfs_url" --path /test/lost --recover || fail "the file cannot be closed"
await 30 fetched /test/lost.0 || fail "lost.0 cannot be read"
cmp -n "$(stat -c %s "$work/copy/lost.0")" "$work/read" "$work/copy/lost.0" || fail "acknowledged bytes are lost"
