#!/usr/bin/env bash
# Needs: hdfs kerberos
# A real HDFS that encrypts all data transfer by keys of the namenode, and penstock's client: 3DES and AES; a client that is not allowed
# to speak as securely as the server wants.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/hdfs_security.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_security.sh"

step "data that the namenode's key encrypts"
serve --rpc privacy --data privacy --encrypt 3des --aes
client encrypted
client encrypted-aes
sed -i 's/dfs.encrypt.data.transfer.cipher.suites/not.this/' "$work/conf-encrypted/hdfs-site.xml"
client weak hadoop.rpc.protection=authentication
for name in encrypted encrypted-aes; do as $name --batches 5 --batch 100000; done
refused weak "the server (refuses|offers none of the levels of protection)" "${as_flume[@]}"
await_refused
hadoop_reads encrypted encrypted-aes
echo "ok"
