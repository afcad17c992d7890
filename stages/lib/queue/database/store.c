#include "stages/lib/queue/database/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/queue/database/store_internal.h"
#include "stages/lib/queue/segment/lock.h"

/* SQLite has at most 10^9 bytes in a row, PostgreSQL 2^30 in a field. */
#define EVENT_BYTES_MAX (UINT32_C(1000000000) - 4096)
#define ROUND_FRAMES 8U /* each frame takes one query or two */
#define FIRST_LIMIT 256
#define RETRY_NS (PS_NS_PER_S / 5)
#define RETRY_MAX_NS (3 * PS_NS_PER_S)
/* bytes of one transaction, for which a database needs tens of milliseconds */
#define ROUND_BYTES (UINT64_C(256) << 10)
#define RANGES_AT_ONCE 8U /* frames whose events one transaction removes on a full disk */
/* Delay of removals: a transaction for each lease would cost more than the events. */
#define NEWS_NS (50 * PS_NS_PER_MS)

char *ps_tables_room(struct ps_tables_bytes *to, size_t more)
{
    if (to->length + more > to->room) {
        to->room = 2 * (to->length + more);
        to->bytes = ps_must_realloc(to->bytes, to->room, "events of a database");
    }
    return to->bytes + to->length;
}

struct ps_database_value ps_tables_channel(const struct ps_tables *tables)
{
    return ps_tables_text(tables->settings->channel, strlen(tables->settings->channel));
}

static enum ps_status remove_delivered(struct ps_tables *tables, struct ps_err *err);

/* ---- connecting ---- */

static bool note_numbers(void *argument, const struct ps_database_value *values)
{
    int64_t *numbers = argument;
    numbers[0] = values[0].number;
    return false;
}

static bool note_fill(void *argument, const struct ps_database_value *values)
{
    struct ps_tables *tables = argument;
    tables->events = (uint64_t)values[0].number;
    tables->bytes = (uint64_t)values[1].number;
    tables->last = values[2].number;
    return false;
}

static void disconnect(struct ps_tables *tables)
{
    if (tables->database != NULL)
        tables->ops->close(tables->database);
    tables->database = NULL;
    tables->open = false;
    tables->added_events = tables->added_bytes = 0;
}

/* Locks the channel: a second agent, or a second channel of this name, would deliver everything again. */
static enum ps_status lock(struct ps_tables *tables, struct ps_err *err)
{
    const struct ps_database_value channel = ps_tables_channel(tables);
    int64_t locked = 0;
    if (tables->lock < 0 && tables->settings->lock != NULL)
        tables->lock = ps_segment_lock_file(tables->settings->lock, tables->settings->database.label, err);
    if (tables->lock < 0 && tables->settings->lock != NULL)
        return PS_FAIL;
    /* Locks the channel in the database too, because the lock file may have been removed. */
    if (tables->ops->lock != NULL &&
        tables->ops->lock(tables->database, tables->settings->channel, err) != PS_OK)
        return PS_FAIL;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_LOCK], &channel, note_numbers,
                           &locked, err) != PS_OK)
        return PS_FAIL;
    return locked != 0 ? PS_OK
                       : ps_err_set(err, "the database %s: another agent uses channel %s there",
                                    tables->settings->database.label, tables->settings->channel);
}

/* O_PATH: closing this descriptor releases none of SQLite's locks; closing any other descriptor of the file does. */
static void hold_file(struct ps_tables *tables)
{
    if (tables->file >= 0)
        close(tables->file);
    tables->file = tables->settings->database.kind == PS_DATABASE_SQLITE
                       ? open(tables->settings->database.path, O_PATH | O_CLOEXEC)
                       : -1;
}

/* Finds out whether the next connection would find the same database as the last one, which may be closed. PS_FAIL:
 * this is not known now. */
static enum ps_status look_whether_same(const struct ps_tables *tables, bool *same, struct ps_err *err)
{
    struct stat held, named;
    *same = true;
    if (tables->database != NULL)
        return tables->ops->is_same != NULL ? tables->ops->is_same(tables->database, same, err) : PS_OK;
    if (tables->file < 0 || fstat(tables->file, &held) != 0)
        return PS_OK;
    if (stat(tables->settings->database.path, &named) == 0)
        *same = named.st_dev == held.st_dev && named.st_ino == held.st_ino;
    else if (errno == ENOENT || errno == ENOTDIR)
        *same = false;
    else
        return ps_err_set(err, "the database %s: %s", tables->settings->database.label, strerror(errno));
    return PS_OK;
}

