/* What a component gives to open a file system of Hadoop (stages/lib/hadoop/hdfs/open.h), whichever it is. */
#pragma once

#include "core/stage.h"

struct ps_hadoop_configuration;

/* What an open sink gives; const; texts belong to the owner and live as long as the file system. */
struct ps_hadoop_settings {
    const struct ps_hadoop_configuration *configuration; /* shared by all workers; NULL: Hadoop's defaults */
    /* "hdfs://namenode:8020", "hdfs://nameservice", "webhdfs://host:9870", "file://", or "": the default file system. Without the
     * path. */
    const char *url;
    const char *proxy_user;                  /* hdfs.proxyUser; NULL: none */
    const char *kerberos_principal, *keytab; /* hdfs.kerberosPrincipal, hdfs.kerberosKeytab; NULL: not set */
    uint64_t call_timeout_ns;                /* hdfs.callTimeout */
    struct ps_port *port; /* epoll_fd and wake_fd are used; the component's name for the log */
};
