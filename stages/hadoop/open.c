#include "stages/hadoop/open.h"

#include "stages/filesystem/local.h"

#include <string.h>
#include <strings.h>

static bool has_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncasecmp(url, scheme, length) == 0 && (url[length] == ':' || url[length] == '\0');
}

/* Hadoop's default of fs.defaultFS. */
#define DEFAULT_URL "file:///"

enum ps_status ps_hadoop_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                              struct ps_err *err)
{
    const char *url = settings->url[0] != '\0' ? settings->url : DEFAULT_URL;
    if (has_scheme(url, "file")) {
        *filesystem = ps_filesystem_local_open();
        return *filesystem != NULL ? PS_OK : ps_err_set(err, "no memory for a file system");
    }
    if (has_scheme(url, "hdfs") || has_scheme(url, "webhdfs") || has_scheme(url, "swebhdfs"))
        return ps_err_set(err, "%s: this version does not speak to such a server yet", url);
    return ps_err_set(err, "%s: no file system of that scheme; known are hdfs, webhdfs, swebhdfs and file",
                      url);
}
