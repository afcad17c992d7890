/* `probe` of the sink hdfs: writes a file into the directory before the first escape of hdfs.path. */
#include "stages/sinks/hdfs/keys.h"

#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/lib/hadoop/hdfs/probe.h"
#include "stages/lib/hadoop/user.h"

#include <string.h>
#include <strings.h>

/* Returns the part of the path that is the same for all events. */
static const char *constant_path(const struct ps_hdfs_sink_plan *plan, struct ps_arena *arena)
{
    size_t length = strcspn(plan->path, "%"), url = ps_bucket_url_length(plan->path);
    if (plan->path[length] == '\0')
        return plan->path;
    while (length > url && plan->path[length - 1] != '/')
        length--;
    return ps_arena_copy(arena, plan->path, length);
}

static const char *user_of(const struct ps_hdfs_sink_plan *plan,
                           const struct ps_hadoop_configuration *configuration, struct ps_arena *arena)
{
    char name[PS_HADOOP_USER_BYTES];
    const char *method = ps_hadoop_configuration_text(configuration, "hadoop.security.authentication");
    bool kerberos = method != NULL && strcasecmp(method, "kerberos") == 0;
    const char *user = !kerberos                 ? ps_hadoop_user(name)
                       : plan->principal != NULL ? plan->principal
                       : ps_hadoop_credentials_path() != NULL
                           ? "the user of HADOOP_TOKEN_FILE_LOCATION or of the ticket cache"
                           : "the user of the ticket cache";
    return ps_arena_format(arena, "%s%s%s, %s Kerberos", plan->proxy_user != NULL ? plan->proxy_user : "",
                           plan->proxy_user != NULL ? " through " : "", user, kerberos ? "by" : "without");
}

static void probe_path(const struct ps_hdfs_sink_plan *plan,
                       const struct ps_hadoop_configuration *configuration, struct ps_context *context,
                       const struct ps_probe *probe)
{
    struct ps_hdfs_sink_plan constant = *plan;
    struct ps_bucket_path bucket_path;
    struct ps_err err = {.length = 0};
    constant.path = constant_path(plan, context->arena);
    constant.file_prefix = "x";
    if (ps_hdfs_sink_plan_bucket_path(&constant, configuration, context->arena, &bucket_path, &err) !=
        PS_OK) {
        ps_probe_key_failed(probe, "hdfs.path", plan->path, ps_err_join(&err), NULL);
        return;
    }
    const char *url = ps_hadoop_url(configuration, bucket_path.url);
    const char *directory =
        bucket_path.constant_directory_length == 0
            ? "/"
            : ps_arena_copy(context->arena, bucket_path.constant, bucket_path.constant_directory_length);
    const struct ps_hadoop_settings settings = {.configuration = configuration,
                                                .url = url,
                                                .proxy_user = plan->proxy_user,
                                                .kerberos_principal = plan->principal,
                                                .keytab = plan->keytab};
    const struct ps_hadoop_probe what = {.key = "hdfs.path",
                                         .directory = directory,
                                         .url = ps_arena_copy(context->arena, url, ps_bucket_url_length(url)),
                                         .user = user_of(plan, configuration, context->arena)};
    if (ps_hadoop_url_is_local(url))
        ps_probe_directory_to_make(probe, "hdfs.path", directory);
    else if (probe->local)
        ps_probe_skipped(probe, what.url, "not asked");
    else
        ps_hadoop_probe(probe, &settings, &what);
}

void ps_hdfs_sink_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct ps_hdfs_sink_plan *plan = plan_;
    struct ps_hadoop_configuration *configuration;
    struct ps_err err = {.length = 0};
    if (ps_hdfs_sink_plan_configuration(plan, &configuration, &err) != PS_OK) {
        ps_probe_key_failed(probe, "penstock.hadoop.conf", "Hadoop's configuration", ps_err_join(&err), NULL);
        return;
    }
    probe_path(plan, configuration, context, probe);
    ps_hadoop_configuration_free(configuration);
}
