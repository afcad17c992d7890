#include "stages/lib/hadoop/hdfs/security.h"

#include "core/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum ps_status refuse(const struct ps_context *context, const char *key, const char *reason)
{
    ps_report(context, PS_LOG_ERROR, key, "%s", reason);
    return PS_FAIL;
}

/* Reports for what, and for how long, the agent can use the tokens of HADOOP_TOKEN_FILE_LOCATION. */
static void report_tokens(const struct ps_hadoop_credentials *credentials, const struct ps_context *context)
{
    const char *path = ps_hadoop_credentials_path();
    size_t useful = 0;
    for (size_t i = 0; i < ps_hadoop_credentials_count(credentials); i++) {
        const struct ps_hadoop_token *token = ps_hadoop_credentials_at(credentials, i);
        bool known = strcmp(token->kind, PS_HADOOP_TOKEN_HDFS) == 0 ||
                     strcmp(token->kind, PS_HADOOP_TOKEN_WEBHDFS) == 0 ||
                     strcmp(token->kind, PS_HADOOP_TOKEN_SWEBHDFS) == 0;
        char until[32] = "an unknown time";
        if (!known)
            continue;
        useful++;
        if (token->expires_ms > 0)
            ps_utc_print(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", token->expires_ms / 1000);
        bool expired = token->expires_ms > 0 && token->expires_ms <= ps_clock_now().wall_ms;
        ps_report(context, expired ? PS_LOG_WARN : PS_LOG_INFO, "hdfs.path",
                  "HADOOP_TOKEN_FILE_LOCATION (%s) has a delegation token (%s) of %s for %s, which %s %s: "
                  "the agent does not renew it; hdfs.kerberosPrincipal and hdfs.kerberosKeytab last longer",
                  path, token->kind, token->owner, token->service,
                  expired ? "has ended at" : "ends at the latest at", until);
    }
    if (useful == 0)
        ps_report(context, PS_LOG_WARN, "hdfs.path",
                  "HADOOP_TOKEN_FILE_LOCATION (%s) has no delegation token of HDFS: the tickets of the "
                  "default cache are used",
                  path);
}

enum ps_status ps_hadoop_security_check(const struct ps_hadoop_settings *settings,
                                        const struct ps_context *context)
{
    struct ps_hadoop_security *security;
    struct ps_err err = {.length = 0};
    if (ps_hadoop_security_open(&security, settings, &err) != PS_OK)
        return refuse(context, ps_hadoop_credentials_path() != NULL ? "hdfs.path" : "hdfs.kerberosPrincipal",
                      ps_err_join(&err));
    bool kerberos = ps_hadoop_security_rpc(security) != NULL;
    if (ps_hadoop_security_credentials(security) != NULL)
        report_tokens(ps_hadoop_security_credentials(security), context);
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
