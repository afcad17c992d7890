/* Finds the file system that a path names, as Hadoop's FileSystem.get does: by the scheme of the path, else by fs.defaultFS of
 * core-site.xml, else the local disk. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop/settings.h"

/* Connects to nobody: the first operation does. On PS_FAIL the error says what is wrong with the settings. Owns: the caller
 * closes it. */
enum ps_status ps_hadoop_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                              struct ps_err *err);

/* The URL that "" stands for, else `url`: lives as long as both. Thread: any. */
const char *ps_hadoop_url(const struct ps_hadoop_configuration *configuration, const char *url);
/* Whether it is the local disk, which needs no configuration. Not for "". Thread: any. */
bool ps_hadoop_url_is_local(const char *url);
