#include "stages/sinks/hdfs/keys.h"

#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/lib/hadoop/user.h"

#include <string.h>
#include <unistd.h>

bool ps_hdfs_sink_plan_is_local(const struct ps_hdfs_sink_plan *plan)
{
    return ps_bucket_url_length(plan->path) > 0 && ps_hadoop_url_is_local(plan->path);
}

enum ps_status ps_hdfs_sink_plan_configuration(const struct ps_hdfs_sink_plan *plan,
                                               struct ps_hadoop_configuration **configuration,
                                               struct ps_err *err)
{
    char room[PS_HADOOP_DIRECTORY_BYTES];
    *configuration = NULL;
    if (ps_hdfs_sink_plan_is_local(plan))
        return PS_OK;
    const char *directory = ps_hadoop_configuration_find(plan->configuration_directory, room);
    return directory == NULL ? PS_OK : ps_hadoop_configuration_load(configuration, directory, err);
}

enum ps_status ps_hdfs_sink_plan_home(const struct ps_hdfs_sink_plan *plan,
                                      const struct ps_hadoop_configuration *configuration,
                                      char home[PS_BUCKET_PATH_BYTES], struct ps_err *err)
{
    char user[PS_HADOOP_USER_BYTES];
    const char *url = ps_hadoop_url(configuration, ps_hdfs_sink_plan_is_local(plan) ? plan->path : "");
    if (!ps_hadoop_url_is_local(url)) {
        snprintf(home, PS_BUCKET_PATH_BYTES, "/user/%s",
                 plan->proxy_user != NULL ? plan->proxy_user : ps_hadoop_user(user));
        return PS_OK;
    }
    return getcwd(home, PS_BUCKET_PATH_BYTES) != NULL
               ? PS_OK
               : ps_err_set(err, "hdfs.path: the working directory is not known");
}

enum ps_status ps_hdfs_sink_plan_bucket_path(const struct ps_hdfs_sink_plan *plan,
                                             const struct ps_hadoop_configuration *configuration,
                                             struct ps_arena *arena, struct ps_bucket_path *bucket_path,
                                             struct ps_err *err)
{
    char home[PS_BUCKET_PATH_BYTES] = "";
    struct ps_escape_options escapes = {
        .value = plan->round_value, .time_zone = plan->time_zone, .local_time = plan->local_time};
    escapes.round = plan->round && ps_escape_find_unit(plan->round_unit, &escapes.unit);
    if (ps_hdfs_sink_plan_home(plan, configuration, home, err) != PS_OK)
        return PS_FAIL;
    if (ps_bucket_path_build(bucket_path, arena, plan->path, plan->file_prefix, home, &escapes, err) != PS_OK)
        return PS_FAIL;
    bucket_path->refuses_colons = !ps_hadoop_url_is_local(ps_hadoop_url(configuration, bucket_path->url));
    return PS_OK;
}

struct ps_bucket_format_names ps_hdfs_sink_plan_format(const struct ps_hdfs_sink_plan *plan)
{
    return (struct ps_bucket_format_names){
        .file_type = plan->file_type, .codec = plan->codec, .write_format = plan->write_format};
}

enum ps_status ps_hdfs_sink_plan_serializer(struct ps_hdfs_sink_plan *plan, struct ps_context *context,
                                            struct ps_hadoop_format *format, struct ps_err *err)
{
    if (format->type == PS_HADOOP_SEQUENCE_FILE)
        return PS_OK;
    format->serializer = context->sub_stage(context, PS_KIND_SERIALIZER, plan->serializer_type,
                                            &plan->serializer_keys, &format->serializer_plan, err);
    return format->serializer != NULL ? PS_OK : PS_FAIL;
}
