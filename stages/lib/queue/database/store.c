/* More than 600 lines: the rows of an event, the transaction that inserts and removes them, and what of it was promised are one state. */
#include "stages/lib/queue/database/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "core/text/utf8.h"
#include "stages/lib/queue/database/mark.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/lock.h"

/* A byte buffer that grows. */
struct buffer {
    char *bytes;
    size_t length, room;
};

/* The rows of one frame that is being read. The row's places are offsets in `read.bytes`. */
struct event_row {
    int64_t identity;
    size_t body, length, first_header;
    uint32_t header_count;
    bool spills, has_headers;
};

struct header_row {
    size_t name, value;
    uint32_t name_length, value_length;
};

/* Events that the next transaction removes. */
struct taken_range {
    int64_t first, last;
    bool spills, headers;
};

struct tables {
    const struct ps_database_store_settings *settings;
    const struct ps_database_ops *ops;
    const char *component;
    void *database; /* NULL: not connected */
    /* SQLite: holds the file of the last connection, so that no other file gets its number; otherwise -1 */
    int file;
    int lock;
    bool open;            /* a transaction of the database is open */
    bool broken;          /* an operation failed; `renew` clears it */
    bool gone;            /* the file was removed or replaced: the next connection finds another database */
    uint64_t generation;  /* number of the database; increased when another database is found */
    uint64_t frames_lost; /* one for each database that was lost */

    uint64_t appended, promised;        /* numbers of frames */
    uint64_t added_events, added_bytes; /* events and bytes that the open transaction adds */
    uint64_t events, bytes;             /* events and bytes in the database that are not taken */
    /* Identity of an event in a transaction whose COMMIT failed; 0: none. */
    int64_t unsure;
    uint64_t unsure_appended;
    int64_t
        undone; /* such an event, of which the connection of that COMMIT knows that it is not there; 0: none */
    bool has_undone; /* its events are in the database: nothing is read until they are removed */
    /* Identities of the last event that was promised, and of the last event that was fed. */
    int64_t last, fed;
    /* The store asks the database for the last identity that the database gave. True if the database has no
     * `is_same` and its sequence can be read. */
    bool watched;
    /* The server has given all identities up to this one. If its last identity is lower later, the server lost
     * its newest transactions, and will give these identities again. 0: not known yet. */
    int64_t given;
    struct ps_promised_mark mark; /* used with SQLite; with PostgreSQL the mark's fd is -1 */

    struct taken_range *taken;
    size_t taken_count, taken_room;

    struct {
        struct buffer name, value; /* after fit() has replaced invalid characters */
        /* first the headers that all events share, then the headers of one event */
        struct ps_events_field *fields;
        size_t field_room;
        size_t
            /* for each number of a name in the frame: index in `fields` of the header that counts */
            *counting;
        size_t counting_room;
    } writing;
    struct {
        struct buffer bytes;
        struct event_row *rows;
        size_t row_count, row_room;
        struct header_row *headers;
        size_t header_count, header_room;
        struct ps_events_encoder encoder;
        int64_t limit; /* maximal number of events in the next read */
        size_t row_at; /* the event whose headers are being read */
        bool lacks;    /* the row with the rest of a spilled body is missing */
    } reading;
};

static struct ps_database_value number_value(int64_t number)
{
    return (struct ps_database_value){.type = PS_DATABASE_NUMBER, .number = number};
}

static struct ps_database_value text_value(const char *text, size_t length)
{
    return (struct ps_database_value){.type = PS_DATABASE_TEXT, .data = text, .length = length};
}

static struct ps_database_value bytes_value(const void *data, size_t length)
{
    return (struct ps_database_value){
        .type = PS_DATABASE_BYTES, .data = data != NULL ? data : "", .length = length};
}

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

/* Makes room for `more` bytes after to->length. Returns their address. */
static char *room_in(struct buffer *to, size_t more)
{
    if (to->length + more > to->room) {
        to->room = 2 * (to->length + more);
        to->bytes = ps_must_realloc(to->bytes, to->room, "events of a database");
    }
    return to->bytes + to->length;
}

