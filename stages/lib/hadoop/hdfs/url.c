#include "stages/lib/hadoop/hdfs/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/hadoop/rpc/name_service.h"

#define SCHEME_BYTES 32
#define PART_BYTES 512

struct parts {
    char scheme[SCHEME_BYTES], authority[PS_HOST_NAME_BYTES + 64];
    const char *path;
};

/* Splits a URL. Returns false if it has no scheme. */
static bool split(const char *url, struct parts *parts)
{
    const char *colon = strstr(url, ":/");
    size_t length = colon != NULL ? (size_t)(colon - url) : 0;
    if (length == 0 || length >= sizeof parts->scheme || memchr(url, '/', length) != NULL)
        return false;
    for (size_t i = 0; i <= length; i++)
        parts->scheme[i] = i == length ? '\0' : (char)(url[i] >= 'A' && url[i] <= 'Z' ? url[i] + 32 : url[i]);
    parts->authority[0] = '\0';
    parts->path = colon + 1;
    if (strncmp(colon, "://", 3) == 0) {
        size_t authority = strcspn(colon + 3, "/");
        const char *user_end = memchr(colon + 3, '@', authority);
        int user = user_end != NULL ? (int)(user_end + 1 - (colon + 3)) : 0;
        snprintf(parts->authority, sizeof parts->authority, "%.*s", (int)authority - user, colon + 3 + user);
        parts->path = colon + 3 + authority;
    }
    return true;
}

/* The way to every file system that Hadoop has a class for. */
#define IN_JAVA                                                                                              \
    "Flume's own sink writes there in Java: set penstock.engine = java for the sink, with Flume and the "    \
    "jars of that file system in FLUME_HOME"

/* Hadoop file systems that are not supported, with the reason and the cure. */
static const struct {
    const char *schemes; /* each between blanks */
    const char *what;
} others[] = {
    {" s3 s3n s3a gs abfs abfss wasb wasbs adl oss cosn obs swift ",
     "is an object store, in which a file is there only when it is whole: nothing could be acknowledged "
     "before the file rolls. Write to hdfs:// or file://, and copy what has its final name (hadoop "
     "distcp). " IN_JAVA},
    {" o3fs ofs o3 ",
     "is Apache Ozone: write through its HttpFS gateway, webhdfs://GATEWAY:14000/VOLUME/BUCKET/..; " IN_JAVA},
    {" har ", "is an archive, which is read only: write to hdfs://"},
    {" hftp ", "is read only, and gone from Hadoop 3: write to webhdfs://"},
    {" hsftp ", "is read only, and gone from Hadoop 3: write to swebhdfs://"},
    {" http ", "is not a file system: WebHDFS's URL is webhdfs://HOST:PORT/.., without webhdfs/v1"},
    {" https ",
     "is not a file system: WebHDFS's URL with TLS is swebhdfs://HOST:PORT/.., without webhdfs/v1"},
    {" ftp sftp ", "is not written to: write to file://, and copy what has its final name. " IN_JAVA},
    {" maprfs ", "is MapR's own protocol: write through its HttpFS gateway, webhdfs://GATEWAY:14000/.., or "
                 "to an NFS mount with file://. " IN_JAVA},
    {" alluxio ", "is Alluxio's own protocol: write to the file system under it. " IN_JAVA},
};

static bool advise_other(const struct parts *parts, char *advice)
{
    char blank[SCHEME_BYTES + 2];
    snprintf(blank, sizeof blank, " %s ", parts->scheme);
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        if (strstr(others[i].schemes, blank) != NULL) {
            snprintf(advice, PS_HADOOP_ADVICE_BYTES, "%s:// %s", parts->scheme, others[i].what);
            return true;
        }
    }
    if (parts->scheme[0] == '"' || parts->scheme[0] == '\'')
        snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                 "the quotes are part of the URL: write it without them, beginning with %s://",
                 parts->scheme + 1);
    else
        snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                 "%s:// is not known: hdfs://, webhdfs://, swebhdfs:// and file:// are. " IN_JAVA,
                 parts->scheme);
    return true;
}

