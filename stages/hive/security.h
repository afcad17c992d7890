/* Who a client of Hive's metastore is: nobody in particular, or by Kerberos. Keys of hive-site.xml and core-site.xml:
 *
 *   hive.metastore.sasl.enabled, metastore.sasl.enabled              true: Kerberos
 *   hive.metastore.kerberos.principal, metastore.kerberos.principal  the metastore's: "hive/_HOST@REALM"
 *   hadoop.rpc.protection                                            authentication, integrity, privacy
 *
 * Not: TLS (hive.metastore.use.SSL), LDAP and passwords (hive.metastore.client.auth.mode), delegation tokens. */
#pragma once

#include "stages/hadoop/configuration.h"
#include "stages/hive/sasl.h"

/* Files of a configuration directory that it reads, for ps_hadoop_configuration_load_files. */
extern const char *const ps_hive_security_files[];

struct ps_hive_security;

/* `principal`, `keytab`: the client's; both NULL: the tickets of the default cache. `*security` is NULL when Kerberos is not asked for.
 * PS_FAIL: what is wrong. Copies what it keeps. Does not wait. Thread: any. Owns: ps_hive_security_close. */
enum ps_status ps_hive_security_open(struct ps_hive_security **security,
                                     const struct ps_hadoop_configuration *configuration,
                                     const char *principal, const char *keytab, struct ps_err *err);
/* After all that was entered. NULL is allowed. */
void ps_hive_security_close(struct ps_hive_security *security);

/* Settings of the transport for the metastore on this host; tickets begin to be fetched. `wake_fd`: written when one is there. PS_FAIL:
 * the principal is none. Owns: ps_hive_security_leave. Does not wait. Thread: a worker. */
enum ps_status ps_hive_security_enter(const struct ps_hive_security *security, const char *host, int wake_fd,
                                      struct ps_hive_sasl *sasl, struct ps_err *err);
void ps_hive_security_leave(struct ps_hive_sasl *sasl);
