/* How one file system shows HDFS who it is, and how its connections are protected: what core-site.xml and hdfs-site.xml say, and
 * the sink's principal and keytab (org.apache.hadoop.security.UserGroupInformation).
 *
 *   hadoop.security.authentication                simple (the default), kerberos
 *   hadoop.rpc.protection                         authentication (the default), integrity, privacy; several: the first that both
 *                                                 sides allow
 *   dfs.namenode.kerberos.principal               "hdfs/_HOST@REALM": _HOST is the canonical name of each namenode
 *   ipc.client.fallback-to-simple-auth-allowed    false
 *   dfs.data.transfer.protection                  as hadoop.rpc.protection; not set: block tokens alone, which datanodes on
 *                                                 privileged ports take
 *   dfs.encrypt.data.transfer.cipher.suites       AES/CTR/NoPadding
 *
 * With Kerberos, tickets come by principal and keytab, else from the default cache (kinit). Where there is no principal, and the
 * environment has HADOOP_TOKEN_FILE_LOCATION, the delegation token of that file for the namenode comes before a ticket. A helper thread gets them before a
 * connection to a namenode needs them (stages/sasl/gssapi.h); so there is nothing to renew, and a ticket that expires while a
 * connection is open does not matter to the server.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/hadoop/proto/client_namenode.pb-c.h"
#include "stages/hadoop/credentials.h"
#include "stages/hadoop/settings.h"
#include "stages/hadoop_rpc/auth.h"
#include "stages/hadoop_transfer/datanode.h"

struct ps_hadoop_security;

/* For `check` of a sink: whether the Kerberos of Hadoop's configuration and that of the agent file fit; the keytab has to be there,
 * as Flume demands it (KerberosAuthenticator). Reports what does not, by the keys hdfs.kerberosPrincipal and
 * hdfs.kerberosKeytab. Connects to nobody. Thread: control. (stages/hdfs/security_check.c) */
enum ps_status ps_hadoop_security_check(const struct ps_hadoop_settings *settings,
                                        const struct ps_context *context);

/* PS_FAIL: the configuration lacks something, or names classes of its own (SASL properties resolvers). Owns: ps_hadoop_security_close. */
enum ps_status ps_hadoop_security_open(struct ps_hadoop_security **security,
                                       const struct ps_hadoop_settings *settings, struct ps_err *err);
/* After all connections. NULL is allowed. */
void ps_hadoop_security_close(struct ps_hadoop_security *security);

/* The delegation tokens of HADOOP_TOKEN_FILE_LOCATION, where they are used: with Kerberos, and without a principal. NULL: none. */
const struct ps_hadoop_credentials *ps_hadoop_security_credentials(const struct ps_hadoop_security *security);

/* Says in the log, once an hour, that the first delegation token to end does so within a day, or has ended: only a client with Kerberos may
 * renew it, which this one has not. Returns the mono_ns of the next look; PS_NEVER: there are no tokens. */
uint64_t ps_hadoop_security_watch_tokens(struct ps_hadoop_security *security, const struct ps_now *now);

/* For the namenodes' connections; NULL: simple authentication. */
const struct ps_hadoop_rpc_auth *ps_hadoop_security_rpc(const struct ps_hadoop_security *security);
/* For connections to datanodes, or NULL: nothing is protected. `encrypts`: the namenode's server defaults have
 * encrypt_data_transfer, which may be without Kerberos, too. */
const struct ps_transfer_security *ps_hadoop_security_transfer(struct ps_hadoop_security *security,
                                                               bool encrypts);

/* ---- data encryption keys (dfs.encrypt.data.transfer) ---- */

/* Whether connections to datanodes need a key that is not here, expires within a minute, or is not known to a datanode. */
bool ps_hadoop_security_wants_key(const struct ps_hadoop_security *security, uint64_t wall_ms);
/* The namenode's answer, which is copied; NULL: it has none. */
void ps_hadoop_security_set_key(struct ps_hadoop_security *security, const PsHadoop__DataEncryptionKey *key);
