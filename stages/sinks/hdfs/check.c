/* `check` of the sink hdfs. Reports each mistake by its key. Drops the sink in the cases in which Flume drops it
 * (HDFSEventSink.configure, FlumeAuthenticationUtil), and if the destination cannot be written to. */
#include "stages/sinks/hdfs/keys.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/lib/hadoop/hdfs/security.h"
#include "stages/lib/hadoop/hdfs/url.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define SMALL_FILE_EVENTS 1000
#define SMALL_FILE_BYTES (INT64_C(1) << 20)

struct checking {
    const struct ps_hdfs_sink_plan *plan;
    const struct ps_context *context;
    struct ps_hadoop_configuration *configuration;
    bool failed;
};

__attribute__((format(printf, 3, 4))) static void refuse(struct checking *checking, const char *key,
                                                         const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ps_report(checking->context, PS_LOG_ERROR, key, "%s", message);
    checking->failed = true;
}

static void warn(const struct checking *checking, const char *key, const char *message)
{
    ps_report(checking->context, PS_LOG_WARN, key, "%s", message);
}

static void note(const struct checking *checking, const char *key, const char *message)
{
    ps_report(checking->context, PS_LOG_INFO, key, "%s", message);
}

/* ---- numbers ---- */

static void check_numbers(struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    if (plan->batch_size <= 0)
        refuse(checking, "hdfs.batchSize", "must be greater than 0");
    if (plan->replicas_min < -1)
        refuse(checking, "hdfs.minBlockReplicas", "must be 0 or more");
    if (plan->open_files_max <= 0)
        warn(checking, "hdfs.maxOpenFiles",
             "not above 0: counts as 1, so that each directory of a batch gets a new file again and again");
    if (plan->retry_s <= 0)
        warn(checking, "hdfs.retryInterval",
             "not above 0: a file that cannot be closed or renamed at the first try keeps its in-use name");
    if (plan->empty_in_use_suffix && plan->in_use_suffix != NULL)
        warn(checking, "hdfs.inUseSuffix", "has no effect with hdfs.emptyInUseSuffix = true");
    if (plan->empty_in_use_suffix && plan->in_use_prefix[0] == '\0')
        note(checking, "hdfs.emptyInUseSuffix",
             "files have their final names while they are written: readers see them before they are "
             "complete, and after a kill they cannot be told from complete files (penstock.orphans); "
             "hdfs.inUsePrefix = _ prevents both, and Hive and MapReduce ignore such names");
}

static bool rounding_is_wrong(struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    enum ps_escape_unit unit;
    if (!plan->round)
        return false;
    if (!ps_escape_find_unit(plan->round_unit, &unit)) {
        ps_report(checking->context, PS_LOG_WARN, "hdfs.roundUnit",
                  "%s is neither second, minute nor hour: times are not rounded, as in Flume",
                  plan->round_unit);
        return false;
    }
    int64_t most = unit == PS_ESCAPE_HOUR ? 24 : 60;
    if (plan->round_value > 0 && plan->round_value <= most)
        return false;
    refuse(checking, "hdfs.roundValue", "must be from 1 to %" PRIi64, most);
    return true;
}

/* ---- rolling ---- */

/* Returns whether the directory or name depends on the time, so that a file stays open after events have moved to the
 * next one. */
static bool depends_on_time(const char *pattern)
{
    for (const char *at = strchr(pattern, '%'); at != NULL; at = strchr(at + 2, '%')) {
        if (at[1] != '{' && at[1] != '[' && at[1] != '\0')
            return true;
        if (at[1] == '\0')
            return false;
    }
    return false;
}

static void check_rolling(const struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    bool by_time = plan->roll_interval_s > 0, by_bytes = plan->roll_bytes > 0,
         by_events = plan->roll_events > 0, when_idle = plan->idle_s > 0;
    if (!by_time && !by_bytes && !by_events && !when_idle)
        warn(checking, "hdfs.rollInterval",
             "hdfs.rollInterval, hdfs.rollSize, hdfs.rollCount and hdfs.idleTimeout are all 0: a file is "
             "closed, and gets its final name, only when the agent stops; set one of them");
    else if (!by_time && !when_idle && (depends_on_time(plan->path) || depends_on_time(plan->file_prefix)))
        note(checking, "hdfs.idleTimeout",
             "is 0, and so is hdfs.rollInterval: the last file of each period keeps its in-use name until "
             "the agent stops; set one of the two keys");
    if (ps_hdfs_sink_plan_is_local(plan))
        return;
    char message[256];
    if (by_events && plan->roll_events < SMALL_FILE_EVENTS) {
        snprintf(message, sizeof message,
                 "a new file after %s %s: many small files, of which a namenode keeps each in its "
                 "memory; 0 means no limit, hdfs.rollSize = 134217728 a block",
                 ps_quantity_print_count((uint64_t)plan->roll_events).text,
                 ps_quantity_word((uint64_t)plan->roll_events, "event", "events"));
        note(checking, "hdfs.rollCount", message);
    } else if (by_bytes && plan->roll_bytes < SMALL_FILE_BYTES) {
        snprintf(message, sizeof message,
                 "a new file after %s bytes: many small files, of which a namenode keeps each in its memory; "
                 "0 means no limit, 134217728 a block",
                 ps_quantity_print_count((uint64_t)plan->roll_bytes).text);
        note(checking, "hdfs.rollSize", message);
    }
}

