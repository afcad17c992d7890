/* The name under which a client holds its files' leases. It tells which process of which machine that is, so that the next agent need
 * not wait for the lease of one that was killed here. Thread: any. */
#pragma once

#include <stdbool.h>

#define PS_HDFS_HOLDER_BYTES 128U

/* "DFSClient_penstock_BOOT_NAMESPACE_PID_START_RANDOM": of this process, and no two clients have the same. */
void ps_hdfs_holder_name(char name[PS_HDFS_HOLDER_BYTES]);

/* Whether the name is of a process of this machine that has certainly ended. Of another machine, another container, another program, or
 * where /proc does not tell: false. */
bool ps_hdfs_holder_has_ended(const char *name);

/* Finds the holder in what the namenode says of a file that another client writes ("this file lease is currently owned by X on
 * 10.0.0.7", FSNamesystem.recoverLeaseInternal), and answers as above; true, too, of the namenode, which recovers the file. */
bool ps_hdfs_owner_has_ended(const char *message);