static struct ps_database_value channel_value(const struct tables *tables)
{
    return text_value(tables->settings->channel, strlen(tables->settings->channel));
}

/* ---- inserting events as rows ---- */

/* Returns the length of the part of a text that fits into its column: PS_TABLES_HEADER_CHARS of Java's chars, without splitting a character. */
static size_t spill_at(const char *text, size_t length)
{
    size_t at = 0;
    unsigned chars = 0;
    while (length > PS_TABLES_HEADER_CHARS && at < length) {
        size_t end = at + 1;
        while (end < length && ((unsigned char)text[end] & 0xC0) == 0x80)
            end++;
        chars += (unsigned char)text[at] >= 0xF0 ? 2 : 1;
        if (chars > PS_TABLES_HEADER_CHARS)
            return at;
        at = end;
    }
    return length;
}

/* Replaces what PostgreSQL does not accept (invalid UTF-8, zero bytes) by U+FFFD. */
static const char *fit(const struct tables *tables, struct buffer *to, const char *text, size_t *length)
{
    bool fits = ps_utf8_valid_length(text, *length) == *length && memchr(text, '\0', *length) == NULL;
    if (tables->settings->database.kind != PS_DATABASE_POSTGRES || fits)
        return text;
    to->length = 0;
    char *out = room_in(to, 3 * *length);
    for (size_t at = 0, end; at <= *length; at = end + 1) {
        const char *zero = memchr(text + at, '\0', *length - at);
        end = zero != NULL ? (size_t)(zero - text) : *length;
        to->length += ps_utf8_repair(text + at, end - at, out + to->length);
        if (zero == NULL)
            break;
        memcpy(out + to->length, "\xEF\xBF\xBD", 3);
        to->length += 3;
    }
    *length = to->length;
    return out;
}

static enum ps_status run(struct tables *tables, enum ps_tables_statement statement,
                          const struct ps_database_value *values, struct ps_err *err)
{
    return tables->ops->run(tables->database, &ps_tables_statements[statement], values, err);
}

static enum ps_status write_header(struct tables *tables, const struct ps_events_field *field,
                                   struct ps_err *err)
{
    size_t name_length = field->name_length, value_length = field->value_length;
    const char *name = fit(tables, &tables->writing.name, field->name, &name_length);
    const char *value = fit(tables, &tables->writing.value, field->value, &value_length);
    size_t name_end = spill_at(name, name_length), value_end = spill_at(value, value_length);
    const struct ps_database_value header[] = {text_value(name, name_end), text_value(value, value_end),
                                               number_value(name_end < name_length),
                                               number_value(value_end < value_length)};
    const struct ps_database_value name_rest = text_value(name + name_end, name_length - name_end);
    const struct ps_database_value value_rest = text_value(value + value_end, value_length - value_end);
    if (run(tables, PS_INSERT_HEADER, header, err) != PS_OK ||
        (name_end < name_length && run(tables, PS_INSERT_NAME_SPILL, &name_rest, err) != PS_OK) ||
        (value_end < value_length && run(tables, PS_INSERT_VALUE_SPILL, &value_rest, err) != PS_OK))
        return PS_FAIL;
    return PS_OK;
}

static enum ps_status write_body(struct tables *tables, const struct ps_events_item *item, struct ps_err *err)
{
    size_t end = item->length < PS_TABLES_PAYLOAD_BYTES ? item->length : PS_TABLES_PAYLOAD_BYTES;
    bool spills = end < item->length;
    const struct ps_database_value event[] = {bytes_value(item->body, end), channel_value(tables),
                                              number_value(spills)};
    if (run(tables, PS_INSERT_EVENT, event, err) != PS_OK)
        return PS_FAIL;
    if (!spills)
        return PS_OK;
    const struct ps_database_value rest = bytes_value(item->body + end, item->length - end);
    return run(tables, PS_INSERT_PAYLOAD_SPILL, &rest, err);
}