/* Returns the target of the longest link of the mount table that contains the path; NULL if there is none. `rest`: the path after the link. */
static const char *mounted(const struct ps_hadoop_configuration *configuration, const struct parts *parts,
                           const char **rest)
{
    const char *table = parts->authority[0] != '\0' ? parts->authority : "default";
    char key[PART_BYTES + 64];
    for (size_t length = strlen(parts->path); length > 0; length--) {
        if (parts->path[length] != '/' && parts->path[length] != '\0')
            continue;
        snprintf(key, sizeof key, "fs.viewfs.mounttable.%s.link.%.*s", table, (int)length, parts->path);
        const char *target = ps_hadoop_configuration_text(configuration, key);
        *rest = parts->path + length;
        if (target != NULL)
            return target;
    }
    snprintf(key, sizeof key, "fs.viewfs.mounttable.%s.linkFallback", table);
    *rest = parts->path;
    return ps_hadoop_configuration_text(configuration, key);
}

static bool advise_viewfs(const struct ps_hadoop_configuration *configuration, const struct parts *parts,
                          char *advice)
{
    const char *rest = "", *target = mounted(configuration, parts, &rest);
    static const char what[] = "viewfs:// is a table of links that each client has, not a file system: write";
    if (target != NULL)
        snprintf(advice, PS_HADOOP_ADVICE_BYTES, "%s %.200s%.160s", what, target, rest);
    else
        snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                 "%s the hdfs:// URL that fs.viewfs.mounttable.%.100s.link./DIRECTORY of core-site.xml names",
                 what, parts->authority[0] != '\0' ? parts->authority : "default");
    return true;
}

/* Ports that are often mistaken for the namenode's RPC port, by the defaults of Hadoop 3.x and 2.x. */
static const struct {
    unsigned port;
    const char *what, *instead;
} other_ports[] = {
    {9870, "the namenode's HTTP port", "webhdfs"},
    {50070, "the namenode's HTTP port", "webhdfs"},
    {9871, "the namenode's HTTPS port", "swebhdfs"},
    {50470, "the namenode's HTTPS port", "swebhdfs"},
    {14000, "the HTTP port of HttpFS", "webhdfs"},
    {9866, "a datanode's port", NULL},
    {50010, "a datanode's port", NULL},
    {9867, "a datanode's IPC port", NULL},
    {50020, "a datanode's IPC port", NULL},
    {9864, "a datanode's HTTP port", NULL},
    {50075, "a datanode's HTTP port", NULL},
    {9868, "the secondary namenode's port", NULL},
    {50090, "the secondary namenode's port", NULL},
    {8088, "YARN's HTTP port", NULL},
};

static bool advise_port(const struct parts *parts, enum ps_log_level *severity, char *advice)
{
    const char *colon = strrchr(parts->authority, ':');
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    for (size_t i = 0; i < PS_COUNT_OF(other_ports); i++) {
        if (port != other_ports[i].port)
            continue;
        int host = (int)(colon - parts->authority);
        const char *instead = other_ports[i].instead;
        int length =
            snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                     "port %lu is %s by default, and hdfs:// needs that of the namenode's RPC: mostly "
                     "8020 or 9000 (fs.defaultFS of core-site.xml)",
                     port, other_ports[i].what);
        if (instead != NULL)
            snprintf(advice + length, PS_HADOOP_ADVICE_BYTES - (size_t)length,
                     "; to use that port write %s://%.*s:%lu, which is slower", instead, host,
                     parts->authority, port);
        *severity = PS_LOG_WARN;
        return true;
    }
    return false;
}

/* Advises as Hadoop's FileSystem.checkPath does: "Wrong FS: file://misc/out, expected: file:///". */
static bool advise_file(const struct parts *parts, char *advice)
{
    if (parts->authority[0] == '\0')
        return false;
    snprintf(advice, PS_HADOOP_ADVICE_BYTES,
             "file:// takes no host, and here %.100s is one: write file:///%.100s%.200s (three slashes)",
             parts->authority, parts->authority, parts->path);
    return true;
}

