#include "stages/lib/hive/security.h"

#include "stages/lib/hadoop/protection.h"

#include <stdlib.h>
#include <string.h>

const char *const ps_hive_security_files[] = {"core-site.xml", "hive-site.xml", NULL};

struct ps_hive_security {
    char *server, *principal, *keytab;
    unsigned protection; /* PS_SASL_PREFER */
};

/* Returns the name by which a key is set: Hive's, or else the one that the metastore has used since Hive 3. */
static const char *key_of(const struct ps_hadoop_configuration *configuration, const char *key)
{
    const char *short_key = key + strlen("hive.");
    return ps_hadoop_configuration_text(configuration, key) != NULL ? key : short_key;
}

static char *copy(const char *text)
{
    return text != NULL ? ps_must_copy_text(text, "a principal") : NULL;
}

enum ps_status ps_hive_security_open(struct ps_hive_security **security,
                                     const struct ps_hadoop_configuration *configuration,
                                     const char *principal, const char *keytab, struct ps_err *err)
{
    const char *tls = key_of(configuration, "hive.metastore.use.SSL");
    const char *sasl = key_of(configuration, "hive.metastore.sasl.enabled");
    unsigned protection;
    *security = NULL;
    if (ps_hadoop_configuration_boolean(configuration, tls, false))
        return ps_err_set(err, "%s: %s: TLS to a metastore is not supported",
                          ps_hadoop_configuration_place(configuration, tls), tls);
    if (!ps_hadoop_configuration_boolean(configuration, sasl, false))
        return PS_OK;
    const char *server = ps_hadoop_configuration_text(
        configuration, key_of(configuration, "hive.metastore.kerberos.principal"));
    if (server == NULL)
        return ps_err_set(err,
                          "%s: %s is true: hive-site.xml has to have hive.metastore.kerberos.principal, the "
                          "principal of the metastore (hive/_HOST@REALM)",
                          ps_hadoop_configuration_place(configuration, sasl), sasl);
    if ((principal == NULL) != (keytab == NULL))
        return ps_err_set(err, "a principal and its keytab are needed together");
    if (ps_hadoop_protection_read(configuration, "hadoop.rpc.protection", false, PS_SASL_AUTHENTICATION,
                                  &protection, err) != PS_OK)
        return PS_FAIL;
    struct ps_hive_security *made = ps_must_alloc(1, sizeof(*made), "the metastore's principal");
    *made = (struct ps_hive_security){.server = copy(server),
                                      .principal = copy(principal),
                                      .keytab = copy(keytab),
                                      .protection = protection};
    *security = made;
    return PS_OK;
}

void ps_hive_security_close(struct ps_hive_security *security)
{
    if (security == NULL)
        return;
    free(security->server);
    free(security->principal);
    free(security->keytab);
    free(security);
}

enum ps_status ps_hive_security_enter(const struct ps_hive_security *security, const char *host,
                                      struct ps_hive_sasl *sasl, struct ps_err *err)
{
    const struct ps_gss_initiator_settings settings = {.principal = security->principal,
                                                       .keytab = security->keytab,
                                                       .server = security->server,
                                                       .server_host = host,
                                                       .wake_fd = -1};
    *sasl = (struct ps_hive_sasl){.protection = security->protection};
    return ps_gss_initiator_build(&sasl->initiator, &settings, err);
}

void ps_hive_security_leave(struct ps_hive_sasl *sasl)
{
    ps_gss_initiator_teardown(sasl->initiator);
    sasl->initiator = NULL;
}
