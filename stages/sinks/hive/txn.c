/* Transactions: their events, and the ORC files of their delta directory.
 *
 * No file is begun before the transaction has its lock, for two reasons. First, with the lock the metastore records in TXN_COMPONENTS that
 * the transaction writes to the partition. If an aborted transaction has no such entry, Hive's housekeeping assumes that it has written
 * nothing and forgets it; its write id then counts as committed, and rows in its directory would be read. Second, a statement that drops or
 * truncates the partition removes the files of transactions whose locks wait behind its own. Until the lock is there the files' bytes are
 * kept in memory, so that events need not wait. */
#include "stages/lib/hadoop/bucket_writer/bucket_path.h"
#include "stages/sinks/hive/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "a transaction of Hive"

/* ---- life cycle ---- */

static void free_file(struct ps_hive_file *file)
{
    if (file->stream != NULL)
        ps_file_abandon(file->stream);
    ps_orc_acid_close(file->acid);
    free(file->early.data);
    free(file);
}

/* Frees the files. Abandons streams that are not closed: their callbacks are no longer called. */
static void drop_files(struct ps_hive_txn *txn)
{
    for (uint32_t i = 0; i < txn->used_count; i++) {
        struct ps_hive_file *file = txn->files[txn->used[i]];
        if (file->stream != NULL)
            txn->pending--; /* the answer to the file's creation, which otherwise comes with the close */
        free_file(file);
    }
    txn->used_count = 0;
}

void ps_hive_txn_free(struct ps_hive_txn *txn)
{
    ps_hadoop_loop_unset(txn->sink->loop, &txn->timer);
    free(txn->directory);
    free(txn->used);
    free(txn);
}

void ps_hive_txn_leave(struct ps_hive_txn *txn)
{
    struct ps_hive_sink *sink = txn->sink;
    TAILQ_REMOVE(&txn->partition->txns, txn, list);
    txn->partition->txn_count--;
    txn->partition = NULL;
    txn->state = PS_HIVE_TXN_DEAD;
    ps_hadoop_loop_unset(sink->loop, &txn->timer);
    drop_files(txn);
    TAILQ_INSERT_TAIL(&sink->dead, txn, list);
}

bool ps_hive_txn_answered(struct ps_hive_txn *txn)
{
    txn->pending--;
    if (txn->state != PS_HIVE_TXN_DEAD)
        return false;
    if (txn->pending == 0) {
        TAILQ_REMOVE(&txn->sink->dead, txn, list);
        ps_hive_txn_free(txn);
    }
    return true;
}

/* Removes the transaction from its partition; the transaction is freed after the last answer. */
static void die(struct ps_hive_txn *txn)
{
    txn->pending++;
    ps_hive_txn_leave(txn);
    (void)ps_hive_txn_answered(txn);
}

void ps_hive_txn_forget(struct ps_hive_txn *txn, bool abort)
{
    struct ps_hive_sink *sink = txn->sink;
    ps_held_group_clear(&sink->pool, &txn->written);
    if (abort)
        ps_hive_abort(sink, &txn->id, 1);
    die(txn);
}

void ps_hive_txn_fail(struct ps_hive_txn *txn, bool abort, const char *what, const char *reason)
{
    struct ps_hive_partition *partition = txn->partition;
    struct ps_hive_sink *sink = txn->sink;
    struct ps_hive_txn *next = TAILQ_NEXT(txn, list);
    ps_count(sink->port->counters, PS_COUNTER_EventWriteFail, 1);
    ps_count(sink->port->counters, PS_COUNTER_retried, txn->written.count);
    ps_held_group_abort(&sink->pool, &txn->written, &partition->waiting);
    ps_hive_txn_forget(txn, abort);
    ps_hive_partition_fail(partition, what, reason);
    ps_hive_txn_stop_following(next);
}

