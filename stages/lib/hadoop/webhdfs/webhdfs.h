/* WebHDFS as a file system (stages/lib/filesystem/filesystem.h): HTTP to a namenode and its datanodes, or to HttpFS. For
 * webhdfs:// and swebhdfs:// (TLS).
 *
 * A namenode answers CREATE, APPEND and OPEN with the URL of a datanode (307), which takes or returns the bytes. WebHDFS has
 * no hflush: a flush is an APPEND of all bytes written since the last one. Each APPEND opens and closes a block (50
 * to 500 ms at the server). Flushes that wait meanwhile are combined into the next APPEND. So no file is open on
 * the server between operations.
 *
 * An APPEND without an answer may have been carried out: the length of the file is checked before another try.
 *
 * Sources: Hadoop's "WebHDFS REST API"; org.apache.hadoop.hdfs.web.WebHdfsFileSystem (redirects, excludedatanodes,
 * fail-over), org.apache.hadoop.fs.http.client.HttpFSFileSystem. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/settings.h"

/* Default ports. Hadoop 2 has 50070 and 50470; HttpFS has 14000. */
#define PS_WEBHDFS_PORT 9870U
#define PS_SWEBHDFS_PORT 9871U

/* Like ps_hadoop_open, which calls this function: settings->url is "webhdfs://.." or "swebhdfs://..". */
enum ps_status ps_webhdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                               struct ps_err *err);

#define PS_WEBHDFS_SERVERS_MAX 8U

/* The settings that ps_webhdfs_open derives. Everything is copied. */
struct ps_webhdfs_settings {
    const char *servers
        [PS_WEBHDFS_SERVERS_MAX]; /* "http://host:9870", "https://..": the namenodes of a name service */
    size_t server_count;
    const char *user;       /* user.name; NULL: not sent, because Kerberos authenticates the user */
    const char *proxy_user; /* doas; NULL: none */
    const char *delegation; /* a delegation token, used instead of the other authentication; NULL: none */
    /* The servers require Kerberos. Without principal and keytab, the default ticket cache is used. */
    bool kerberos;
    const char *kerberos_principal, *keytab;
    /* PEM; NULL: the system's authorities, no client certificate. */
    const char *ca_text, *cert_text, *key_text;
    uint64_t call_timeout_ns;
    unsigned replication;      /* 0: the server's default */
    uint64_t block_size_bytes; /* 0: the server's default */
    unsigned attempts_max;     /* tries of one operation at all servers; 0: Hadoop's 15 */
    int epoll_fd, wake_fd;     /* -1: none */
};

enum ps_status ps_webhdfs_create(const struct ps_webhdfs_settings *settings,
                                 struct ps_filesystem **filesystem, struct ps_err *err);
