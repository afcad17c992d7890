/* HDFS as a file system of the sinks (stages/lib/filesystem/filesystem.h), through Hadoop's own protocols, without Java. Requests go to
 * the namenode through namenode.h; bytes go to datanodes through pipelines (pipeline.h), as in Hadoop's DFSClient.
 *
 * A successful flush promises that every datanode of the pipeline has the bytes in memory (hsync: on disk) and that the namenode
 * knows the block. Readers can see the bytes then, and the bytes survive the loss of this client, of the namenode's process, and of
 * all datanodes of the pipeline but one.
 *
 * Replication, block size and checksum come from the configuration, or else from the server's defaults.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/settings.h"
#include "stages/lib/hadoop/rpc/auth.h"
#include "stages/lib/hadoop/transfer/datanode.h"

/* Like ps_hadoop_open, for hdfs://. */
enum ps_status ps_hdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                            struct ps_err *err);