uint64_t ps_hive_txn_held(const struct ps_hive_txn *txn)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < txn->used_count; i++) {
        const struct ps_hive_file *file = txn->files[txn->used[i]];
        if (file->acid != NULL)
            held += ps_orc_writer_held(ps_orc_acid_writer(file->acid));
        held += file->early.room;
    }
    return held;
}

/* ---- files ---- */

static bool output_write(struct ps_output *output, const void *bytes, size_t length)
{
    struct ps_hive_file *file = (struct ps_hive_file *)(void *)output;
    if (!file->txn->is_locked)
        return ps_byte_buffer_append(&file->early, bytes, length);
    return ps_file_write(file->stream, bytes, length);
}

/* Handles a failed creation; a successful one is answered by the close. */
static void created(void *txn_, const struct ps_file_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (answer->error != PS_FILE_OK && txn->state == PS_HIVE_TXN_FILLS)
        ps_hive_txn_fail(txn, true, "a file cannot be created", answer->reason);
}

static void closed(void *txn_, const struct ps_file_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (ps_hive_txn_answered(txn))
        return;
    if (answer->error != PS_FILE_OK)
        ps_hive_txn_fail(txn, true, "a file cannot be written", answer->reason);
    else
        ps_hive_txn_commit_if_complete(txn);
}

static void ignored(void *, const struct ps_file_answer *)
{
}

static struct ps_file_stream *create(struct ps_hive_txn *txn, const char *name, ps_file_done *done)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", txn->directory, name) < 0)
        abort();
    struct ps_file_stream *stream = ps_file_create(txn->sink->filesystem, path, done, txn);
    free(path);
    return stream;
}

/* Writes the small file with the directory's version of ACID. It is complete before the commit. */
static void write_version(struct ps_hive_txn *txn)
{
    struct ps_file_stream *stream = create(txn, PS_ORC_ACID_VERSION_FILE, ignored);
    txn->pending++;
    (void)ps_file_write(stream, PS_ORC_ACID_VERSION, strlen(PS_ORC_ACID_VERSION));
    ps_file_close(stream, closed, txn);
}

static void begin_file(struct ps_hive_txn *txn, struct ps_hive_file *file, uint32_t bucket)
{
    char name[PS_ORC_ACID_NAME_BYTES];
    ps_orc_acid_bucket_name(bucket, name);
    file->stream = create(txn, name, created);
    txn->pending++;
}

static void close_file(struct ps_hive_txn *txn, struct ps_hive_file *file)
{
    struct ps_file_stream *stream = file->stream;
    file->stream = NULL;
    ps_file_close(stream, closed, txn);
}

static struct ps_hive_file *open_file(struct ps_hive_txn *txn, uint32_t bucket)
{
    struct ps_err err = {.length = 0};
    struct ps_hive_file *file = ps_must_alloc(1, sizeof(*file), PURPOSE);
    file->txn = txn;
    file->output.write = output_write;
    file->acid = ps_orc_acid_open(&txn->sink->table.orc, bucket, txn->write_id, &file->output, &err);
    if (file->acid == NULL) {
        free(file);
        ps_hive_txn_fail(txn, true, "a file cannot be begun", ps_err_join(&err));
        return NULL;
    }
    if (txn->is_locked)
        begin_file(txn, file, bucket);
    txn->files[bucket] = file;
    txn->used[txn->used_count++] = bucket;
    return file;
}

bool ps_hive_txn_locked(struct ps_hive_txn *txn)
{
    txn->is_locked = true;
    write_version(txn);
    for (uint32_t i = 0; i < txn->used_count; i++) {
        struct ps_hive_file *file = txn->files[txn->used[i]];
        begin_file(txn, file, txn->used[i]);
        if (file->early.length > 0 && !ps_file_write(file->stream, file->early.data, file->early.length)) {
            ps_hive_txn_fail(txn, true, "a file cannot be written",
                             "there is no memory, or an earlier write of the file failed");
            return false;
        }
        ps_byte_buffer_clear(&file->early, 0);
        if (file->acid == NULL)
            close_file(txn, file);
    }
    return true;
}

