/* Levels of protection in the configuration of Hadoop and HBase (hadoop.rpc.protection, dfs.data.transfer.protection, hbase.rpc.protection).
 * Thread: any. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/sasl/sasl.h"

/* Reads a key such as "authentication, privacy" as PS_SASL_PREFER; `missing`: the result if the key is not set. `sasl_names`:
 * the text may also have SASL's names auth, auth-int and auth-conf: HBase takes them, Hadoop does not. Returns PS_FAIL with the place if a level is unknown. */
enum ps_status ps_hadoop_protection_read(const struct ps_hadoop_configuration *configuration, const char *key,
                                         bool sasl_names, unsigned missing, unsigned *protection,
                                         struct ps_err *err);
/* Reads such a text. */
enum ps_status ps_hadoop_protection_parse(const char *text, bool sasl_names, unsigned *protection,
                                          struct ps_err *err);