/* A name without a dot or a port may be a name service whose configuration is missing. */
static bool advise_hdfs(const struct ps_hadoop_configuration *configuration, const struct parts *parts,
                        enum ps_log_level *severity, char *advice)
{
    struct ps_name_service service;
    struct ps_err err = {0};
    if (ps_name_service_find(configuration, parts->authority, &service, &err) != PS_OK) {
        snprintf(advice, PS_HADOOP_ADVICE_BYTES, "%.500s", ps_err_join(&err));
        return true;
    }
    if (!service.high_availability && advise_port(parts, severity, advice))
        return true;
    if (service.high_availability || strpbrk(parts->authority, ".:") != NULL ||
        strcmp(parts->authority, "localhost") == 0)
        return false;
    *severity = PS_LOG_WARN;
    snprintf(advice, PS_HADOOP_ADVICE_BYTES,
             "'%.100s' is taken for a host, port 8020: if it is a name service (HA), hdfs-site.xml with "
             "dfs.nameservices is missing (HADOOP_CONF_DIR)",
             parts->authority);
    return true;
}

/* A URL that works is reported with PS_LOG_INFO, because its cost is not a mistake. */
static bool advise_webhdfs(const struct parts *parts, enum ps_log_level *severity,
                           char advice[PS_HADOOP_ADVICE_BYTES])
{
    const char *colon = strrchr(parts->authority, ':');
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    char host[PS_HOST_NAME_BYTES];
    unsigned ignored;
    if (!ps_name_service_split(parts->authority, 1, host, &ignored)) {
        snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                 "'%.200s' is neither host:port, with a port from 1 to 65535, nor a name service",
                 parts->authority);
        return true;
    }
    if (port == 8020 || port == 9000) {
        *severity = PS_LOG_WARN;
        snprintf(advice, PS_HADOOP_ADVICE_BYTES,
                 "port %lu is mostly that of the namenode's RPC, and %s:// needs its HTTP port (9870, 9871 "
                 "with TLS; HttpFS 14000); hdfs://%.200s speaks RPC, and is faster",
                 port, parts->scheme, parts->authority);
        return true;
    }
    *severity = PS_LOG_INFO;
    snprintf(advice, PS_HADOOP_ADVICE_BYTES,
             "through WebHDFS each flush of a file is an APPEND of its own, 50 to 500 ms at the server; "
             "hdfs:// takes "
             "about 1 ms. Large batches and few files cost least");
    return true;
}

bool ps_hadoop_url_advise(const struct ps_hadoop_configuration *configuration, const char *url,
                          enum ps_log_level *severity, char advice[PS_HADOOP_ADVICE_BYTES])
{
    const char *standard = ps_hadoop_configuration_text(configuration, "fs.defaultFS");
    struct parts parts, standard_parts;
    bool has_standard = standard != NULL && split(standard, &standard_parts);
    *severity = PS_LOG_ERROR;
    if (!split(url, &parts)) {
        if (!has_standard)
            return false;
        parts = standard_parts;
        parts.path = url;
    } else if (parts.authority[0] == '\0' && has_standard &&
               strcmp(parts.scheme, standard_parts.scheme) == 0) {
        memcpy(parts.authority, standard_parts.authority, sizeof parts.authority);
    }
    if (strcmp(parts.scheme, "file") == 0)
        return advise_file(&parts, advice);
    if (strcmp(parts.scheme, "hdfs") == 0)
        return advise_hdfs(configuration, &parts, severity, advice);
    if (strcmp(parts.scheme, "webhdfs") == 0 || strcmp(parts.scheme, "swebhdfs") == 0)
        return advise_webhdfs(&parts, severity, advice);
    return strcmp(parts.scheme, "viewfs") == 0 ? advise_viewfs(configuration, &parts, advice)
                                               : advise_other(&parts, advice);
}
