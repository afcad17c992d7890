/* Opens the file system of a path, like Hadoop's FileSystem.get: by the scheme of the path, else by fs.defaultFS of
 * core-site.xml, else the local disk. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/settings.h"

/* Opens the file system without connecting; the first operation connects. On PS_FAIL the error names what is wrong with the
 * settings. The caller owns the file system and closes it. */
enum ps_status ps_hadoop_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                              struct ps_err *err);

/* Returns the default URL for "", else `url`. The result lives as long as both arguments. Thread: any. */
const char *ps_hadoop_url(const struct ps_hadoop_configuration *configuration, const char *url);
/* Returns whether the URL names the local disk, which needs no configuration. Not for "". Thread: any. */
bool ps_hadoop_url_is_local(const char *url);