/* ---- the format ---- */

/* SequenceFile has no serializer. Leaving out the file type is the most frequent mistake with this sink. */
static void warn_about_serializer(const struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    static const char message[] =
        "has no effect with hdfs.fileType SequenceFile: use DataStream or CompressedStream";
    if (strcasecmp(plan->serializer_type, "TEXT") != 0)
        warn(checking, "serializer", message);
    for (size_t i = 0; i < plan->serializer_keys.count; i++)
        warn(checking,
             ps_arena_format(checking->context->arena, "serializer.%s", plan->serializer_keys.items[i].key),
             message);
}

/* Reports settings of Hadoop's codecs that have no effect: here each codec has the default settings. */
static void note_codecs(const struct checking *checking)
{
    static const char *const keys[] = {
        "io.seqfile.compress.blocksize",
        "io.compression.codec.zstd.level",
        "io.compression.codec.lz4.buffersize",
        "io.compression.codec.lz4.use.lz4hc",
        "io.compression.codec.snappy.buffersize",
        "io.compression.codec.bzip2.library",
        "zlib.compress.level",
        "zlib.compress.strategy",
    };
    for (size_t i = 0; i < PS_COUNT_OF(keys) && checking->plan->codec != NULL; i++) {
        if (ps_hadoop_configuration_text(checking->configuration, keys[i]) != NULL)
            ps_report(checking->context, PS_LOG_INFO, "hdfs.codeC",
                      "%s: %s has no effect: Hadoop's default is used",
                      ps_hadoop_configuration_place(checking->configuration, keys[i]), keys[i]);
    }
}

static void check_format(struct checking *checking)
{
    struct ps_hdfs_sink_plan plan = *checking->plan;
    const struct ps_bucket_format_names names = ps_hdfs_sink_plan_format(&plan);
    struct ps_hadoop_format format = {.text = false};
    struct ps_err err = {.length = 0};
    const char *key;
    if (ps_bucket_format_find(&names, &format, &key, &err) != PS_OK) {
        refuse(checking, key, "%s", ps_err_join(&err));
        if (strcmp(key, "hdfs.fileType") == 0)
            return;
    }
    if (format.type == PS_HADOOP_SEQUENCE_FILE)
        warn_about_serializer(checking);
    else if (ps_hdfs_sink_plan_serializer(&plan, (struct ps_context *)(uintptr_t)checking->context, &format,
                                          &err) != PS_OK)
        checking->failed = true; /* it has reported the reason */
    if (format.type != PS_HADOOP_SEQUENCE_FILE && strcmp(plan.write_format, "Writable") != 0)
        note(checking, "hdfs.writeFormat",
             "has no effect: only records of hdfs.fileType SequenceFile have it");
}

/* ---- the file system ---- */

/* Warns that the path is on the local disk: Flume users often have no HADOOP_CONF_DIR, because flume-ng asks the
 * command hadoop. */
static void warn_about_disk(const struct checking *checking)
{
    if (ps_bucket_url_length(checking->plan->path) > 0 ||
        ps_hadoop_configuration_text(checking->configuration, "fs.defaultFS") != NULL)
        return;
    warn(checking, "hdfs.path",
         "it names no file system, and no core-site.xml with fs.defaultFS was found (penstock.hadoop.conf, "
         "HADOOP_CONF_DIR, HADOOP_HOME, /etc/hadoop/conf): the files go to the local disk of this machine; "
         "set HADOOP_CONF_DIR, or begin the path with hdfs:// or file://");
}

/* Reports an error whose text begins with its key: "hdfs.filePrefix: ..". */
static void refuse_path(struct checking *checking, const char *text)
{
    static const char *const keys[] = {"hdfs.filePrefix", "hdfs.path"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        size_t length = strlen(keys[i]);
        if (strncmp(text, keys[i], length) == 0 && strncmp(text + length, ": ", 2) == 0) {
            refuse(checking, keys[i], "%s", text + length + 2);
            return;
        }
    }
    refuse(checking, "hdfs.path", "%s", text);
}

static void check_url(struct checking *checking)
{
    enum ps_log_level severity;
    char advice[PS_HADOOP_ADVICE_BYTES];
    if (!ps_hadoop_url_advise(checking->configuration, checking->plan->path, &severity, advice))
        return;
    if (severity == PS_LOG_ERROR)
        refuse(checking, "hdfs.path", "%s", advice);
    else
        ps_report(checking->context, severity, "hdfs.path", "%s", advice);
}

