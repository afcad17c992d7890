/* Files of a table that is not transactional. The sink hdfs (stages/lib/hadoop/bucket_writer/) writes, rolls and renames them. This file adds the
 * directory of each event, from the metastore's data about its partition, and the line of each event.
 *
 * The name of a file that is being written begins with "_", so Hive ignores the file; it is renamed when it is
 * complete. A missing partition is created before its first file. Events are settled when they are acknowledged in an
 * incomplete file: the next agent completes and renames the files of a killed one (orphans.c). Names of files begin
 * with agent, sink and host, so that no other agent mistakes them for orphans. */
#include "stages/sinks/hive/internal.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "the files of a table of Hive"
#define RENAME_REST_NS (60 * PS_NS_PER_S) /* interval of tries */
#define LINE_KEPT_BYTES 65536U

struct rows_plan { /* plan of the serializer below */
    struct ps_hive_files *files;
};

struct ps_hive_files {
    struct ps_bucket_placer placer; /* must be first */
    struct ps_hive_sink *sink;
    struct ps_bucket_writer_settings settings;
    struct rows_plan rows;
    struct ps_bucket_writer *hdfs;
    struct ps_byte_buffer line;     /* line of the next event */
    struct ps_log_backoff trouble;  /* there is no memory for a line */
    struct ps_hive_partition *last; /* partition of the previous event in the same call; NULL: none */
    char *prefix;                   /* prefix of the files' names */
    char *directory;                /* directory of the table */
};

/* ---- files of events ---- */

/* Returns the length of a directory without slashes at its end. */
static int length_of(const char *directory)
{
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    return (int)length;
}

/* Returns the name of the partition's bucket: its directory and the prefix. */
static const char *bucket_path_of(const struct ps_hive_files *files, struct ps_hive_partition *partition)
{
    if (partition->bucket_path == NULL &&
        asprintf(&partition->bucket_path, "%.*s/%s", length_of(partition->directory), partition->directory,
                 files->prefix) < 0)
        abort();
    return partition->bucket_path;
}

static bool is_last(const struct ps_hive_files *files, const char *key, uint32_t length)
{
    return files->last != NULL && files->last->key_length == length &&
           memcmp(files->last->key, key, length) == 0;
}

static enum ps_bucket_placed find_bucket(struct ps_bucket_placer *placer, const struct ps_lease *lease,
                                         uint32_t position, const struct ps_now *,
                                         struct ps_bucket_name *name, const char **flaw)
{
    struct ps_hive_files *files = (struct ps_hive_files *)(void *)placer;
    char key[PS_HIVE_VALUES_BYTES];
    uint32_t length;
    *flaw = ps_hive_key_of(files->sink, lease, position, key, &length);
    if (*flaw != NULL)
        return PS_BUCKET_UNPLACEABLE;
    if (!is_last(files, key, length))
        files->last = ps_hive_partition_get(files->sink, key, length);
    if (files->last == NULL || !ps_hive_partition_find(files->last))
        return PS_BUCKET_PLACE_LATER;
    name->text = bucket_path_of(files, files->last);
    name->length = (uint32_t)strlen(name->text);
    name->directory_length = name->length - (uint32_t)strlen(files->prefix) - 1;
    return PS_BUCKET_PLACED;
}

/* ---- lines: a serializer ---- */

/* Reads the event's body and makes its line. REFUSED: it is not a row of this table. */
static enum ps_hive_line make_line(struct ps_hive_files *files, const struct ps_event *event,
                                   struct ps_err *reason)
{
    const struct ps_hive_sink *sink = files->sink;
    struct ps_orc_value row;
    ps_byte_buffer_clear(&files->line, LINE_KEPT_BYTES);
    if (ps_hive_rows_read(sink->rows, event->body, event->body_length, &row, reason))
        return ps_hive_text_append(&sink->table.text, sink->table.type, &row, &files->line, reason);
    return sink->rows->lacks_memory ? PS_HIVE_LINE_NO_MEMORY : PS_HIVE_LINE_REFUSED;
}

static void explain(struct ps_bucket_placer *placer, const struct ps_lease *lease, uint32_t position,
                    struct ps_err *reason)
{
    (void)make_line((struct ps_hive_files *)(void *)placer, ps_lease_event(lease, position), reason);
}

/* Reports once that there is no memory for a line; the bucket writer asks again every 10 ms. */
static enum ps_serializer_answer wait_for_memory(struct ps_hive_files *files, struct ps_err *reason)
{
    const struct ps_hive_sink *sink = files->sink;
    const char *text = ps_err_join(reason);
    if (ps_log_backoff_says(&files->trouble, text, sink->now.mono_ns))
        ps_log(PS_LOG_ERROR, sink->port->component, "an event cannot be written: %s; it waits", text);
    return PS_SERIALIZER_LATER;
}

