/* The settings with which a component opens a file system of Hadoop: HDFS, WebHDFS or a local one (stages/lib/hadoop/hdfs/open.h). */
#pragma once

#include "core/stage.h"

struct ps_hadoop_configuration;

/* Settings of an open sink. Constant; the texts belong to the owner and must outlive the file system. */
struct ps_hadoop_settings {
    const struct ps_hadoop_configuration *configuration; /* shared by all workers; NULL: Hadoop's defaults */
    /* URL without a path: "hdfs://namenode:8020", "hdfs://nameservice", "webhdfs://host:9870", "file://", or "" for the default file system. */
    const char *url;
    const char *proxy_user;                  /* hdfs.proxyUser; NULL: none */
    const char *kerberos_principal, *keytab; /* hdfs.kerberosPrincipal, hdfs.kerberosKeytab; NULL: not set */
    uint64_t call_timeout_ns;                /* hdfs.callTimeout */
    struct ps_port *port; /* its epoll_fd and wake_fd are used, and the component's name for the log */
};