static enum ps_status connect_to(struct ps_tables *tables, struct ps_err *err)
{
    const struct ps_database_store_settings *settings = tables->settings;
    tables->database = tables->ops->connect(&settings->database, err);
    if (tables->database == NULL)
        return PS_FAIL;
    hold_file(tables);
    if (ps_tables_prepare(tables->ops, tables->database, &settings->database, &settings->schema, err) !=
            PS_OK ||
        lock(tables, err) != PS_OK) {
        disconnect(tables);
        return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status count(struct ps_tables *tables, struct ps_err *err)
{
    const struct ps_database_value channel = ps_tables_channel(tables);
    int64_t spilled = 0;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_FILL], &channel, note_fill,
                           tables, err) != PS_OK ||
        tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_SPILL_FILL], &channel,
                           note_numbers, &spilled, err) != PS_OK)
        return PS_FAIL;
    tables->bytes += (uint64_t)spilled;
    return PS_OK;
}

/* ---- a server that lost its newest transactions ---- */

static enum ps_status read_given(const struct ps_tables *tables, int64_t *given, struct ps_err *err)
{
    return tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_SEQUENCE], NULL, note_numbers,
                              given, err);
}

/* Begins to watch the identities that the server gives. Tables that were filled without a sequence are not watched
 * until this channel has added events; a server whose sequence cannot be read is not watched at all. */
static void watch_given(struct ps_tables *tables)
{
    struct ps_err ignored = {.length = 0};
    int64_t given = 0;
    tables->watched = tables->ops->is_same == NULL && read_given(tables, &given, &ignored) == PS_OK;
    tables->given = given >= tables->last ? tables->last : 0;
}

/* Finds out whether the server has forgotten identities that it gave, because it was restored from a backup, or
 * another server, which lacked its newest transactions, took its place. New events get these identities again, and
 * must not be removed when events that were read before are delivered now. PS_FAIL: this is not known now, e.g.
 * because a standby has not yet replayed all that it received. */
static enum ps_status look_whether_behind(struct ps_tables *tables, struct ps_err *err)
{
    int64_t given = 0;
    if (!tables->watched) {
        watch_given(tables); /* the connection may have been lost when the sequence was read first */
        return PS_OK;
    }
    if (read_given(tables, &given, err) != PS_OK)
        return PS_FAIL;
    if (given == PS_SEQUENCE_OF_STANDBY) {
        disconnect(tables); /* what the server lacks for now must not count as removed by another program */
        return ps_err_set(
            err,
            "the database %s: the server is a standby, which takes no transactions: the channel "
            "waits until it is promoted",
            tables->settings->database.label);
    }
    tables->gone |= given < tables->given;
    return PS_OK;
}

/* Writes the promised events to the mark, which is a file outside the database. */
static void note_promised(struct ps_tables *tables)
{
    int64_t last = tables->last > tables->mark.last ? tables->last : tables->mark.last;
    ps_promised_mark_write(&tables->mark, last, tables->events);
}

/* Compares the database with the mark that was written before the database was closed or the process killed. All
 * channels take identities from one sequence. If it is behind the mark, SQLite's log was lost, with the newest events
 * of this channel. Returns PS_FAIL only if the mark cannot be read. */
static enum ps_status look_for_lost(struct ps_tables *tables, struct ps_err *err)
{
    struct ps_promised_mark *mark = &tables->mark;
    int64_t given = 0;
    struct ps_err ignored = {.length = 0};
    if (ps_promised_mark_open(mark, tables->settings->database.path, tables->settings->channel,
                              tables->component, err) != PS_OK)
        return PS_FAIL;
    if (mark->last == 0 || tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_SEQUENCE],
                                              NULL, note_numbers, &given, &ignored) != PS_OK)
        return PS_OK; /* SQLite keeps a sequence only for AUTOINCREMENT */
    if (given >= mark->last)
        return PS_OK;
    uint64_t behind = (uint64_t)(mark->last - given);
    uint64_t lost = mark->events < behind ? mark->events : behind;
    ps_log(PS_LOG_ERROR, tables->component,
           "the database %s ends with event %lld, and events up to %lld were acknowledged: %llu %s lost, "
           "because "
           "its -wal was removed or damaged, or an older file was put in its "
           "place; events that sinks delivered since then are delivered again",
           tables->settings->database.label, (long long)given, (long long)mark->last,
           (unsigned long long)lost,
           ps_quantity_word(lost, "event that no sink had is", "events that no sink had are"));
    ps_promised_mark_write(mark, given, tables->events);
    return PS_OK;
}

