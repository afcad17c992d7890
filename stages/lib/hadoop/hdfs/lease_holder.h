/* The name under which a client holds the leases of its files. It identifies the process and the machine, so that the next agent need
 * not wait for the lease of an agent that was killed on this machine. Thread: any. */
#pragma once

#include <stdbool.h>

#define PS_HDFS_HOLDER_BYTES 128U

/* Writes "DFSClient_penstock_BOOT_NAMESPACE_PID_START_RANDOM" for this process; the name is unique to each client. */
void ps_hdfs_lease_holder_name(char name[PS_HDFS_HOLDER_BYTES]);

/* Returns whether the name belongs to a process of this machine that has certainly ended. Returns false for another machine, container
 * or program, and if /proc does not show the process. */
bool ps_hdfs_lease_holder_has_ended(const char *name);

/* Finds the holder in the namenode's message about a file that another client writes ("this file lease is
 * currently owned by X on 10.0.0.7", FSNamesystem.recoverLeaseInternal). Returns true if that holder has
 * certainly ended, or if the holder is the namenode, which is recovering the file. */
bool ps_hdfs_owner_has_ended(const char *message);
