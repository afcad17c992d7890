#!/usr/bin/env bash
# Needs: hdfs
# Files written by penstock's own HDFS client to a real HDFS: their contents are compared through WebHDFS with what was acknowledged.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"

step "an HDFS"
hdfs_share

step "hflush, hsync, blocks of 1 MiB, many files, appends at odd places"
write plain --batches 30
write sync --hsync --batches 10
write blocks --batches 30 --batch 150000 --block-size 1048576 --read
write small --batches 100 --batch 200 --block-size 1048576
write small --append --batches 20 --batch 333
write many --files 50 --batches 5 --batch 3000
write left --batches 10 --leave
timeout 120 "$writer" --url "$hdfs_url" --path /test/left --recover || fail "a file that was left open cannot be closed"
for name in left plain sync blocks small many; do same $name; done
blocks=$(curl -sf "$webhdfs_url/test/blocks.0?op=GET_BLOCK_LOCATIONS&user.name=$(id -un)" | grep -o '"numBytes"' | wc -l)
((blocks == 0 || blocks >= 5)) || fail "$blocks blocks instead of five"