static void note_field(struct tables *tables, size_t count, const struct ps_events_field *field)
{
    PS_ARRAY_GROW(tables->writing.fields, count, tables->writing.field_room, "headers of an event");
    tables->writing.fields[count] = *field;
}

/* Notes which header counts for each name of the frame. Of two headers with the same name the later one counts; an event's
 * own headers are after the shared ones. */
static void note_last(struct tables *tables, size_t count, size_t names)
{
    if (names > tables->writing.counting_room) {
        tables->writing.counting_room = 2 * names;
        tables->writing.counting = ps_must_realloc(
            tables->writing.counting, tables->writing.counting_room * sizeof *tables->writing.counting,
            "headers of an event");
    }
    for (size_t i = 0; i < count; i++)
        tables->writing.counting[tables->writing.fields[i].number] = i;
}

/* Inserts the events of a payload. */
static enum ps_status write_payload(struct tables *tables, const void *payload, uint32_t length,
                                    struct ps_err *err)
{
    struct ps_events_cursor cursor;
    struct ps_events_field field;
    struct ps_events_item item;
    size_t shared = 0;
    enum ps_status status = PS_OK;
    bool whole = ps_events_cursor_init(&cursor, payload, length);
    PS_ASSERT(whole); /* the durable queue has encoded the payload, so it is valid */
    while (ps_events_next_field(&cursor, &field))
        note_field(tables, shared++, &field);
    while (status == PS_OK && ps_events_next(&cursor, &item)) {
        size_t count = shared;
        status = write_body(tables, &item, err);
        while (ps_events_next_field(&cursor, &field))
            note_field(tables, count++, &field);
        note_last(tables, count, cursor.name_count);
        for (size_t i = 0; status == PS_OK && i < count; i++) {
            if (tables->writing.counting[tables->writing.fields[i].number] == i)
                status = write_header(tables, &tables->writing.fields[i], err);
        }
    }
    ps_events_cursor_fini(&cursor);
    return status;
}

#define LIMIT_MIN 16
/* A buffer that long events made larger than this is freed after the read. */
#define KEEP_BYTES ((size_t)4 << 20)

static size_t keep(struct buffer *to, const struct ps_database_value *value)
{
    size_t at = to->length;
    if (value->type == PS_DATABASE_NULL || value->type == PS_DATABASE_NUMBER || value->length == 0)
        return at;
    memcpy(room_in(to, value->length), value->data, value->length);
    to->length += value->length;
    return at;
}

/* ---- reading bodies ---- */

static bool read_event(void *argument, const struct ps_database_value *values)
{
    struct tables *tables = argument;
    if (values[0].number > tables->last) /* an event of the open transaction, which may never be committed */
        return false;
    PS_ARRAY_GROW(tables->reading.rows, tables->reading.row_count, tables->reading.row_room,
                  "events of a database");
    struct event_row *row = &tables->reading.rows[tables->reading.row_count++];
    *row = (struct event_row){.identity = values[0].number, .spills = values[2].number != 0};
    row->body = keep(&tables->reading.bytes, &values[1]);
    row->length = tables->reading.bytes.length - row->body;
    return tables->reading.bytes.length < PS_EVENTS_PAYLOAD_BYTES &&
           tables->reading.row_count < PS_BATCH_EVENTS_MAX;
}

static bool read_rest(void *argument, const struct ps_database_value *values)
{
    struct tables *tables = argument;
    (void)keep(&tables->reading.bytes, &values[0]);
    tables->reading.lacks = false;
    return false;
}

