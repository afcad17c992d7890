/* What `penstock check --probe` tries of a file system of Hadoop's: whether it answers and to whom, and whether a file can be written
 * where a sink is to write. The file is small, gets its own name ("_penstock_probe_..", which Hive and MapReduce pass over), and
 * is removed; so datanodes are tried, too, which a namenode's answer says nothing about. Then how much room is left on HDFS. Thread: control. */
#pragma once

#include "core/probe.h"
#include "core/stage.h"
#include "stages/filesystem/filesystem.h"
#include "stages/hadoop/settings.h"

struct ps_hadoop_probe {
    const char *key;       /* of the directory, "hdfs.path" */
    const char *directory; /* absolute, without scheme; missing parts of it are left to the sink */
    const char *url;       /* of the file system, for messages: "hdfs://nn:8020" */
    const char *user;      /* for messages: "flume, without Kerberos" */
};

/* Opens the file system by `settings`, of which url, call_timeout_ns and port are set here, and tries it. Waits as long as the
 * probe's time-out for each step. */
void ps_hadoop_probe(const struct ps_probe *probe, const struct ps_hadoop_settings *settings,
                     const struct ps_hadoop_probe *what);

/* A port for a client that is only probed, with an epoll and a wake_fd. Returns false when no descriptor is left, which is reported. */
bool ps_probe_port_open(struct ps_port *port, const struct ps_probe *probe);
void ps_probe_port_close(struct ps_port *port);

/* The same with a file system that is open already. Its sockets are in epoll_fd. */
void ps_hadoop_probe_filesystem(const struct ps_probe *probe, struct ps_filesystem *filesystem, int epoll_fd,
                                const struct ps_hadoop_probe *what);
