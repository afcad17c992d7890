/* HDFS as a file system of the sinks (stages/filesystem/filesystem.h): Hadoop's own protocols, without Java. The namenode is asked
 * through namenode.h; bytes go to datanodes through pipelines (pipeline.h), as Hadoop's DFSClient does it.
 *
 * What a flush that ended well promises: every datanode of the pipeline has the bytes, in memory (hsync: on disk), and the namenode
 * knows the block, so that readers see them, and they outlive the loss of this client, of the namenode's process, and of all
 * datanodes of the pipeline but one.
 *
 * Replication, block size and checksum are those of the configuration; what it does not set is the server's default.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop/settings.h"
#include "stages/hadoop_rpc/auth.h"
#include "stages/hadoop_transfer/datanode.h"

/* As ps_hadoop_open, for hdfs://. */
enum ps_status ps_hdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                            struct ps_err *err);