/* Appends the body's first part and its spilled rest to the buffer, as one body. */
static enum ps_status read_spill(struct tables *tables, struct event_row *row, struct ps_err *err)
{
    const struct ps_database_value identity = number_value(row->identity);
    struct buffer *read = &tables->reading.bytes;
    char *to = room_in(read, row->length);
    if (row->length > 0)
        memcpy(to, read->bytes + row->body, row->length);
    row->body = read->length;
    read->length += row->length;
    tables->reading.lacks = true;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_PAYLOAD_SPILL], &identity,
                           read_rest, tables, err) != PS_OK)
        return PS_FAIL;
    row->length = read->length - row->body;
    if (tables->reading.lacks)
        ps_log(PS_LOG_WARN, tables->component,
               "the database has no row for event %lld in FL_PLSPILL: the body of the event ends early",
               (long long)row->identity);
    return PS_OK;
}

static enum ps_status read_events(struct tables *tables, struct ps_err *err)
{
    const struct ps_database_value values[] = {channel_value(tables), number_value(tables->fed),
                                               number_value(tables->reading.limit)};
    tables->reading.row_count = 0;
    tables->reading.bytes.length = 0;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_EVENTS], values, read_event,
                           tables, err) != PS_OK)
        return PS_FAIL;
    size_t total = 0;
    for (size_t i = 0; i < tables->reading.row_count; i++) {
        struct event_row *row = &tables->reading.rows[i];
        if (row->spills && read_spill(tables, row, err) != PS_OK)
            return PS_FAIL;
        total += row->length;
        if (total > PS_EVENTS_PAYLOAD_BYTES) /* the further events do not fit into this frame */
            tables->reading.row_count = i > 0 ? i : 1;
    }
    return PS_OK;
}

/* ---- reading headers ---- */

static bool read_header(void *argument, const struct ps_database_value *values)
{
    struct tables *tables = argument;
    int64_t identity = values[0].number;
    while (tables->reading.row_at < tables->reading.row_count &&
           tables->reading.rows[tables->reading.row_at].identity < identity)
        tables->reading.row_at++;
    if (tables->reading.row_at == tables->reading.row_count)
        return false;
    struct event_row *row = &tables->reading.rows[tables->reading.row_at];
    if (row->identity != identity)
        return true;
    if (!row->has_headers)
        row->first_header = tables->reading.header_count;
    row->has_headers = true;
    PS_ARRAY_GROW(tables->reading.headers, tables->reading.header_count, tables->reading.header_room,
                  "headers of a database");
    struct header_row header = {.name = keep(&tables->reading.bytes, &values[1])};
    (void)keep(&tables->reading.bytes, &values[3]);
    header.name_length = (uint32_t)(tables->reading.bytes.length - header.name);
    header.value = keep(&tables->reading.bytes, &values[2]);
    (void)keep(&tables->reading.bytes, &values[4]);
    header.value_length = (uint32_t)(tables->reading.bytes.length - header.value);
    if (header.name_length > PS_HEADER_NAME_BYTES_MAX) {
        ps_log(PS_LOG_WARN, tables->component,
               "event %lld has a header with a name of %u bytes: the header is left out", (long long)identity,
               header.name_length);
        return true;
    }
    tables->reading.headers[tables->reading.header_count++] = header;
    row->header_count++;
    return true;
}

static enum ps_status read_headers(struct tables *tables, struct ps_err *err)
{
    const struct ps_database_value values[] = {
        channel_value(tables), number_value(tables->reading.rows[0].identity),
        number_value(tables->reading.rows[tables->reading.row_count - 1].identity)};
    tables->reading.header_count = 0;
    tables->reading.row_at = 0;
    return tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_HEADERS], values, read_header,
                              tables, err);
}

/* ---- reading a frame ---- */

static size_t row_bytes(const struct tables *tables, const struct event_row *row)
{
    size_t bytes = 8 + row->length;
    for (uint32_t i = 0; i < row->header_count; i++) {
        const struct header_row *header = &tables->reading.headers[row->first_header + i];
        bytes += 10 + (size_t)header->name_length + header->value_length;
    }
    return bytes;
}

