#!/usr/bin/env bash
# Needs: hdfs
# What happens to files while penstock's own HDFS client writes them: their directory is deleted, another client takes the lease, the
# NameNode enters safe mode, the quota is used up, the disk of the DataNode is full (root only). The writer waits, or is told, and what
# was acknowledged is there, unless somebody deleted it.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

user="user.name=$(id -un)"
webhdfs() { # METHOD PATH?op=..
    curl -sSf -X "$1" "$webhdfs_url$2&$user" >>"$work/webhdfs.log" || fail "WebHDFS refuses $1 $2"
}

told() { # NAME ERROR PATTERN: the writer ended with this error (enum ps_file_error) and reason
    await 120 is_gone "$writing" || fail "the writer of $1 does not end"
    write_wait "$1" 1
    grep -q "\"error\":$2,.*$3" "$work/$1.json" || fail "not the reason that was expected: $3"
}

kept() { # NAME: all that was acknowledged is there, in a file that can be closed
    timeout 200 "$writer" --url "$hdfs_url" --path "/test/$1" --recover >>"$work/recover.log" || fail "$1 cannot be closed"
    await 60 fetched "/test/$1.0" || fail "$1.0 cannot be read"
    cmp -n "$(stat -c %s "$work/copy/$1.0")" "$work/read" "$work/copy/$1.0" || fail "acknowledged bytes of $1 are lost"
}

# The DataNode's disk is a small one, if it can be made.
step "a NameNode and a DataNode"
mkdir -p "$work/hdfs/datanode1/data"
small=''
if mount -t tmpfs -o size=128m none "$work/hdfs/datanode1/data" 2>/dev/null; then small=1; fi
unmount() { [[ ! $small ]] || umount -l "$work/hdfs/datanode1/data" || true; }
trap 'code=$?; unmount; set +e; (exit $code); finish' EXIT
hdfs_start --datanodes 1 --set dfs.datanode.round-robin-volume-choosing-policy.additional-available-space=0

step "the directory is deleted"
write_start gone --block-size 33554432
await_progress 15
webhdfs DELETE '/test?op=DELETE&recursive=true'
told gone 1 'somebody has deleted it, or writes it now; [0-9]* bytes that were acknowledged'

# The writer stands still meanwhile: a DataNode that is told to recover a block interrupts the thread that writes it, and after an
# interruption between a packet's bytes and its note of them it refuses the block until it is started again ("Block length mismatch").
step "another client takes the lease"
write_start stolen --block-size 4194304
await_progress 15
kill -STOP "$writing"
patient_rest 3 # the DataNode notes what it has got
timeout 200 "$writer" --url "$hdfs_url" --path /test/stolen --recover >>"$work/recover.log" || fail "the lease cannot be taken"
kill -CONT "$writing"
told stolen '[0-9]' '/test/stolen.0'
kept stolen

step "safe mode: waited for"
write_start safe --block-size 1048576
await_progress 15
"$hdfs" run org.apache.hadoop.hdfs.tools.DFSAdmin -safemode enter --dir "$work/hdfs" >"$work/safemode.log" 2>&1 || fail "no safe mode"
before=$(<"$work/progress")
sleep 3
(($(<"$work/progress") < before + 60)) || fail "it writes on in safe mode"
"$hdfs" run org.apache.hadoop.hdfs.tools.DFSAdmin -safemode leave --dir "$work/hdfs" >>"$work/safemode.log" 2>&1 || fail "safe mode stays"
write_wait safe
same safe

step "the quota is used up"
webhdfs DELETE '/test?op=DELETE&recursive=true'
webhdfs PUT '/test?op=MKDIRS'
webhdfs PUT '/test?op=SETQUOTA&namespacequota=1000&storagespacequota=20000000'
write_start quota --block-size 1048576 --batch 100000
told quota 4 'QuotaExceededException'
webhdfs PUT '/test?op=SETQUOTA&namespacequota=1000&storagespacequota=9223372036854775807'
kept quota

if [[ $small ]]; then
    step "the disk of the DataNode is full"
    webhdfs DELETE '/test?op=DELETE&recursive=true'
    write_start full --block-size 8388608 --batch 1000000 --timeout 20000 --rest 0
    told full '[0-9]' 'full.0'
    kept full
fi
step "done"