static void store_close(void *store)
{
    struct ps_tables *tables = store;
    struct ps_err ignored = {.length = 0};
    if (tables->database != NULL && tables->broken && !tables->gone && tables->ops->make_room != NULL)
        (void)remove_delivered(tables, &ignored);
    ps_promised_mark_close(&tables->mark);
    disconnect(tables);
    if (tables->file >= 0)
        close(tables->file);
    ps_segment_unlock(tables->lock);
    ps_events_encoder_fini(&tables->reading.encoder);
    free(tables->taken);
    free(tables->writing.name.bytes);
    free(tables->writing.value.bytes);
    free(tables->writing.fields);
    free(tables->writing.counting);
    free(tables->reading.bytes.bytes);
    free(tables->reading.rows);
    free(tables->reading.headers);
    free(tables);
}

static void *store_open(const void *settings_, const char *component, struct ps_err *err)
{
    const struct ps_database_store_settings *settings = settings_;
    struct ps_tables *tables = ps_must_alloc(1, sizeof *tables, component);
    tables->settings = settings;
    tables->component = component;
    tables->ops = settings->ops;
    if (tables->ops == NULL)
        tables->ops =
            settings->database.kind == PS_DATABASE_SQLITE ? &ps_database_sqlite : &ps_database_postgres;
    tables->lock = tables->file = tables->mark.fd = -1;
    tables->reading.limit = FIRST_LIMIT;
    if (connect_to(tables, err) == PS_OK && count(tables, err) == PS_OK &&
        (settings->database.kind != PS_DATABASE_SQLITE || look_for_lost(tables, err) == PS_OK)) {
        watch_given(tables);
        return tables;
    }
    store_close(tables);
    return NULL;
}

/* ---- writing ---- */

static enum ps_status begin(struct ps_tables *tables, struct ps_err *err)
{
    if (tables->open)
        return PS_OK;
    if (tables->database == NULL)
        return ps_err_set(err, "the database %s is not connected", tables->settings->database.label);
    static const char *const words[PS_DATABASE_KINDS] = {
        [PS_DATABASE_SQLITE] = "BEGIN IMMEDIATE", [PS_DATABASE_POSTGRES] = "BEGIN"};
    if (tables->ops->execute(tables->database, words[tables->settings->database.kind], err) != PS_OK)
        return PS_FAIL;
    tables->open = true;
    return PS_OK;
}

/* Handles a failed transaction. An SQLite transaction is rolled back at once, so that events can be read and delivered until the
 * next try. Returns PS_FAIL. */
static enum ps_status roll_back(struct ps_tables *tables)
{
    const struct ps_database_value values[] = {ps_tables_number(tables->unsure), ps_tables_channel(tables)};
    struct ps_err ignored = {.length = 0};
    int64_t there = 0;
    tables->broken = true;
    if (tables->settings->database.kind != PS_DATABASE_SQLITE || tables->database == NULL)
        return PS_FAIL;
    /* SQLite may have rolled back by itself. */
    (void)tables->ops->execute(tables->database, "ROLLBACK", &ignored);
    tables->open = false;
    if (tables->unsure != 0 &&
        tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_ONE], values, note_numbers,
                           &there, &ignored) == PS_OK &&
        there == 0)
        tables->unsure = 0; /* the COMMIT was not carried out */
    return PS_FAIL;
}

static enum ps_status store_append(void *store, const void *payload, uint32_t length, uint32_t events,
                                   uint64_t bytes, uint64_t *number, struct ps_err *err)
{
    struct ps_tables *tables = store;
    if (begin(tables, err) != PS_OK || ps_tables_write(tables, payload, length, err) != PS_OK)
        return roll_back(tables);
    tables->added_events += events;
    tables->added_bytes += bytes;
    *number = ++tables->appended;
    return PS_OK;
}

/* Removes the events of the first `ranges` taken ranges; first the rows of the tables that refer to others. */
static enum ps_status remove_taken(struct ps_tables *tables, size_t ranges, struct ps_err *err)
{
    for (size_t i = 0; i < ranges; i++) {
        const struct ps_tables_taken *taken = &tables->taken[i];
        const struct ps_database_value values[] = {ps_tables_channel(tables), ps_tables_number(taken->first),
                                                   ps_tables_number(taken->last)};
        const struct {
            bool needed;
            enum ps_tables_statement statement;
        } steps[] = {{taken->headers, PS_DELETE_NAME_SPILLS},
                     {taken->headers, PS_DELETE_VALUE_SPILLS},
                     {taken->headers, PS_DELETE_HEADERS},
                     {taken->spills, PS_DELETE_PAYLOAD_SPILLS},
                     {true, PS_DELETE_EVENTS}};
        for (size_t k = 0; k < PS_COUNT_OF(steps); k++) {
            if (steps[k].needed &&
                tables->ops->run(tables->database, &ps_tables_statements[steps[k].statement], values, err) !=
                    PS_OK)
                return PS_FAIL;
        }
    }
    return PS_OK;
}