/* Returns false if there is no memory for the payload. */
static bool encode(struct tables *tables, struct ps_store_frame *frame)
{
    struct ps_events_encoder *encoder = &tables->reading.encoder;
    const char *bytes = tables->reading.bytes.bytes != NULL ? tables->reading.bytes.bytes : "";
    *frame = (struct ps_store_frame){
        .blocks = frame->blocks,
        .rows = {.first = tables->reading.rows[0].identity, .generation = tables->generation}};
    ps_events_begin(encoder);
    for (size_t i = 0; i < tables->reading.row_count; i++) {
        const struct event_row *row = &tables->reading.rows[i];
        if (i > 0 &&
            encoder->length + encoder->names_length + row_bytes(tables, row) > PS_EVENTS_PAYLOAD_BYTES)
            break;
        ps_events_add(encoder, bytes + row->body, (uint32_t)row->length, row->header_count);
        for (uint32_t k = 0; k < row->header_count; k++) {
            const struct header_row *header = &tables->reading.headers[row->first_header + k];
            ps_events_header(encoder, bytes + header->name, header->name_length, bytes + header->value,
                             header->value_length);
        }
        frame->rows.last = row->identity;
        frame->rows.spills |= row->spills;
        frame->rows.headers |= row->has_headers;
    }
    const char *payload = ps_events_end(encoder);
    frame->length = (uint32_t)encoder->length;
    frame->count = encoder->count;
    frame->bytes = encoder->body_bytes;
    frame->rows.payload = ps_block_take_oversize(frame->blocks, frame->length);
    if (frame->rows.payload != NULL)
        memcpy(frame->rows.payload->base, payload, frame->length);
    return frame->rows.payload != NULL;
}

/* Reads the next frame of events after tables->fed. The caller owns its payload. */
static enum ps_store_fed read_frame(struct tables *tables, struct ps_store_frame *frame, struct ps_err *err)
{
    if (read_events(tables, err) != PS_OK)
        return PS_STORE_FAILED;
    if (tables->reading.row_count == 0)
        return PS_STORE_EMPTY;
    if (read_headers(tables, err) != PS_OK)
        return PS_STORE_FAILED;
    bool has_memory = encode(tables, frame);
    if (tables->reading.bytes.room > KEEP_BYTES) {
        free(tables->reading.bytes.bytes);
        tables->reading.bytes = (struct buffer){.bytes = NULL};
    }
    if (!has_memory)
        return PS_STORE_NO_MEMORY; /* the next read reads these events again */
    tables->fed = frame->rows.last;
    /* Reads about as many events as fit into a frame, because those that do not fit must be read again. */
    int64_t limit = 2 * (int64_t)frame->count;
    tables->reading.limit = limit < LIMIT_MIN             ? LIMIT_MIN
                            : limit > PS_BATCH_EVENTS_MAX ? PS_BATCH_EVENTS_MAX
                                                          : limit;
    return PS_STORE_FED;
}

static enum ps_status remove_delivered(struct tables *tables, struct ps_err *err);

/* ---- connecting ---- */

static bool note_numbers(void *argument, const struct ps_database_value *values)
{
    int64_t *numbers = argument;
    numbers[0] = values[0].number;
    return false;
}

static bool note_fill(void *argument, const struct ps_database_value *values)
{
    struct tables *tables = argument;
    tables->events = (uint64_t)values[0].number;
    tables->bytes = (uint64_t)values[1].number;
    tables->last = values[2].number;
    return false;
}

static void disconnect(struct tables *tables)
{
    if (tables->database != NULL)
        tables->ops->close(tables->database);
    tables->database = NULL;
    tables->open = false;
    tables->added_events = tables->added_bytes = 0;
}

