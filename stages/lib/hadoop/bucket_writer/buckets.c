#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <stdlib.h>
#include <string.h>

#define ROLLS_MAX 30U                /* BucketWriter.maxConsecUnderReplRotations */
#define FUTILE_ROLLS_MAX 3U          /* limit without the key hdfs.minBlockReplicas */
#define LATER_NS (10 * PS_NS_PER_MS) /* interval of tries while a serializer waits for something */
#define LETTER_NS PS_NS_PER_MS       /* the same while a dead letter is written */

/* ---- the table ---- */

struct ps_bucket *ps_bucket_table_find(const struct ps_bucket_table *table, const struct ps_bucket_name *name,
                                       uint32_t hash)
{
    if (table->chain_count == 0)
        return NULL;
    struct ps_bucket *bucket = table->chains[hash & (table->chain_count - 1)];
    while (bucket != NULL && (bucket->hash != hash || bucket->length != name->length ||
                              bucket->directory_length != name->directory_length ||
                              memcmp(bucket->name, name->text, name->length) != 0))
        bucket = bucket->same_hash;
    return bucket;
}

static bool table_grow(struct ps_bucket_table *table)
{
    uint32_t chain_count = table->chain_count == 0 ? 64 : 2 * table->chain_count;
    struct ps_bucket **chains = calloc(chain_count, sizeof(struct ps_bucket *));
    if (chains == NULL)
        return table->chain_count > 0;
    for (uint32_t i = 0; i < table->chain_count; i++) {
        for (struct ps_bucket *bucket = table->chains[i], *next; bucket != NULL; bucket = next) {
            next = bucket->same_hash;
            struct ps_bucket **chain = &chains[bucket->hash & (chain_count - 1)];
            bucket->same_hash = *chain;
            *chain = bucket;
        }
    }
    free(table->chains);
    table->chains = chains;
    table->chain_count = chain_count;
    return true;
}

struct ps_bucket *ps_bucket_table_add(struct ps_bucket_table *table, const struct ps_bucket_name *name,
                                      uint32_t hash)
{
    if (table->count >= table->chain_count && !table_grow(table))
        return NULL;
    struct ps_bucket *bucket = calloc(1, sizeof *bucket + name->length);
    if (bucket == NULL)
        return NULL;
    bucket->hash = hash;
    bucket->length = name->length;
    bucket->directory_length = name->directory_length;
    memcpy(bucket->name, name->text, name->length);
    struct ps_bucket **chain = &table->chains[hash & (table->chain_count - 1)];
    bucket->same_hash = *chain;
    *chain = bucket;
    table->count++;
    return bucket;
}

/* Removes the bucket from the table and frees it. */
static void table_remove(struct ps_bucket_table *table, struct ps_bucket *bucket)
{
    struct ps_bucket **place = &table->chains[bucket->hash & (table->chain_count - 1)];
    while (*place != bucket)
        place = &(*place)->same_hash;
    *place = bucket->same_hash;
    table->count--;
    free(bucket);
}

void ps_bucket_table_free(struct ps_bucket_table *table)
{
    for (uint32_t i = 0; i < table->chain_count; i++) {
        while (table->chains[i] != NULL)
            table_remove(table, table->chains[i]);
    }
    free(table->chains);
    *table = (struct ps_bucket_table){.chain_count = 0};
}

/* ---- a bucket ---- */

void ps_bucket_make_ready(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->is_ready)
        return;
    bucket->is_ready = true;
    TAILQ_INSERT_TAIL(&sink->ready, bucket, ready);
    sink->ready_count++;
}

void ps_bucket_unready(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (!bucket->is_ready)
        return;
    bucket->is_ready = false;
    TAILQ_REMOVE(&sink->ready, bucket, ready);
    sink->ready_count--;
}

void ps_bucket_release(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->file != NULL || bucket->waiting.count > 0 || bucket->earlier > 0)
        return;
    ps_bucket_unready(sink, bucket);
    ps_bucket_trouble_left(&bucket->trouble);
    if (bucket->counter > sink->retired_counter)
        sink->retired_counter = bucket->counter;
    table_remove(&sink->table, bucket);
}

void ps_bucket_retire(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->file == NULL || bucket->file->broken)
        return;
    ps_bucket_file_close(bucket->file);
    if (bucket->counter > sink->retired_counter)
        sink->retired_counter = bucket->counter;
    bucket->counter = 0;
    bucket->under_replicated = 0;
    ps_bucket_release(sink, bucket);
}

/* Returns whether a file whose block has too few replicas is rolled, because the file system may find more datanodes for another file.
 * With the key hdfs.minBlockReplicas, each bucket rolls as often as in Flume. Without it, rolling stops when FUTILE_ROLLS_MAX files of
 * any buckets in a row had too few replicas: there are no more datanodes then, and more rolls would only make small files. */