static enum ps_status commit(struct ps_tables *tables, int64_t *last, struct ps_err *err)
{
    if (begin(tables, err) != PS_OK)
        return PS_FAIL;
    if (tables->appended > tables->promised &&
        tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_LAST], NULL, note_numbers, last,
                           err) != PS_OK)
        return PS_FAIL;
    if (remove_taken(tables, tables->taken_count, err) != PS_OK)
        return PS_FAIL;
    if (tables->ops->execute(tables->database, "COMMIT", err) == PS_OK &&
        (tables->ops->is_there == NULL || tables->ops->is_there(tables->database, err) == PS_OK))
        return PS_OK;
    tables->unsure = *last;
    tables->unsure_appended = tables->appended;
    return PS_FAIL;
}

static enum ps_status store_sync(void *store, struct ps_err *err)
{
    struct ps_tables *tables = store;
    int64_t last = 0;
    if (!tables->open && tables->taken_count == 0)
        return PS_OK;
    if (commit(tables, &last, err) != PS_OK)
        return roll_back(tables);
    tables->open = false;
    tables->promised = tables->appended;
    tables->events += tables->added_events;
    tables->bytes += tables->added_bytes;
    tables->added_events = tables->added_bytes = 0;
    tables->taken_count = 0;
    if (last > tables->last)
        tables->last = last;
    if (last > tables->given)
        tables->given = last;
    note_promised(tables);
    if (tables->ops->keep_room != NULL)
        tables->ops->keep_room(tables->database);
    return PS_OK;
}

/* Removes delivered events without appending any: on a full disk, this makes the space that appending needs. Uses small
 * transactions of a few frames. */
static enum ps_status remove_delivered(struct ps_tables *tables, struct ps_err *err)
{
    bool has_made_room = tables->ops->make_room == NULL;
    while (tables->taken_count > 0) {
        size_t ranges = tables->taken_count < RANGES_AT_ONCE ? tables->taken_count : RANGES_AT_ONCE;
        struct ps_err ignored = {.length = 0};
        if (begin(tables, err) == PS_OK && remove_taken(tables, ranges, err) == PS_OK &&
            tables->ops->execute(tables->database, "COMMIT", err) == PS_OK) {
            tables->open = false;
            tables->taken_count -= ranges;
            memmove(tables->taken, tables->taken + ranges, tables->taken_count * sizeof *tables->taken);
            continue;
        }
        (void)tables->ops->execute(tables->database, "ROLLBACK", &ignored);
        tables->open = false;
        if (has_made_room || !tables->ops->make_room(tables->database))
            return PS_FAIL;
        has_made_room = true;
        *err = (struct ps_err){.length = 0};
    }
    return PS_OK;
}

/* Finds out whether a COMMIT without an answer was carried out. Its removals are repeated, which is harmless. */
static enum ps_status look_whether_committed(struct ps_tables *tables, uint64_t events, uint64_t bytes,
                                             struct ps_err *err)
{
    const struct ps_database_value values[] = {ps_tables_number(tables->unsure), ps_tables_channel(tables)};
    int64_t there = 0;
    if (tables->unsure == 0)
        return PS_OK;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_ONE], values, note_numbers,
                           &there, err) != PS_OK)
        return PS_FAIL;
    if (there > 0) {
        tables->promised = tables->unsure_appended;
        tables->last = tables->given = tables->unsure;
        tables->events += events;
        tables->bytes += bytes;
    }
    tables->unsure = 0;
    return PS_OK;
}

/* Starts with another database after the former one is gone: its events are lost, and its identities have no meaning here. */
static enum ps_status begin_anew(struct ps_tables *tables, struct ps_err *err)
{
    uint64_t events = tables->events;
    if (!tables->gone)
        return PS_OK;
    if (count(tables, err) != PS_OK)
        return PS_FAIL;
    ps_log(
        PS_LOG_ERROR, tables->component,
        "the database %s was removed, replaced or restored from a backup: of the %llu %s in it, those that "
        "no sink has yet are lost; the present database has %llu %s",
        tables->settings->database.label, (unsigned long long)events,
        ps_quantity_word(events, "event", "events"), (unsigned long long)tables->events,
        ps_quantity_word(tables->events, "event", "events"));
    tables->gone = false;
    tables->generation++;
    tables->frames_lost++;
    tables->fed = tables->unsure = 0;
    tables->taken_count = 0;
    watch_given(tables);
    ps_promised_mark_write(&tables->mark, tables->last, tables->events);
    return PS_OK;
}

