/* What `check` can say about the URL of a file system without asking anybody. */
#pragma once

#include "core/log.h"
#include "stages/hadoop/configuration.h"

#define PS_HADOOP_ADVICE_BYTES 512U

/* Whether there is something to say about the URL ("hdfs://namenode:8020/logs", "viewfs://cluster/logs", "/logs"): `advice` is a
 * sentence with what to do then, and `severity` PS_LOG_ERROR if it cannot work, PS_LOG_WARN if it may not, PS_LOG_INFO
 * if it does, at a cost. A URL without a scheme,
 * or with the same scheme and no host, is one of fs.defaultFS. Thread: any. */
bool ps_hadoop_url_advise(const struct ps_hadoop_configuration *configuration, const char *url,
                          enum ps_log_level *severity, char advice[PS_HADOOP_ADVICE_BYTES]);
