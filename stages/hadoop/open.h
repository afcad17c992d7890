/* Finds the file system that a path names, as Hadoop's FileSystem.get does: by the scheme of the path, else by fs.defaultFS of
 * core-site.xml, else the local disk. */
#pragma once

#include "core/stage.h"
#include "stages/filesystem/filesystem.h"

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

/* Connects to nobody: the first operation does. On PS_FAIL the error says what is wrong with the settings. Owns: the caller
 * closes it. */
enum ps_status ps_hadoop_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                              struct ps_err *err);

/* The URL that "" stands for, else `url`: lives as long as both. Thread: any. */
const char *ps_hadoop_url(const struct ps_hadoop_configuration *configuration, const char *url);
/* Whether it is the local disk, which needs no configuration. Not for "". Thread: any. */
bool ps_hadoop_url_is_local(const char *url);
