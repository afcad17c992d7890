/* WebHDFS: a file system (stages/filesystem/filesystem.h) over HTTP, of namenode and datanodes, or of HttpFS. For webhdfs://
 * and swebhdfs:// (TLS).
 *
 * A namenode answers CREATE, APPEND and OPEN with the URL of a datanode (307), which takes or gives the bytes. There is no
 * hflush: a flush is an APPEND of what was written since the last one, which opens and closes a block (50 to 500 ms at the
 * server), and flushes that wait for it are one APPEND together. So between operations no file is open on the server.
 * An APPEND whose answer did not come may have been carried out: the length of the file tells, before another try.
 *
 * Sources: Hadoop's "WebHDFS REST API"; org.apache.hadoop.hdfs.web.WebHdfsFileSystem (redirects, excludedatanodes,
 * fail-over), org.apache.hadoop.fs.http.client.HttpFSFileSystem. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop/settings.h"

/* 9870 and 9871; Hadoop 2: 50070 and 50470. HttpFS: 14000. */
#define PS_WEBHDFS_PORT 9870U
#define PS_SWEBHDFS_PORT 9871U

/* The same contract as ps_hadoop_open, whose part it is: settings->url is "webhdfs://.." or "swebhdfs://..". */
enum ps_status ps_webhdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                               struct ps_err *err);

#define PS_WEBHDFS_SERVERS_MAX 8U

/* What ps_webhdfs_open makes of them. All is copied. */
struct ps_webhdfs_settings {
    const char *servers
        [PS_WEBHDFS_SERVERS_MAX]; /* "http://host:9870", "https://..": the namenodes of a name service */
    size_t server_count;
    const char *user;       /* user.name; NULL: none, because Kerberos says who it is */
    const char *proxy_user; /* doas; NULL: none */
    const char *delegation; /* a token, which says who it is in place of the others; NULL: none */
    bool kerberos;          /* servers ask for it; without principal and keytab: the default ticket cache's */
    const char *kerberos_principal, *keytab;
    const char *ca_text, *cert_text, *key_text; /* PEM; NULL: libcurl's authorities, no certificate */
    uint64_t call_timeout_ns;
    unsigned replication;      /* 0: the server's */
    uint64_t block_size_bytes; /* likewise */
    unsigned attempts_max;     /* of one operation, over all servers; 0: Hadoop's 15 */
    int epoll_fd, wake_fd;     /* -1: none */
};

enum ps_status ps_webhdfs_create(const struct ps_webhdfs_settings *settings,
                                 struct ps_filesystem **filesystem, struct ps_err *err);
