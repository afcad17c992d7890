/* Authentication of a client of Hive's metastore: none, or Kerberos. Keys of hive-site.xml and core-site.xml:
 *
 *   hive.metastore.sasl.enabled, metastore.sasl.enabled              true: Kerberos
 *   hive.metastore.kerberos.principal, metastore.kerberos.principal  the metastore's principal: "hive/_HOST@REALM"
 *   hadoop.rpc.protection                                            authentication, integrity, privacy
 *
 * Not supported: TLS (hive.metastore.use.SSL), LDAP and passwords (hive.metastore.client.auth.mode), delegation
 * tokens. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hive/sasl.h"

/* The files of a configuration directory to read, for ps_hadoop_configuration_load_files. */
extern const char *const ps_hive_security_files[];

struct ps_hive_security;

/* Reads the security settings. `principal` and `keytab` are the client's; both NULL: the tickets of the default
 * cache are used. Sets *security to NULL if Kerberos is not required. Returns PS_FAIL with the reason. Copies
 * the settings that it keeps. Does not wait. The caller closes *security with ps_hive_security_close. Thread:
 * any. */
enum ps_status ps_hive_security_open(struct ps_hive_security **security,
                                     const struct ps_hadoop_configuration *configuration,
                                     const char *principal, const char *keytab, struct ps_err *err);
/* Call it after ps_hive_security_leave was called for each ps_hive_security_enter. NULL is allowed. */
void ps_hive_security_close(struct ps_hive_security *security);

/* Sets the transport's settings for the metastore on this host, and begins to fetch tickets. Returns PS_FAIL if the principal is invalid. The caller calls ps_hive_security_leave. Does not
 * wait. Thread: a worker. */
enum ps_status ps_hive_security_enter(const struct ps_hive_security *security, const char *host,
                                      struct ps_hive_sasl *sasl, struct ps_err *err);
void ps_hive_security_leave(struct ps_hive_sasl *sasl);
