/* Secrets in the key stores of Hadoop's credential providers (org.apache.hadoop.security.alias): JCEKS stores whose keys are texts,
 * as `hadoop credential create` makes them. For Flume's config filter `hadoop`. Thread: control. */
#pragma once

#include "core/status.h"

#define PS_CREDENTIAL_BYTES_MAX 4096U

struct ps_credentials {
    const char *providers; /* URLs of stores, separated by commas: (local)jceks://file/PATH */
    const char
        *password_file; /* NULL: the environment's HADOOP_CREDSTORE_PASSWORD, or "none", as in Hadoop */
    const char *folder; /* base of a relative password_file; NULL: the working directory */
};

/* Copies the secret of an alias (case does not matter) to `secret`, terminated; the first store that has the alias
 * counts. PS_FAIL: no store has the alias, or a store cannot be read. The caller overwrites the secret. */
enum ps_status ps_credential_read(const struct ps_credentials *credentials, const char *alias,
                                  char secret[PS_CREDENTIAL_BYTES_MAX + 1], struct ps_err *err);
