/* Sink hdfs (Flume's HDFSEventSink): events into files of HDFS or of the local disk, which it rolls and renames. Thread: its
 * worker. Delivery: stages/lib/hadoop/bucket_writer/sink.h. */
#include "core/stage.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/sinks/hdfs/keys.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_NS (10 * UINT64_C(365) * 86400 * PS_NS_PER_S) /* longer times count as never */

struct hdfs_state {
    struct ps_bucket_writer *sink; /* must be first (ps_bucket_writer_ops) */
};

enum { REPORT, RECOVER }; /* values of penstock.orphans */

#define FIELD(name) offsetof(struct ps_hdfs_sink_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "hdfs.path", TEXT, FIELD(path),
        "directory of the files, with escapes: hdfs://namenode:8020/logs/%Y-%m-%d; without a scheme that of "
        "fs.defaultFS; file:///var/log/events is the local disk",
        .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("hdfs.filePrefix", TEXT, FIELD(file_prefix), "beginning of file names, with escapes",
                  .fallback = "FlumeData"),
    PS_OPTION_ROW("hdfs.fileSuffix", TEXT, FIELD(file_suffix),
                  "end of file names, with its dot; unset: that of the codec", .fallback = ""),
    PS_OPTION_ROW("hdfs.inUsePrefix", TEXT, FIELD(in_use_prefix),
                  "put before the name of a file that is being written", .fallback = ""),
    PS_OPTION_ROW("hdfs.inUseSuffix", TEXT, FIELD(in_use_suffix),
                  "appended to the name of a file that is being written; unset: .tmp"),
    PS_OPTION_ROW("hdfs.emptyInUseSuffix", BOOL, FIELD(empty_in_use_suffix),
                  "append nothing to the name of a file that is being written", .fallback = "false"),
    PS_OPTION_ROW("hdfs.rollInterval", INT, FIELD(roll_interval_s),
                  "age at which a file is closed; 0: no limit", .fallback = "30", .unit = "s"),
    PS_OPTION_ROW(
        "hdfs.rollSize", INT, FIELD(roll_bytes),
        "bytes of bodies in a file, before compression, after which the next event begins another; 0: "
        "no limit",
        .fallback = "1024", .unit = "bytes"),
    PS_OPTION_ROW("hdfs.rollCount", INT, FIELD(roll_events),
                  "events in a file after which the next event begins another; 0: no limit", .fallback = "10",
                  .unit = "events"),
    PS_OPTION_ROW("hdfs.idleTimeout", INT, FIELD(idle_s),
                  "time without a write after which a file is closed; 0: no limit", .fallback = "0",
                  .min = INT32_MIN, .max = INT32_MAX, .unit = "s"),
    PS_OPTION_ROW(
        "hdfs.batchSize", INT, FIELD(batch_size),
        "events between two flushes; here all events of one turn of the worker are flushed together",
        .fallback = "100", .unit = "events", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("hdfs.fileType", TEXT, FIELD(file_type),
                  "SequenceFile, DataStream (what the serializer writes) or CompressedStream",
                  .fallback = "SequenceFile"),
    PS_OPTION_ROW("hdfs.writeFormat", TEXT, FIELD(write_format),
                  "records of a SequenceFile: Writable or Text", .fallback = "Writable"),
    PS_OPTION_ROW(
        "hdfs.codeC", TEXT, FIELD(codec),
        "compression of SequenceFile and CompressedStream: gzip, bzip2, deflate, lz4, snappy, zstandard"),
    PS_OPTION_ROW("serializer", TEXT, FIELD(serializer_type),
                  "of DataStream and CompressedStream: text, header_and_text, json or avro_event",
                  .fallback = "TEXT"),
    PS_OPTION_ROW("serializer.", MAP, FIELD(serializer_keys), "keys of the serializer"),
    PS_OPTION_ROW(
        "hdfs.maxOpenFiles", INT, FIELD(open_files_max),
        "maximum number of open files; beyond it the file to which nothing was written for the longest "
        "time is closed",
        .fallback = "5000", .min = INT32_MIN, .max = INT32_MAX, .unit = "files"),
    PS_OPTION_ROW(
        "hdfs.minBlockReplicas", INT, FIELD(replicas_min),
        "minimum number of replicas of a block; a file with fewer is closed, at most 30 times in a row; "
        "unset: the number that the file system makes, at most 3 times in a row",
        .fallback = "-1"),
    PS_OPTION_ROW(
        "hdfs.closeTries", INT, FIELD(close_tries),
        "maximum number of tries to complete a file that could not be closed, and to rename it; 0: no "
        "limit",
        .fallback = "0", .min = INT32_MIN, .max = INT32_MAX),
    PS_OPTION_ROW("hdfs.retryInterval", INT, FIELD(retry_s),
                  "time between these tries; 0 or less: one try only", .fallback = "180", .unit = "s"),
    PS_OPTION_ROW("hdfs.callTimeout", INT, FIELD(call_timeout_ms),
                  "longest time of one operation (create, flush, close, rename); 0: no limit",
                  .fallback = "30000", .unit = "ms"),
    PS_OPTION_ROW("hdfs.threadsPoolSize", INT, FIELD(threads),
                  "threads for operations; here the worker has any number of them under way",
                  .fallback = "10", .min = INT32_MIN, .max = INT32_MAX, .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("hdfs.rollTimerPoolSize", INT, FIELD(roll_threads),
                  "threads that roll by time; here the worker does it", .fallback = "1", .min = INT32_MIN,
                  .max = INT32_MAX, .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("hdfs.round", BOOL, FIELD(round),
                  "round times in escapes, except %t, down to a multiple of roundValue", .fallback = "false"),
    PS_OPTION_ROW("hdfs.roundValue", INT, FIELD(round_value), "at most 60, or 24 hours", .fallback = "1",
                  .min = INT32_MIN, .max = INT32_MAX),
    PS_OPTION_ROW("hdfs.roundUnit", TEXT, FIELD(round_unit), "second, minute or hour", .fallback = "second"),
    PS_OPTION_ROW("hdfs.timeZone", TEXT, FIELD(time_zone),
                  "time zone of times in escapes, for example Europe/Berlin; unset: that of the process"),
    PS_OPTION_ROW("hdfs.useLocalTimeStamp", BOOL, FIELD(local_time),
                  "use in escapes the time at which an event is written, not its header timestamp",
                  .fallback = "false"),
    PS_OPTION_ROW("hdfs.kerberosPrincipal", TEXT, FIELD(principal),
                  "Kerberos principal; _HOST is the name of this host"),
    PS_OPTION_ROW("hdfs.kerberosKeytab", TEXT, FIELD(keytab), "file with the principal's keys"),
    PS_OPTION_ROW("hdfs.proxyUser", TEXT, FIELD(proxy_user), "the user in whose name files are written"),
    PS_OPTION_ROW("hdfs.useRawLocalFileSystem", BOOL, FIELD(raw),
                  "write no .crc file beside a file of the local disk; here none is written",
                  .fallback = "false", .flags = PS_OPTION_NO_EFFECT),
    /* Flume does not have these two keys, but many agent files do. */
    PS_OPTION_ROW("hdfs.replication", TEXT, FIELD(replication),
                  "Flume ignores it as well: the number of copies is dfs.replication of hdfs-site.xml "
                  "(penstock.hadoop.conf, HADOOP_CONF_DIR), else the server's default",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("hdfs.blockSize", TEXT, FIELD(block_size),
                  "Flume ignores it as well: the size of blocks is dfs.blocksize of hdfs-site.xml "
                  "(penstock.hadoop.conf, HADOOP_CONF_DIR), else the server's default",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW(
        "penstock.hadoop.conf", TEXT, FIELD(configuration_directory),
        "directory with core-site.xml and hdfs-site.xml; unset: HADOOP_CONF_DIR, else etc/hadoop of "
        "HADOOP_HOME, else /etc/hadoop/conf",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.orphans", ENUM, FIELD(orphans),
                  "files with the in-use suffix that an earlier process left: report logs and counts them; "
                  "recover completes and renames those whose writers are gone",
                  .fallback = "report", .words = PS_WORDS("report", "recover"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.hsync", BOOL, FIELD(hsync),
        "count events as delivered when they are on the disks of the datanodes (hsync), not in their "
        "memory (hflush)",
        .fallback = "false", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- build ---- */

/* Returns a time of `number` units. One that is not positive, or longer than LONGEST_NS, counts as never, which the setting
 * has as `never_ns`. */
static uint64_t time_ns(int64_t number, uint64_t unit_ns, uint64_t never_ns)
{
    if (number <= 0 || (uint64_t)number > LONGEST_NS / unit_ns)
        return never_ns;
    return (uint64_t)number * unit_ns;
}

static uint64_t positive(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

static enum ps_status hdfs_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct ps_hdfs_sink_plan *plan = plan_;
    struct ps_bucket_writer_settings *settings = &plan->settings;
    const char *key;
    const char *suffix = plan->in_use_suffix != NULL ? plan->in_use_suffix : ".tmp";
    *settings = (struct ps_bucket_writer_settings){
        .in_use_prefix = plan->in_use_prefix,
        .in_use_suffix = plan->empty_in_use_suffix ? "" : suffix,
        .file_suffix = plan->file_suffix,
        .roll_interval_ns = time_ns(plan->roll_interval_s, PS_NS_PER_S, 0),
        .roll_bytes = positive(plan->roll_bytes),
        .roll_events = positive(plan->roll_events),
        .idle_ns = time_ns(plan->idle_s, PS_NS_PER_S, 0),
        .open_files_max = plan->open_files_max > 0 ? (uint32_t)plan->open_files_max : 1,
        .replicas_min = plan->replicas_min,
        .close_tries = plan->close_tries > 0 ? (uint32_t)plan->close_tries : PS_BUCKET_TRIES_ENDLESS,
        .retry_ns = plan->retry_s > 0 ? time_ns(plan->retry_s, PS_NS_PER_S, LONGEST_NS) : 0,
        .call_timeout_ns = time_ns(plan->call_timeout_ms, PS_NS_PER_MS, LONGEST_NS),
        .flush = plan->hsync ? PS_FILE_HSYNC : PS_FILE_HFLUSH,
        .recovers_orphans = plan->orphans == RECOVER,
        .held_bytes_max = context->client_queue_bytes,
    };
    if (plan->retry_s <= 0)
        settings->close_tries = 1;
    const struct ps_bucket_format_names names = ps_hdfs_sink_plan_format(plan);
    if (ps_bucket_format_find(&names, &settings->format, &key, err) != PS_OK)
        return PS_FAIL;
    if (plan->file_suffix[0] == '\0')
        settings->file_suffix = ps_bucket_format_suffix(&names, &settings->format);
    if (ps_hdfs_sink_plan_serializer(plan, context, &settings->format, err) != PS_OK ||
        ps_hdfs_sink_plan_configuration(plan, &plan->configuration, err) != PS_OK)
        return PS_FAIL;
    if (ps_hdfs_sink_plan_bucket_path(plan, plan->configuration, context->arena, &settings->bucket_path,
                                      err) == PS_OK)
        return PS_OK;
    ps_hadoop_configuration_free(plan->configuration);
    return PS_FAIL;
}

static void hdfs_teardown(void *plan_)
{
    struct ps_hdfs_sink_plan *plan = plan_;
    ps_hadoop_configuration_free(plan->configuration);
}

/* ---- the worker's ---- */

static enum ps_status hdfs_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_hdfs_sink_plan *plan = plan_;
    struct hdfs_state *state = state_;
    struct ps_filesystem *filesystem;
    const struct ps_hadoop_settings settings = {
        .configuration = plan->configuration,
        .url = plan->settings.bucket_path.url,
        .proxy_user = plan->proxy_user,
        .kerberos_principal = plan->principal,
        .keytab = plan->keytab,
        .call_timeout_ns = plan->settings.call_timeout_ns,
        .port = port,
    };
    if (ps_hadoop_open(&settings, &filesystem, err) != PS_OK)
        return PS_FAIL;
    state->sink = ps_bucket_writer_open(&plan->settings, filesystem, port, err);
    if (state->sink != NULL)
        return PS_OK;
    ps_filesystem_close(filesystem);
    return PS_FAIL;
}

static void hdfs_close(const void *, void *state_)
{
    struct hdfs_state *state = state_;
    ps_bucket_writer_close(state->sink);
}

/* ---- files and outline ---- */

static void hdfs_files(const void *plan_, void (*add)(void *argument, const char *path), void *argument)
{
    static const char *const names[] = {"core-site.xml", "hdfs-site.xml", "ssl-client.xml", NULL};
    const struct ps_hdfs_sink_plan *plan = plan_;
    if (ps_hdfs_sink_plan_is_local(plan))
        return;
    ps_hadoop_configuration_files(plan->configuration_directory, names, add, argument);
    if (ps_hadoop_credentials_path() != NULL)
        add(argument, ps_hadoop_credentials_path());
}

/* Writes the path with the file system's URL, and with the directory where a relative path begins. */
static void outline_path(const struct ps_hdfs_sink_plan *plan, FILE *out)
{
    struct ps_hadoop_configuration *configuration = NULL;
    char home[PS_BUCKET_PATH_BYTES];
    struct ps_err err = {.length = 0};
    size_t length = ps_bucket_url_length(plan->path);
    char *own = strndup(plan->path, length);
    if (own != NULL && ps_hdfs_sink_plan_configuration(plan, &configuration, &err) == PS_OK) {
        const char *url = ps_hadoop_url(configuration, own);
        fprintf(out, "%.*s", (int)ps_bucket_url_length(url), url);
        bool relative = plan->path[length] != '/' && plan->path[length] != '\0';
        if (relative && ps_hdfs_sink_plan_home(plan, configuration, home, &err) == PS_OK)
            fprintf(out, "%s/", home);
    }
    fputs(plan->path + length, out);
    ps_hadoop_configuration_free(configuration);
    free(own);
}

static void hdfs_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct ps_hdfs_sink_plan *plan = plan_;
    fprintf(out, "writes %s files in ", plan->file_type);
    outline_path(plan, out);
    ps_bucket_outline_rolls(plan->roll_interval_s, plan->roll_bytes, plan->roll_events, out);
}

static const char *const counter_names[] = {PS_BUCKET_COUNTER_NAMES, NULL};
static const char *const counter_helps[] = {PS_BUCKET_COUNTER_HELPS, NULL};

const struct ps_stage_ops ps_sink_hdfs = {
    PS_STAGE(PS_KIND_SINK),
    .name = "hdfs",
    .aliases = PS_WORDS("org.apache.flume.sink.hdfs.HDFSEventSink"),
    .summary = "writes files in HDFS, one for each directory and prefix that escapes name, and rolls them",
    .options = options,
    .counters = counter_names,
    .counter_helps = counter_helps,
    .client_holds_events = true,
    .plan_size = sizeof(struct ps_hdfs_sink_plan),
    .state_size = sizeof(struct hdfs_state),
    .check = ps_hdfs_sink_check,
    .probe = ps_hdfs_sink_probe,
    .build = hdfs_build,
    .teardown = hdfs_teardown,
    .open = hdfs_open,
    .close = hdfs_close,
    .outline = hdfs_outline,
    .files = hdfs_files,
    .sink = &ps_bucket_writer_ops,
};
