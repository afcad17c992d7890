/* Probes a Hadoop file system for `penstock check --probe`: whether it answers and to whom, and whether a file can be written to the sink's
 * directory. The file is small, has a name of its own ("_penstock_probe_..", which Hive and MapReduce ignore), and is
 * removed again. Writing the file also tests the datanodes, which a namenode's answer does not. Then probes how
 * much space is left on HDFS. Thread: control. */
#pragma once

#include "core/probe.h"
#include "core/stage.h"
#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/probe_turns.h"
#include "stages/lib/hadoop/settings.h"

struct ps_hadoop_probe {
    const char *key;       /* key of the directory, "hdfs.path" */
    const char *directory; /* absolute, without a scheme; the sink makes missing parts of it */
    const char *url;       /* of the file system, for messages: "hdfs://nn:8020" */
    const char *user;      /* for messages: "flume, without Kerberos" */
};

/* Opens the file system with `settings`, whose url, call_timeout_ns and port it sets, and probes it. Waits up to the probe's
 * time-out for each step. */
void ps_hadoop_probe(const struct ps_probe *probe, const struct ps_hadoop_settings *settings,
                     const struct ps_hadoop_probe *what);

/* Probes a file system that is open already. Its sockets are in epoll_fd. */
void ps_hadoop_probe_filesystem(const struct ps_probe *probe, struct ps_filesystem *filesystem, int epoll_fd,
                                const struct ps_hadoop_probe *what);