static enum ps_status store_renew(void *store, struct ps_err *err)
{
    struct ps_tables *tables = store;
    uint64_t events = tables->added_events, bytes = tables->added_bytes;
    bool same;
    if (look_whether_same(tables, &same, err) != PS_OK)
        return PS_FAIL;
    tables->gone |= !same;
    disconnect(tables);
    if (connect_to(tables, err) != PS_OK || look_whether_behind(tables, err) != PS_OK ||
        begin_anew(tables, err) != PS_OK || look_whether_committed(tables, events, bytes, err) != PS_OK ||
        remove_delivered(tables, err) != PS_OK) {
        tables->added_events = events;
        tables->added_bytes = bytes;
        return PS_FAIL;
    }
    tables->appended = tables->promised;
    tables->broken = false;
    return PS_OK;
}

static uint64_t store_promised(const void *store)
{
    return ((const struct ps_tables *)store)->promised;
}

static void store_fill(const void *store, struct ps_segment_fill *fill)
{
    const struct ps_tables *tables = store;
    *fill = (struct ps_segment_fill){
        .events = tables->events, .bytes = tables->bytes, .frames_lost = tables->frames_lost};
}

/* ---- reading ---- */

static enum ps_store_fed store_feed(void *store, struct ps_store_frame *frame, struct ps_err *err)
{
    struct ps_tables *tables = store;
    bool readable = !tables->broken || (tables->database != NULL && !tables->open && tables->unsure == 0);
    if (!readable || tables->fed >= tables->last)
        return PS_STORE_EMPTY;
    enum ps_store_fed fed = ps_tables_read(tables, frame, err);
    if (fed == PS_STORE_EMPTY) /* another program removed the rows */
        tables->fed = tables->last;
    tables->broken |= fed == PS_STORE_FAILED;
    return fed;
}

static enum ps_segment_read store_load(const void *, const struct ps_store_frame *frame, void *to,
                                       struct ps_err *)
{
    memcpy(to, frame->rows.payload->base, frame->length);
    return PS_SEGMENT_READ_WHOLE;
}

static void store_release(struct ps_store_frame *frame)
{
    if (frame->rows.payload != NULL)
        ps_block_drop(frame->blocks, frame->rows.payload);
    frame->rows.payload = NULL;
}

static void store_take(void *store, const struct ps_store_frame *frame)
{
    struct ps_tables *tables = store;
    if (frame->rows.generation != tables->generation)
        return; /* the frame was lost with its database */
    if (tables->taken_count == tables->taken_room) {
        tables->taken_room = tables->taken_room > 0 ? 2 * tables->taken_room : 64;
        tables->taken = ps_must_realloc(tables->taken, tables->taken_room * sizeof *tables->taken,
                                        "events to be removed");
    }
    tables->taken[tables->taken_count++] = (struct ps_tables_taken){frame->rows.first, frame->rows.last,
                                                                    frame->rows.spills, frame->rows.headers};
    tables->events -= frame->count < tables->events ? frame->count : tables->events;
    tables->bytes -= frame->bytes < tables->bytes ? frame->bytes : tables->bytes;
}

/* Handles a frame that cannot be read into a batch, even with enough memory: logs it and removes it. */
static void store_lost(void *store, const struct ps_store_frame *frame)
{
    struct ps_tables *tables = store;
    ps_log(PS_LOG_ERROR, tables->component, "the database %s: %u %s, %lld to %lld, cannot be read: %s lost",
           tables->settings->database.label, frame->count, ps_quantity_word(frame->count, "event", "events"),
           (long long)frame->rows.first, (long long)frame->rows.last,
           ps_quantity_word(frame->count, "it is", "they are"));
    store_take(store, frame);
}

const struct ps_store_ops ps_database_store = {
    .round_frames = ROUND_FRAMES,
    .where = "in the database",
    .works_again = "the database can be written again",
    .reads_again = "the database can be read again",
    .retry_ns = RETRY_NS,
    .retry_max_ns = RETRY_MAX_NS,
    .round_bytes = ROUND_BYTES,
    .event_bytes_max = EVENT_BYTES_MAX,
    .news_ns = NEWS_NS,
    .open = store_open,
    .close = store_close,
    .append = store_append,
    .sync = store_sync,
    .write = store_sync,
    .renew = store_renew,
    .promised = store_promised,
    .fill = store_fill,
    .feed = store_feed,
    .load = store_load,
    .release = store_release,
    .lost = store_lost,
    .take = store_take,
};
