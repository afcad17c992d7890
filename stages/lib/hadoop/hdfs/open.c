#include "stages/lib/hadoop/hdfs/open.h"

#include "stages/lib/filesystem/local.h"
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/hdfs/hdfs.h"
#include "stages/lib/hadoop/webhdfs/webhdfs.h"

#include <string.h>
#include <strings.h>

static bool has_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncasecmp(url, scheme, length) == 0 && (url[length] == ':' || url[length] == '\0');
}

/* Hadoop's default of fs.defaultFS. */
#define DEFAULT_URL "file:///"

/* Returns whether the URL is "hdfs:" or "hdfs://" without a host. */
static bool has_no_authority(const char *url)
{
    const char *behind = strchr(url, ':') + 1;
    behind += strncmp(behind, "//", 2) == 0 ? 2 : 0;
    return *behind == '\0' || *behind == '/';
}

const char *ps_hadoop_url(const struct ps_hadoop_configuration *configuration, const char *url)
{
    const char *standard = ps_hadoop_configuration_text(configuration, "fs.defaultFS");
    if (standard == NULL || strchr(standard, ':') == NULL)
        standard = DEFAULT_URL;
    if (url[0] == '\0')
        return standard;
    size_t scheme = strcspn(standard, ":");
    bool is_same = strncasecmp(url, standard, scheme) == 0 && url[scheme] == ':';
    return is_same && has_no_authority(url) ? standard : url;
}

bool ps_hadoop_url_is_local(const char *url)
{
    return has_scheme(url, "file");
}

enum ps_status ps_hadoop_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                              struct ps_err *err)
{
    struct ps_hadoop_settings named = *settings;
    named.url = ps_hadoop_url(settings->configuration, settings->url);
    if (has_scheme(named.url, "hdfs"))
        return ps_hdfs_open(&named, filesystem, err);
    if (has_scheme(named.url, "webhdfs") || has_scheme(named.url, "swebhdfs"))
        return ps_webhdfs_open(&named, filesystem, err);
    if (!ps_hadoop_url_is_local(named.url))
        return ps_err_set(err, "%s: no file system has that scheme; use hdfs, webhdfs, swebhdfs or file",
                          named.url);
    *filesystem = ps_filesystem_local_open();
    return *filesystem != NULL ? PS_OK : ps_err_set(err, "no memory for a file system");
}
