#include "stages/hdfs/security.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum ps_status refuse(const struct ps_context *context, const char *key, const char *reason)
{
    ps_report(context, PS_LOG_ERROR, key, "%s", reason);
    return PS_FAIL;
}

enum ps_status ps_hadoop_security_check(const struct ps_hadoop_settings *settings,
                                        const struct ps_context *context)
{
    struct ps_hadoop_security *security;
    struct ps_err err = {.length = 0};
    if (ps_hadoop_security_open(&security, settings, &err) != PS_OK)
        return refuse(context, "hdfs.kerberosPrincipal", ps_err_join(&err));
    bool kerberos = ps_hadoop_security_rpc(security) != NULL;
    ps_hadoop_security_close(security);
    if (kerberos && settings->keytab != NULL && access(settings->keytab, R_OK) != 0) {
        ps_err_set(&err, "%s: %s", settings->keytab, strerror(errno));
        return refuse(context, "hdfs.kerberosKeytab", ps_err_join(&err));
    }
    if (!kerberos && settings->kerberos_principal != NULL)
        ps_report(
            context, PS_LOG_WARN, "hdfs.kerberosPrincipal",
            "has no effect: Hadoop's configuration does not say hadoop.security.authentication = kerberos");
    return PS_OK;
}
