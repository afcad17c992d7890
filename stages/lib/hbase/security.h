/* Authentication to HBase: none, or Kerberos. Keys of hbase-site.xml:
 *
 *   hbase.security.authentication                       simple (the default), kerberos
 *   hbase.regionserver.kerberos.principal               the servers' principal: "hbase/_HOST@REALM", _HOST being the name of each server
 *   hbase.rpc.protection                                authentication (the default), integrity, privacy; of several, the first that the
 *                                                       server takes, too
 *   hbase.ipc.client.fallback-to-simple-auth-allowed    false
 *
 * asynchbase has them as async.hbase.security.auth.enable, async.hbase.security.authentication,
 * async.hbase.kerberos.regionserver.principal and async.hbase.rpc.protection. Texts belong to the arena of `read`. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hbase/sasl.h"

struct ps_hbase_security {
    const char *server;             /* the servers' principal; NULL: no Kerberos */
    const char *principal, *keytab; /* NULL: the tickets of the default cache */
    unsigned protection;            /* PS_SASL_PREFER */
    bool may_be_simple;
};

/* Sets all members but principal and keytab, which the caller has set. `async`: the keys async.*, without that prefix; may be empty. Returns
 * PS_FAIL with the reason; `*key` is set if it is a key of the sink. Thread: control. */
enum ps_status ps_hbase_security_read(struct ps_hbase_security *security,
                                      const struct ps_hadoop_configuration *site,
                                      const struct ps_pairs *async, struct ps_arena *arena, const char **key,
                                      struct ps_err *err);

/* Returns the transport for connections to the servers; NULL: none. `security`: NULL counts as no Kerberos. Thread of this and the next two:
 * the worker of the client. */
static inline const struct ps_transport *ps_hbase_security_transport(const struct ps_hbase_security *security)
{
    return security != NULL && security->server != NULL ? &ps_hbase_sasl_transport : NULL;
}

/* Makes the transport's settings for a server, and begins to get tickets on a thread of their own, which reads the keytab again each time
 * (stages/lib/sasl/gssapi.h). Returns NULL if there is no memory. The caller calls ps_hbase_security_leave, for which NULL is allowed. */
struct ps_hbase_sasl *ps_hbase_security_enter(const struct ps_hbase_security *security, const char *host);
void ps_hbase_security_leave(struct ps_hbase_sasl *sasl);
