/* Reads rows and encodes them as frames of events. */
#include <stdlib.h>
#include <string.h>

#include "core/log/log.h"
#include "stages/lib/queue/database/store_internal.h"

#define LIMIT_MIN 16
/* A buffer that long events made larger than this is freed after the read. */
#define KEEP_BYTES ((size_t)4 << 20)

static size_t keep(struct ps_tables_bytes *to, const struct ps_database_value *value)
{
    size_t at = to->length;
    if (value->type == PS_DATABASE_NULL || value->type == PS_DATABASE_NUMBER || value->length == 0)
        return at;
    memcpy(ps_tables_room(to, value->length), value->data, value->length);
    to->length += value->length;
    return at;
}

/* ---- bodies ---- */

static bool read_event(void *argument, const struct ps_database_value *values)
{
    struct ps_tables *tables = argument;
    if (values[0].number > tables->last) /* an event of the open transaction, which may never be committed */
        return false;
    if (tables->reading.row_count == tables->reading.row_room) {
        tables->reading.row_room = tables->reading.row_room > 0 ? 2 * tables->reading.row_room : 64;
        tables->reading.rows =
            ps_must_realloc(tables->reading.rows, tables->reading.row_room * sizeof *tables->reading.rows,
                            "events of a database");
    }
    struct ps_tables_event *row = &tables->reading.rows[tables->reading.row_count++];
    *row = (struct ps_tables_event){.identity = values[0].number, .spills = values[2].number != 0};
    row->body = keep(&tables->reading.bytes, &values[1]);
    row->length = tables->reading.bytes.length - row->body;
    return tables->reading.bytes.length < PS_EVENTS_PAYLOAD_BYTES &&
           tables->reading.row_count < PS_BATCH_EVENTS_MAX;
}

static bool read_rest(void *argument, const struct ps_database_value *values)
{
    struct ps_tables *tables = argument;
    (void)keep(&tables->reading.bytes, &values[0]);
    tables->reading.lacks = false;
    return false;
}

/* Appends the body's first part and its spilled rest to the buffer, as one body. */
static enum ps_status read_spill(struct ps_tables *tables, struct ps_tables_event *row, struct ps_err *err)
{
    const struct ps_database_value identity = ps_tables_number(row->identity);
    struct ps_tables_bytes *read = &tables->reading.bytes;
    char *to = ps_tables_room(read, row->length);
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

static enum ps_status read_events(struct ps_tables *tables, struct ps_err *err)
{
    const struct ps_database_value values[] = {ps_tables_channel(tables), ps_tables_number(tables->fed),
                                               ps_tables_number(tables->reading.limit)};
    tables->reading.row_count = 0;
    tables->reading.bytes.length = 0;
    if (tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_EVENTS], values, read_event,
                           tables, err) != PS_OK)
        return PS_FAIL;
    size_t total = 0;
    for (size_t i = 0; i < tables->reading.row_count; i++) {
        struct ps_tables_event *row = &tables->reading.rows[i];
        if (row->spills && read_spill(tables, row, err) != PS_OK)
            return PS_FAIL;
        total += row->length;
        if (total > PS_EVENTS_PAYLOAD_BYTES) /* the further events do not fit into this frame */
            tables->reading.row_count = i > 0 ? i : 1;
    }
    return PS_OK;
}

/* ---- headers ---- */

static bool read_header(void *argument, const struct ps_database_value *values)
{
    struct ps_tables *tables = argument;
    int64_t identity = values[0].number;
    while (tables->reading.row_at < tables->reading.row_count &&
           tables->reading.rows[tables->reading.row_at].identity < identity)
        tables->reading.row_at++;
    if (tables->reading.row_at == tables->reading.row_count)
        return false;
    struct ps_tables_event *row = &tables->reading.rows[tables->reading.row_at];
    if (row->identity != identity)
        return true;
    if (!row->has_headers)
        row->first_header = tables->reading.header_count;
    row->has_headers = true;
    if (tables->reading.header_count == tables->reading.header_room) {
        tables->reading.header_room = tables->reading.header_room > 0 ? 2 * tables->reading.header_room : 64;
        tables->reading.headers = ps_must_realloc(
            tables->reading.headers, tables->reading.header_room * sizeof *tables->reading.headers,
            "headers of a database");
    }
    struct ps_tables_header header = {.name = keep(&tables->reading.bytes, &values[1])};
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

static enum ps_status read_headers(struct ps_tables *tables, struct ps_err *err)
{
    const struct ps_database_value values[] = {
        ps_tables_channel(tables), ps_tables_number(tables->reading.rows[0].identity),
        ps_tables_number(tables->reading.rows[tables->reading.row_count - 1].identity)};
    tables->reading.header_count = 0;
    tables->reading.row_at = 0;
    return tables->ops->query(tables->database, &ps_tables_statements[PS_SELECT_HEADERS], values, read_header,
                              tables, err);
}

/* ---- a frame ---- */

static size_t row_bytes(const struct ps_tables *tables, const struct ps_tables_event *row)
{
    size_t bytes = 8 + row->length;
    for (uint32_t i = 0; i < row->header_count; i++) {
        const struct ps_tables_header *header = &tables->reading.headers[row->first_header + i];
        bytes += 10 + (size_t)header->name_length + header->value_length;
    }
    return bytes;
}

/* Returns false if there is no memory for the payload. */
static bool encode(struct ps_tables *tables, struct ps_store_frame *frame)
{
    struct ps_events_encoder *encoder = &tables->reading.encoder;
    const char *bytes = tables->reading.bytes.bytes != NULL ? tables->reading.bytes.bytes : "";
    *frame = (struct ps_store_frame){
        .blocks = frame->blocks,
        .rows = {.first = tables->reading.rows[0].identity, .generation = tables->generation}};
    ps_events_begin(encoder);
    for (size_t i = 0; i < tables->reading.row_count; i++) {
        const struct ps_tables_event *row = &tables->reading.rows[i];
        if (i > 0 &&
            encoder->length + encoder->names_length + row_bytes(tables, row) > PS_EVENTS_PAYLOAD_BYTES)
            break;
        ps_events_add(encoder, bytes + row->body, (uint32_t)row->length, row->header_count);
        for (uint32_t k = 0; k < row->header_count; k++) {
            const struct ps_tables_header *header = &tables->reading.headers[row->first_header + k];
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

enum ps_store_fed ps_tables_read(struct ps_tables *tables, struct ps_store_frame *frame, struct ps_err *err)
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
        tables->reading.bytes = (struct ps_tables_bytes){.bytes = NULL};
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
