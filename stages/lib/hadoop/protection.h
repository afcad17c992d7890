/* Levels of protection in Hadoop's configuration (hadoop.rpc.protection, dfs.data.transfer.protection). Thread: any. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/sasl/sasl.h"

/* "authentication, privacy" to PS_SASL_PREFER; `missing`: what it is when the key is not set. PS_FAIL: an unknown level, with its place. */
enum ps_status ps_hadoop_protection_read(const struct ps_hadoop_configuration *configuration, const char *key,
                                         unsigned missing, unsigned *protection, struct ps_err *err);
