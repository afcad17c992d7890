/* The bound keys of the sink hdfs (stages/sinks/hdfs/hdfs.c has the rows), and the values computed from them.
 * Thread: control. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/bucket_writer/format.h"
#include "stages/lib/hadoop/bucket_writer/sink.h"

struct ps_hdfs_sink_plan {
    const char *path, *file_prefix, *file_suffix, *in_use_prefix, *in_use_suffix, *time_zone, *round_unit;
    const char *codec, *file_type, *write_format, *serializer_type;
    const char *principal, *keytab, *proxy_user, *configuration_directory;
    const char *replication, *block_size; /* not Flume's keys: `check` names the place where they belong */
    bool empty_in_use_suffix, round, local_time, hsync, raw;
    int64_t roll_interval_s, roll_bytes, roll_events, idle_s, batch_size, open_files_max, replicas_min,
        threads, roll_threads, round_value, close_tries, retry_s, call_timeout_ms;
    int orphans;
    struct ps_pairs serializer_keys;
    struct ps_bucket_writer_settings settings;
    struct ps_hadoop_configuration *configuration; /* NULL: Hadoop's defaults */
};

/* Returns whether hdfs.path itself names the local disk. */
bool ps_hdfs_sink_plan_is_local(const struct ps_hdfs_sink_plan *plan);

/* Reads Hadoop's configuration if it exists and the path may need it; else sets NULL. */
enum ps_status ps_hdfs_sink_plan_configuration(const struct ps_hdfs_sink_plan *plan,
                                               struct ps_hadoop_configuration **configuration,
                                               struct ps_err *err);

/* Finds the directory where a relative path begins: FileSystem.getWorkingDirectory. */
enum ps_status ps_hdfs_sink_plan_home(const struct ps_hdfs_sink_plan *plan,
                                      const struct ps_hadoop_configuration *configuration,
                                      char home[PS_BUCKET_PATH_BYTES], struct ps_err *err);

/* Builds the bucket path from hdfs.path and hdfs.filePrefix. */
enum ps_status ps_hdfs_sink_plan_bucket_path(const struct ps_hdfs_sink_plan *plan,
                                             const struct ps_hadoop_configuration *configuration,
                                             struct ps_arena *arena, struct ps_bucket_path *bucket_path,
                                             struct ps_err *err);

struct ps_bucket_format_names ps_hdfs_sink_plan_format(const struct ps_hdfs_sink_plan *plan);

/* Finds the serializer of a format that has one. Reports mistakes in its keys to the context. */
enum ps_status ps_hdfs_sink_plan_serializer(struct ps_hdfs_sink_plan *plan, struct ps_context *context,
                                            struct ps_hadoop_format *format, struct ps_err *err);

/* The stage's `probe`. (stages/sinks/hdfs/probe.c) */
void ps_hdfs_sink_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);

/* The stage's `check`, which reports all mistakes in the keys. (stages/sinks/hdfs/check.c) */
enum ps_status ps_hdfs_sink_check(const void *plan, const struct ps_context *context);