/* HDFS accepts no colon in a name (DFSUtil.isValidName), so no file could be created. */
static void check_colons(struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    const struct {
        const char *key, *pattern;
    } parts[] = {
        {"hdfs.path", plan->path + ps_bucket_url_length(plan->path)},
        {"hdfs.filePrefix", plan->file_prefix},
        {"hdfs.fileSuffix", plan->file_suffix},
        {"hdfs.inUsePrefix", plan->in_use_prefix},
        {"hdfs.inUseSuffix", plan->in_use_suffix},
    };
    if (strstr(parts[0].pattern, "://") != NULL) {
        refuse(checking, "hdfs.path",
               "this looks like two URLs: name one; events that go to several directories need a channel "
               "and a sink for each");
        return;
    }
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        if (parts[i].pattern != NULL && ps_escape_writes(parts[i].pattern, ':'))
            refuse(checking, parts[i].key, "HDFS takes no colon in the name of a file or directory: write %s",
                   strstr(parts[i].pattern, "%c") != NULL ? "the parts of %c one by one, without a colon"
                                                          : "another character, such as - or _");
    }
}

/* Refuses "..": prefixes and suffixes may have slashes, but a file must be inside the directory of hdfs.path. */
static void check_parents(struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    const struct {
        const char *key, *text;
    } parts[] = {
        {"hdfs.fileSuffix", plan->file_suffix},
        {"hdfs.inUsePrefix", plan->in_use_prefix},
        {"hdfs.inUseSuffix", plan->in_use_suffix},
    };
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        const char *text = parts[i].text != NULL ? parts[i].text : "";
        const char *path = ps_arena_format(checking->context->arena, "/%s", text);
        if (ps_bucket_path_has_parent(path, (uint32_t)strlen(path)))
            refuse(checking, parts[i].key, "it has a component \"..\": write the directory in hdfs.path");
    }
}

static void check_path(struct checking *checking)
{
    struct ps_hdfs_sink_plan plan = *checking->plan;
    struct ps_bucket_path bucket_path;
    struct ps_err err = {.length = 0};
    ps_escape_check(checking->context, "hdfs.path", plan.path);
    ps_escape_check(checking->context, "hdfs.filePrefix", plan.file_prefix);
    plan.round = plan.round && !rounding_is_wrong(checking); /* otherwise it would be reported twice */
    ps_escape_check_zone(checking->context, "hdfs.timeZone", plan.time_zone);
    if (ps_hdfs_sink_plan_bucket_path(&plan, checking->configuration, checking->context->arena, &bucket_path,
                                      &err) != PS_OK) {
        refuse_path(checking, ps_err_join(&err));
        return;
    }
    if (bucket_path.refuses_colons)
        check_colons(checking);
    check_parents(checking);
    if (plan.hsync && strstr(ps_hadoop_url(checking->configuration, bucket_path.url), "webhdfs:") != NULL)
        refuse(checking, "penstock.hsync",
               "there is no hsync through WebHDFS: write to hdfs://, or leave it out");
}

/* Checks the keys of Kerberos: FlumeAuthenticationUtil.getAuthenticator needs both keys or none. */
static void check_security(struct checking *checking)
{
    const struct ps_hdfs_sink_plan *plan = checking->plan;
    const struct ps_hadoop_settings settings = {.configuration = checking->configuration,
                                                .kerberos_principal = plan->principal,
                                                .keytab = plan->keytab};
    if (plan->principal != NULL && plan->keytab == NULL)
        refuse(
            checking, "hdfs.kerberosPrincipal",
            "also needs hdfs.kerberosKeytab; without both the tickets of the default cache (kinit) are used");
    else if (plan->principal == NULL && plan->keytab != NULL)
        refuse(checking, "hdfs.kerberosKeytab",
               "also needs hdfs.kerberosPrincipal: klist -kt shows the principals of its keys");
    else if (!ps_hdfs_sink_plan_is_local(plan) &&
             ps_hadoop_security_check(&settings, checking->context) != PS_OK)
        checking->failed = true;
}

enum ps_status ps_hdfs_sink_check(const void *plan_, const struct ps_context *context)
{
    struct checking checking = {.plan = plan_, .context = context};
    struct ps_err err = {.length = 0};
    check_numbers(&checking);
    check_rolling(&checking);
    check_format(&checking);
    if (ps_hdfs_sink_plan_configuration(checking.plan, &checking.configuration, &err) != PS_OK) {
        refuse(&checking, "penstock.hadoop.conf", "%s", ps_err_join(&err));
        return PS_FAIL;
    }
    note_codecs(&checking);
    check_path(&checking);
    check_url(&checking);
    warn_about_disk(&checking);
    check_security(&checking);
    ps_hadoop_configuration_free(checking.configuration);
    return checking.failed ? PS_FAIL : PS_OK;
}