/* Without dead letters, an event that is not a row is dropped, as in Flume: its line is empty. */
static enum ps_serializer_answer rows_ready(const void *plan, void *, const struct ps_batch *,
                                            const struct ps_event *event, struct ps_err *reason)
{
    struct ps_hive_files *files = ((const struct rows_plan *)plan)->files;
    const struct ps_port *port = files->sink->port;
    enum ps_hive_line made = make_line(files, event, reason);
    if (made == PS_HIVE_LINE_NO_MEMORY)
        return wait_for_memory(files, reason);
    if (made == PS_HIVE_LINE_WRITTEN)
        return PS_SERIALIZER_READY;
    files->line.length = 0;
    ps_count(port->counters, PS_COUNTER_malformed, 1);
    if (ps_port_has_deadletter(port))
        return PS_SERIALIZER_REFUSED;
    ps_log(PS_LOG_WARN, port->component, "an event is not a row, and is dropped: %s", ps_err_join(reason));
    return PS_SERIALIZER_READY;
}

static bool rows_event(const void *plan, void *, const struct ps_batch *, const struct ps_event *,
                       struct ps_output *output)
{
    const struct ps_byte_buffer *line = &((const struct rows_plan *)plan)->files->line;
    return line->length == 0 || output->write(output, line->data, line->length);
}

static const struct ps_serializer_ops rows_serializer = {.ready = rows_ready, .event = rows_event};

static const struct ps_stage_ops rows_stage = {PS_STAGE(PS_KIND_SERIALIZER), .name = "rows of Hive",
                                               .summary = "lines of a table of text or JSON",
                                               .serializer = &rows_serializer};

/* ---- open and close ---- */

static struct ps_bucket_writer_settings settings_of(struct ps_hive_files *files)
{
    const struct ps_hive_settings *settings = files->sink->settings;
    const struct ps_hive_plain_settings *plain = &settings->plain;
    struct ps_hadoop_format format = plain->format;
    format.serializer = &rows_stage;
    format.serializer_plan = &files->rows;
    return (struct ps_bucket_writer_settings){
        .bucket_path = {.url = files->sink->url,
                        .root = files->directory,
                        .depth = files->sink->table.key_count,
                        .prefix_begins = files->prefix,
                        .prefix_is_whole = true},
        .placer = &files->placer,
        .in_use_prefix = "_",
        .in_use_suffix = ".tmp",
        .file_suffix = plain->file_suffix,
        .roll_interval_ns = plain->roll_interval_ns,
        .roll_bytes = plain->roll_bytes,
        .roll_events = plain->roll_events,
        .idle_ns = settings->idle_ns,
        .open_files_max = settings->partitions_max,
        .replicas_min = -1,
        .close_tries = PS_BUCKET_TRIES_ENDLESS,
        .retry_ns = RENAME_REST_NS,
        .call_timeout_ns = settings->call_timeout_ns,
        .flush = plain->flush,
        .recovers_orphans = plain->recovers_orphans,
        .is_lines = format.type == PS_HADOOP_DATA_STREAM,
        .held_bytes_max = settings->held_bytes_max,
        .format = format,
    };
}

struct ps_hive_files *ps_hive_files_open(struct ps_hive_sink *sink, struct ps_err *err)
{
    struct ps_hive_files *files = ps_must_alloc(1, sizeof(*files), PURPOSE);
    const struct ps_port *port = sink->port;
    char instance[16] = "";
    files->placer = (struct ps_bucket_placer){.find = find_bucket, .explain = explain};
    files->sink = sink;
    files->rows.files = files;
    if (port->instances > 1)
        snprintf(instance, sizeof instance, "-%u", port->instance);
    if (asprintf(&files->prefix, "%s-%s%s-%s", sink->settings->plain.agent, port->name, instance,
                 sink->settings->host) < 0)
        abort();
    const char *directory = sink->table.location + ps_bucket_url_length(sink->table.location);
    files->directory = ps_must_copy_text(directory, PURPOSE);
    files->directory[length_of(directory)] = '\0';
    files->settings = settings_of(files);
    files->hdfs = ps_bucket_writer_open(&files->settings, sink->filesystem, sink->port, err);
    if (files->hdfs == NULL) {
        ps_hive_files_close(files);
        return NULL;
    }
    sink->filesystem = NULL;
    return files;
}

void ps_hive_files_close(struct ps_hive_files *files)
{
    if (files == NULL)
        return;
    ps_bucket_writer_close(files->hdfs);
    free(files->line.data);
    free(files->prefix);
    free(files->directory);
    free(files);
}

/* ---- the worker's ---- */

enum ps_result ps_hive_files_work(struct ps_hive_files *files, struct ps_lease **lease)
{
    files->last = NULL;
    return ps_bucket_writer_work(files->hdfs, lease, &files->sink->now);
}

uint64_t ps_hive_files_tick(struct ps_hive_files *files)
{
    files->last = NULL;
    return ps_bucket_writer_tick(files->hdfs, &files->sink->now);
}

bool ps_hive_files_drain(struct ps_hive_files *files)
{
    files->last = NULL;
    return ps_bucket_writer_drain(files->hdfs, &files->sink->now);
}

bool ps_hive_files_recall(struct ps_hive_files *files, struct ps_lease **back)
{
    return ps_bucket_writer_recall(files->hdfs, back, &files->sink->now);
}