bool ps_hive_txn_is_in(const struct ps_hive_txn *txn, struct ps_slice location)
{
    size_t url = ps_bucket_url_length(txn->sink->table.location);
    size_t length =
        (size_t)(strrchr(txn->directory, '/') - txn->directory); /* of the partition's directory */
    return location.length == url + length && memcmp(location.data + url, txn->directory, length) == 0;
}

/* ---- events ---- */

struct ps_hive_txn *ps_hive_txn_begin(struct ps_hive_partition *partition)
{
    struct ps_hive_sink *sink = partition->sink;
    char name[PS_ORC_ACID_NAME_BYTES];
    uint32_t buckets = sink->table.bucket_count;
    struct ps_hive_txn *txn =
        ps_must_alloc(1, sizeof(*txn) + buckets * sizeof(struct ps_hive_file *), PURPOSE);
    txn->sink = sink;
    txn->partition = partition;
    txn->id = partition->ids[2U * partition->id_next];
    txn->write_id = partition->ids[2U * partition->id_next + 1];
    partition->id_next++;
    txn->first_ns = sink->now.mono_ns;
    txn->used = ps_must_alloc(buckets, sizeof(*txn->used), PURPOSE);
    ps_orc_acid_delta_name(txn->write_id, name);
    if (asprintf(&txn->directory, "%s/%s", partition->directory, name) < 0)
        abort();
    TAILQ_INSERT_TAIL(&partition->txns, txn, list);
    partition->txn_count++;
    ps_hive_txn_lock(txn);
    return txn;
}

/* Writes a row. Returns false if the transaction has failed. */
static bool write_row(struct ps_hive_txn *txn, const struct ps_orc_value *row)
{
    uint32_t bucket = ps_hive_target_bucket(&txn->sink->table, row);
    struct ps_hive_file *file = txn->files[bucket] != NULL ? txn->files[bucket] : open_file(txn, bucket);
    if (file == NULL)
        return false;
    if (ps_orc_acid_insert(file->acid, row))
        return true;
    ps_hive_txn_fail(txn, true, "a row cannot be written",
                     "there is no memory, or an earlier write of the file failed");
    return false;
}

bool ps_hive_txn_write_next(struct ps_hive_txn *txn)
{
    struct ps_hive_sink *sink = txn->sink;
    struct ps_held_group *waiting = &txn->partition->waiting;
    const struct ps_held_event *next = &sink->pool.events[waiting->first];
    const struct ps_event *event = ps_lease_event(next->lease, next->position);
    struct ps_err err = {.length = 0};
    struct ps_orc_value row;
    if (!ps_hive_rows_read(sink->rows, event->body, event->body_length, &row, &err)) {
        if (sink->rows->lacks_memory) { /* the event may be a row: it waits */
            ps_hive_txn_fail(txn, true, "a row cannot be read", ps_err_join(&err));
            return false;
        }
        ps_hive_refuse_next(sink, waiting, ps_err_join(&err));
        return true;
    }
    if (!write_row(txn, &row))
        return false;
    txn->last_ns = sink->now.mono_ns;
    ps_held_group_move_first(&sink->pool, waiting, &txn->written);
    return true;
}

/* Ends one file. Returns false if the transaction has failed. */
static bool end_file(struct ps_hive_txn *txn, struct ps_hive_file *file)
{
    if (!ps_orc_acid_end(file->acid)) {
        ps_hive_txn_fail(txn, true, "a file cannot be written",
                         "there is no memory, or an earlier write of the file failed");
        return false;
    }
    ps_orc_acid_close(file->acid);
    file->acid = NULL;
    if (txn->is_locked)
        close_file(txn, file);
    return true;
}

void ps_hive_txn_end(struct ps_hive_txn *txn)
{
    txn->state = PS_HIVE_TXN_ENDS;
    for (uint32_t i = 0; i < txn->used_count; i++) {
        if (!end_file(txn, txn->files[txn->used[i]]))
            return;
    }
    ps_hive_txn_commit_if_complete(txn);
}