static bool rolls_for_replicas(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    bool by_key = sink->settings->replicas_min >= 0;
    uint32_t *rolls = by_key ? &bucket->under_replicated : &sink->replicas.missed_rolls;
    uint32_t rolls_max = by_key ? ROLLS_MAX : FUTILE_ROLLS_MAX;
    if (*rolls > rolls_max)
        return false;
    if ((*rolls)++ < rolls_max) {
        ps_log(PS_LOG_WARN, sink->port->component,
               "%s: its block has too few replicas: the sink begins a new file", bucket->file->path);
        return true;
    }
    ps_log(PS_LOG_ERROR, sink->port->component,
           "%s: %u files in a row had blocks with too few replicas (hdfs.minBlockReplicas); the sink begins "
           "no further file for this reason until a block has enough replicas",
           bucket->file->path, rolls_max);
    return false;
}

/* Returns whether the file must be rolled, as BucketWriter.shouldRotate does. Unlike in BucketWriter, a full file
 * is also rolled when rolling for replicas has stopped. A file is never rolled before its first event. */
static bool must_roll(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    const struct ps_bucket_writer_settings *settings = sink->settings;
    const struct ps_bucket_file *file = bucket->file;
    bool full = (settings->roll_events > 0 && settings->roll_events <= file->event_count) ||
                (settings->roll_bytes > 0 && settings->roll_bytes <= file->body_bytes);
    if (file->event_count == 0)
        return false;
    if (ps_bucket_file_is_under_replicated(file))
        return rolls_for_replicas(sink, bucket) || full;
    if (ps_file_replicas(file->stream) > 0 && sink->replicas.min > 0)
        sink->replicas.missed_rolls = 0;
    if (full)
        bucket->under_replicated = 0;
    return full;
}

/* Closes the files that were not written to for the longest time, but never the one written last
 * (HDFSEventSink.WriterLinkedHashMap). */
static void close_surplus(struct ps_bucket_writer *sink)
{
    struct ps_bucket *bucket = TAILQ_LAST(&sink->recent, ps_buckets);
    while (sink->opened.count > sink->settings->open_files_max && bucket != TAILQ_FIRST(&sink->recent)) {
        struct ps_bucket *before = TAILQ_PREV(bucket, ps_buckets, recent);
        ps_bucket_retire(sink, bucket);
        bucket = before;
    }
}

static bool open_file(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (!ps_bucket_file_open(sink, bucket))
        return false;
    close_surplus(sink);
    return true;
}

/* Makes the bucket wait before it is pumped again. */
static void rest(struct ps_bucket_writer *sink, struct ps_bucket *bucket, uint64_t rest_ns)
{
    bucket->rest_ns = sink->now.mono_ns + rest_ns;
    ps_bucket_make_ready(sink, bucket);
}

/* Makes sure that the bucket has a file that can be written to. Returns false if that is not possible now. */
static bool ensure_file(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->file != NULL && bucket->file->broken)
        return false;
    if (bucket->file != NULL && must_roll(sink, bucket)) {
        ps_bucket_file_close(bucket->file);
        if (bucket->file != NULL) /* closing the file has failed */
            return false;
    }
    if (bucket->file == NULL && ps_bucket_files_are_many(sink)) {
        ps_bucket_make_ready(sink, bucket);
        return false;
    }
    if (bucket->file == NULL && !open_file(sink, bucket)) {
        rest(sink, bucket, ps_port_rest_ns(sink->port, ++bucket->failures));
        return false;
    }
    return bucket->earlier == 0 && ps_bucket_file_has_room(bucket->file);
}

/* Writes events until something stops it. Returns whether more events may be written. */
static bool write_some(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    struct ps_err err, trouble;
    char behind[PS_BUCKET_TROUBLE_BYTES];
    const char *reason;
    err.length = 0; /* clears only the length, to save time */
    switch (ps_bucket_file_write(bucket->file, &err)) {
    case PS_HADOOP_WRITTEN:
        return true;
    case PS_HADOOP_LATER:
        rest(sink, bucket, LATER_NS);
        return false;
    case PS_HADOOP_NEW_FILE:
        ps_bucket_file_close(bucket->file);
        return bucket->file == NULL;
    case PS_HADOOP_REFUSED:
        reason = ps_err_join(&err);
        if (ps_port_has_deadletter(sink->port)) {
            if (!ps_bucket_may_refuse(sink, reason)) {
                rest(sink, bucket, LETTER_NS);
                return false;
            }
            ps_bucket_refuse_next(sink, &bucket->waiting, reason);
            return true;
        }
        ps_count(sink->port->counters, PS_COUNTER_EventWriteFail, 1);
        if (ps_bucket_trouble_met(sink, &bucket->trouble, "write", reason, behind))
            ps_log(PS_LOG_ERROR, sink->port->component,
                   "an event cannot be written: %s; the events of its file wait; set penstock.deadletter to "
                   "take "
                   "out only such events%s",
                   reason, behind);
        (void)ps_err_set(&trouble, "an event cannot be written: %s", reason);
        ps_port_troubled_in_part(sink->port, &trouble);
        rest(sink, bucket, ps_port_rest_ns(sink->port, ++bucket->failures));
        return false;
    case PS_HADOOP_FAILED:
        break;
    }
    return false;
}

void ps_bucket_pump(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->waiting.count > 0 && sink->now.mono_ns < bucket->rest_ns) {
        ps_bucket_make_ready(sink, bucket);
        return;
    }
    while (bucket->waiting.count > 0 && ensure_file(sink, bucket) && write_some(sink, bucket)) {
    }
}
