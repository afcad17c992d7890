#include "stages/lib/hbase/security.h"

#include "stages/lib/hadoop/protection.h"

#include <stdlib.h>
#include <strings.h>

#define METHOD "hbase.security.authentication"
#define PRINCIPAL "hbase.regionserver.kerberos.principal"
#define PROTECTION "hbase.rpc.protection"

/* ---- settings ---- */

static enum ps_status read_method(const struct ps_hadoop_configuration *site, const struct ps_pairs *async,
                                  bool *kerberos, struct ps_err *err)
{
    const char *own = ps_pairs_get(async, METHOD),
               *enabled = ps_pairs_get(async, "hbase.security.auth.enable");
    const char *method = own != NULL ? own : ps_hadoop_configuration_text(site, METHOD);
    *kerberos = false;
    if (method == NULL || strcasecmp(method, "simple") == 0)
        return PS_OK;
    if (strcasecmp(method, "kerberos") != 0)
        return ps_err_set(err, METHOD " = %s: only simple and kerberos are supported", method);
    *kerberos = own == NULL || enabled == NULL || strcasecmp(enabled, "true") == 0;
    return PS_OK;
}

static enum ps_status read_protection(const struct ps_hadoop_configuration *site,
                                      const struct ps_pairs *async, unsigned *protection, struct ps_err *err)
{
    const char *own = ps_pairs_get(async, PROTECTION);
    struct ps_err why = {.length = 0};
    if (own == NULL)
        return ps_hadoop_protection_read(site, PROTECTION, true, PS_SASL_AUTHENTICATION, protection, err);
    if (ps_hadoop_protection_parse(own, true, protection, &why) == PS_OK)
        return PS_OK;
    return ps_err_set(err, "async." PROTECTION ": %s", why.text);
}

enum ps_status ps_hbase_security_read(struct ps_hbase_security *security,
                                      const struct ps_hadoop_configuration *site,
                                      const struct ps_pairs *async, struct ps_arena *arena, const char **key,
                                      struct ps_err *err)
{
    bool kerberos;
    const char *server = ps_pairs_get(async, "hbase.kerberos.regionserver.principal");
    if (read_method(site, async, &kerberos, err) != PS_OK)
        return PS_FAIL;
    security->server = NULL;
    if (!kerberos)
        return PS_OK;
    if (server == NULL)
        server = ps_hadoop_configuration_text(site, PRINCIPAL);
    if (server == NULL)
        return ps_err_set(err, METHOD " is kerberos: hbase-site.xml has to have " PRINCIPAL
                                      ", the principal of the region servers (hbase/_HOST@REALM)");
    if (read_protection(site, async, &security->protection, err) != PS_OK)
        return PS_FAIL;
    if ((security->principal == NULL) != (security->keytab == NULL)) {
        *key = security->principal == NULL ? "kerberosPrincipal" : "kerberosKeytab";
        return ps_err_set(err, "is missing: principal and keytab are needed together");
    }
    security->server = ps_arena_text(arena, server);
    security->may_be_simple =
        ps_hadoop_configuration_boolean(site, "hbase.ipc.client.fallback-to-simple-auth-allowed", false);
    return PS_OK;
}

/* ---- servers ---- */

struct ps_hbase_sasl *ps_hbase_security_enter(const struct ps_hbase_security *security, const char *host)
{
    const struct ps_gss_initiator_settings settings = {.principal = security->principal,
                                                       .keytab = security->keytab,
                                                       .server = security->server,
                                                       .server_host = host,
                                                       .wake_fd = -1};
    struct ps_err err = {.length = 0};
    struct ps_hbase_sasl *sasl = calloc(1, sizeof *sasl);
    if (sasl == NULL)
        return NULL;
    sasl->protection = security->protection;
    sasl->may_be_simple = security->may_be_simple;
    if (ps_gss_initiator_build(&sasl->initiator, &settings, &err) == PS_OK)
        return sasl;
    free(sasl);
    return NULL;
}

void ps_hbase_security_leave(struct ps_hbase_sasl *sasl)
{
    if (sasl == NULL)
        return;
    ps_gss_initiator_teardown(sasl->initiator);
    free(sasl);
}