/* Locks the channel: a second agent, or a second channel of this name, would deliver everything again. */
static enum ps_status lock(struct tables *tables, struct ps_err *err)
{
    const struct ps_database_value channel = channel_value(tables);
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
static void hold_file(struct tables *tables)
{
    if (tables->file >= 0)
        close(tables->file);
    tables->file = tables->settings->database.kind == PS_DATABASE_SQLITE
                       ? open(tables->settings->database.path, O_PATH | O_CLOEXEC)
                       : -1;
}

/* Finds out whether the next connection would find the same database as the last one, which may be closed. PS_FAIL:
 * this is not known now. */
static enum ps_status look_whether_same(const struct tables *tables, bool *same, struct ps_err *err)
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

static enum ps_status connect_to(struct tables *tables, struct ps_err *err)
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

static enum ps_status count(struct tables *tables, struct ps_err *err)
{
    const struct ps_database_value channel = channel_value(tables);
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

static enum ps_status read_given(const struct tables *tables, int64_t *given, struct ps_err *err)
{
    return tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_SEQUENCE], NULL, note_numbers,
                              given, err);
}

/* Begins to watch the identities that the server gives. Tables that were filled without a sequence are not watched
 * until this channel has added events; a server whose sequence cannot be read is not watched at all. */
static void watch_given(struct tables *tables)
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
static enum ps_status look_whether_behind(struct tables *tables, struct ps_err *err)
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
static void note_promised(struct tables *tables)
{
    int64_t last = tables->last > tables->mark.last ? tables->last : tables->mark.last;
    ps_promised_mark_write(&tables->mark, last, tables->events);
}

/* Compares the database with the mark that was written before the database was closed or the process killed. All
 * channels take identities from one sequence. If it is behind the mark, SQLite's log was lost, with the newest events
 * of this channel. Returns PS_FAIL only if the mark cannot be read. */
static enum ps_status look_for_lost(struct tables *tables, struct ps_err *err)
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
    struct tables *tables = store;
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
    struct tables *tables = ps_must_alloc(1, sizeof *tables, component);
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

static enum ps_status begin(struct tables *tables, struct ps_err *err)
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
static enum ps_status roll_back(struct tables *tables)
{
    const struct ps_database_value values[] = {number_value(tables->unsure), channel_value(tables)};
    struct ps_err ignored = {.length = 0};
    int64_t there = 0;
    tables->broken = true;
    if (tables->settings->database.kind != PS_DATABASE_SQLITE || tables->database == NULL)
        return PS_FAIL;
    /* SQLite may have rolled back by itself. */
    (void)tables->ops->execute(tables->database, "ROLLBACK", &ignored);
    tables->open = false;
    /* What the next connection finds of it in the -wal was perhaps never synced, so a COMMIT of which this one cannot tell counts as undone. */
    if (tables->unsure != 0 && (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_ONE],
                                                   values, note_numbers, &there, &ignored) != PS_OK ||
                                there == 0)) {
        tables->undone = tables->unsure; /* the COMMIT was not carried out */
        tables->unsure = 0;
    }
    return PS_FAIL;
}

static enum ps_status store_append(void *store, const void *payload, uint32_t length, uint32_t events,
                                   uint64_t bytes, uint64_t *number, struct ps_err *err)
{
    struct tables *tables = store;
    if (begin(tables, err) != PS_OK || write_payload(tables, payload, length, err) != PS_OK)
        return roll_back(tables);
    tables->added_events += events;
    tables->added_bytes += bytes;
    *number = ++tables->appended;
    return PS_OK;
}

