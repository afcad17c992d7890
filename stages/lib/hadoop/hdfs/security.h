/* Authentication of a file system to HDFS, and protection of its connections. The settings come from core-site.xml
 * and hdfs-site.xml, and from the sink's principal and keytab (org.apache.hadoop.security.UserGroupInformation).
 *
 *   hadoop.security.authentication                simple (the default), kerberos
 *   hadoop.rpc.protection                         authentication (the default), integrity, privacy; of several,
 *                                                 the first that both sides allow
 *   dfs.namenode.kerberos.principal               "hdfs/_HOST@REALM": _HOST is the canonical name of each namenode
 *   ipc.client.fallback-to-simple-auth-allowed    false
 *   dfs.data.transfer.protection                  as hadoop.rpc.protection; not set: block tokens only, which
 *                                                 datanodes on privileged ports accept
 *   dfs.encrypt.data.transfer.cipher.suites       AES/CTR/NoPadding
 *
 * With Kerberos, tickets come from the principal and keytab, else from the default cache (kinit). Without a principal, and with
 * HADOOP_TOKEN_FILE_LOCATION in the environment, that file's delegation token for the namenode is preferred to a ticket. A helper thread
 * gets tickets before a connection to a namenode needs them (stages/lib/sasl/gssapi.h), so no ticket has to be renewed: the server ignores that
 * a ticket expires while a connection is open.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/proto/client_namenode.pb-c.h"
#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/settings.h"
#include "stages/lib/hadoop/rpc/auth.h"
#include "stages/lib/hadoop/transfer/datanode.h"

struct ps_hadoop_security;

/* For `check` of a sink: checks whether Kerberos is configured alike in Hadoop's configuration and the agent file, and whether the
 * keytab exists, as Flume requires (KerberosAuthenticator). Reports mistakes by the keys hdfs.kerberosPrincipal and
 * hdfs.kerberosKeytab. Does not connect. Thread: control. (stages/lib/hadoop/hdfs/security_check.c) */
enum ps_status ps_hadoop_security_check(const struct ps_hadoop_settings *settings,
                                        const struct ps_context *context);

/* Returns PS_FAIL if the configuration is incomplete, or names Java classes (SASL properties resolvers). The caller owns the result:
 * ps_hadoop_security_close. */
enum ps_status ps_hadoop_security_open(struct ps_hadoop_security **security,
                                       const struct ps_hadoop_settings *settings, struct ps_err *err);
/* Call it after all connections are closed. NULL is allowed. */
void ps_hadoop_security_close(struct ps_hadoop_security *security);

/* Returns the delegation tokens of HADOOP_TOKEN_FILE_LOCATION if they are used, that is, with Kerberos and without a principal; else NULL. */
const struct ps_hadoop_credentials *ps_hadoop_security_credentials(const struct ps_hadoop_security *security);

/* Warns once an hour if the first delegation token to expire does so within a day, or has expired. Only a client with Kerberos tickets may
 * renew it. Returns the mono_ns of the next check; PS_NEVER if there are no tokens. */
uint64_t ps_hadoop_security_watch_tokens(struct ps_hadoop_security *security, const struct ps_now *now);

/* Returns the authentication for connections to namenodes; NULL: simple authentication. */
const struct ps_hadoop_rpc_auth *ps_hadoop_security_rpc(const struct ps_hadoop_security *security);
/* Returns the protection for connections to datanodes; NULL: none. `encrypts`: the namenode's server defaults have
 * encrypt_data_transfer, which is also possible without Kerberos. */
const struct ps_transfer_security *ps_hadoop_security_transfer(struct ps_hadoop_security *security,
                                                               bool encrypts);

/* ---- data encryption keys (dfs.encrypt.data.transfer) ---- */

/* Returns whether connections to datanodes need a key, and there is none, or it expires within a minute, or a datanode did not know it. */
bool ps_hadoop_security_wants_key(const struct ps_hadoop_security *security, uint64_t wall_ms);
/* Copies the key of the namenode's answer; NULL: it has none. */
void ps_hadoop_security_set_key(struct ps_hadoop_security *security, const PsHadoop__DataEncryptionKey *key);
