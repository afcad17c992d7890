/* The advice of `check` about the URL of a file system. Does not connect. */
#pragma once

#include "core/log/log.h"
#include "stages/lib/hadoop/configuration.h"

#define PS_HADOOP_ADVICE_BYTES 512U

/* Returns whether there is advice about the URL ("hdfs://namenode:8020/logs", "viewfs://cluster/logs", "/logs"). Then sets
 * `advice` to a sentence with the cure, and `severity` to PS_LOG_ERROR if the URL cannot work, PS_LOG_WARN if it may not work,
 * PS_LOG_INFO if it works at a cost. A URL without a scheme, or with the scheme of fs.defaultFS and no host, belongs to
 * fs.defaultFS. Thread: any. */
bool ps_hadoop_url_advise(const struct ps_hadoop_configuration *configuration, const char *url,
                          enum ps_log_level *severity, char advice[PS_HADOOP_ADVICE_BYTES]);