/* Removes the events of the first `ranges` taken ranges; first the rows of the tables that refer to others. */
static enum ps_status remove_taken(struct tables *tables, size_t ranges, struct ps_err *err)
{
    for (size_t i = 0; i < ranges; i++) {
        const struct taken_range *taken = &tables->taken[i];
        const struct ps_database_value values[] = {channel_value(tables), number_value(taken->first),
                                                   number_value(taken->last)};
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

static enum ps_status commit(struct tables *tables, int64_t *last, struct ps_err *err)
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
    struct tables *tables = store;
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
static enum ps_status remove_delivered(struct tables *tables, struct ps_err *err)
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
static enum ps_status look_whether_committed(struct tables *tables, uint64_t events, uint64_t bytes,
                                             struct ps_err *err)
{
    const struct ps_database_value values[] = {number_value(tables->unsure), channel_value(tables)};
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

/* SQLite has a failed COMMIT in its -wal if only the sync failed, and the next connection finds it carried out: its events are not
 * promised, and are appended again, so the first ones go. */
static enum ps_status remove_undone(struct tables *tables, struct ps_err *err)
{
    const struct ps_database_value values[] = {number_value(tables->undone), channel_value(tables)};
    int64_t there = 0;
    if (tables->undone == 0)
        return PS_OK;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_ONE], values, note_numbers,
                           &there, err) != PS_OK)
        return PS_FAIL;
    if (there > 0) {
        PS_ARRAY_GROW(tables->taken, tables->taken_count, tables->taken_room, "events to be removed");
        tables->taken[tables->taken_count++] =
            (struct taken_range){tables->last + 1, tables->undone, true, true};
        tables->has_undone = true;
    }
    tables->undone = 0;
    return PS_OK;
}

/* Starts with another database after the former one is gone: its events are lost, and its identities have no meaning here. */
static enum ps_status begin_anew(struct tables *tables, struct ps_err *err)
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
    tables->fed = tables->unsure = tables->undone = 0;
    tables->has_undone = false;
    tables->taken_count = 0;
    watch_given(tables);
    ps_promised_mark_write(&tables->mark, tables->last, tables->events);
    return PS_OK;
}

static enum ps_status store_renew(void *store, struct ps_err *err)
{
    struct tables *tables = store;
    uint64_t events = tables->added_events, bytes = tables->added_bytes;
    bool same;
    if (look_whether_same(tables, &same, err) != PS_OK)
        return PS_FAIL;
    tables->gone |= !same;
    disconnect(tables);
    if (connect_to(tables, err) != PS_OK || look_whether_behind(tables, err) != PS_OK ||
        begin_anew(tables, err) != PS_OK || look_whether_committed(tables, events, bytes, err) != PS_OK ||
        remove_undone(tables, err) != PS_OK || remove_delivered(tables, err) != PS_OK) {
        tables->added_events = events;
        tables->added_bytes = bytes;
        return PS_FAIL;
    }
    tables->appended = tables->promised;
    tables->broken = tables->has_undone = false;
    return PS_OK;
}

static uint64_t store_promised(const void *store)
{
    return ((const struct tables *)store)->promised;
}

static void store_fill(const void *store, struct ps_segment_fill *fill)
{
    const struct tables *tables = store;
    *fill = (struct ps_segment_fill){
        .events = tables->events, .bytes = tables->bytes, .frames_lost = tables->frames_lost};
}

/* ---- reading ---- */

static enum ps_store_fed store_feed(void *store, struct ps_store_frame *frame, struct ps_err *err)
{
    struct tables *tables = store;
    bool readable = !tables->broken || (tables->database != NULL && !tables->open && tables->unsure == 0);
    if (!readable || tables->has_undone || tables->fed >= tables->last)
        return PS_STORE_EMPTY;
    enum ps_store_fed fed = read_frame(tables, frame, err);
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
    struct tables *tables = store;
    if (frame->rows.generation != tables->generation)
        return; /* the frame was lost with its database */
    PS_ARRAY_GROW(tables->taken, tables->taken_count, tables->taken_room, "events to be removed");
    tables->taken[tables->taken_count++] =
        (struct taken_range){frame->rows.first, frame->rows.last, frame->rows.spills, frame->rows.headers};
    tables->events -= frame->count < tables->events ? frame->count : tables->events;
    tables->bytes -= frame->bytes < tables->bytes ? frame->bytes : tables->bytes;
}

/* Handles a frame that cannot be read into a batch, even with enough memory: logs it and removes it. */
static void store_lost(void *store, const struct ps_store_frame *frame)
{
    struct tables *tables = store;
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
