#include "stages/lib/kudu/batch.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_BYTES (4U << 20)

enum { WRITE_TABLET = 1, WRITE_SCHEMA = 2, WRITE_OPERATIONS = 3, WRITE_TOKEN = 6 };
enum { OPERATIONS_ROWS = 2, OPERATIONS_INDIRECT = 3 };
enum { WRITTEN_ERROR = 1, WRITTEN_ROW = 2, ROW_PLACE = 1, ROW_STATUS = 2 };

void ps_kudu_batch_clear(struct ps_kudu_batch *batch)
{
    ps_byte_buffer_clear(&batch->bytes, KEPT_BYTES);
    batch->count = batch->write_count = 0;
    batch->framed.reason_count = 0;
    batch->framed.reached = batch->is_refused = false;
    ps_kudu_table_release(batch->table);
    batch->table = NULL;
}

void ps_kudu_batch_free(struct ps_kudu_batch *batch)
{
    ps_kudu_batch_clear(batch);
    ps_byte_buffer_clear(&batch->bytes, 0);
    free(batch->rows);
    free(batch->writes);
    batch->rows = NULL;
    batch->writes = NULL;
    batch->room = batch->write_room = 0;
}

/* ---- rows ---- */

static bool has_room(struct ps_kudu_batch *batch)
{
    uint32_t room = batch->room > 0 ? 2 * batch->room : 256;
    if (batch->count < batch->room)
        return true;
    struct ps_kudu_row *rows = realloc(batch->rows, room * sizeof *rows);
    if (rows == NULL)
        return false;
    batch->rows = rows;
    batch->room = room;
    return true;
}

/* Returns whether the cells are a row of the table, as a server would ask. Adds up the bytes outside the row. */
static bool is_writable(const struct ps_kudu_table *table, const struct ps_kudu_cell *cells, size_t *indirect,
                        char reason[PS_KUDU_REASON_BYTES])
{
    const char *what = NULL;
    *indirect = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ps_kudu_column *column = &table->columns[i];
        bool is_needed = !column->is_nullable && !column->is_automatic;
        if (!cells[i].is_set && is_needed && (column->is_key || !column->has_default))
            what = "has no value";
        else if (cells[i].is_set && cells[i].is_null && !column->is_nullable)
            what = "may not be null";
        else if (cells[i].is_set && column->size == 0)
            what = "is of a type that is not known";
        if (what != NULL) {
            (void)snprintf(reason, PS_KUDU_REASON_BYTES, "column %.200s %s", column->name, what);
            return false;
        }
        if (cells[i].is_set && !cells[i].is_null && column->is_bytes)
            *indirect += cells[i].length;
    }
    return true;
}

static uint8_t *put_little(uint8_t *to, unsigned __int128 number, unsigned size)
{
    for (unsigned i = 0; i < size; i++, number >>= 8)
        *to++ = (uint8_t)number;
    return to;
}

/* Writes a row: operation, which columns are set, which are null, the cells; offsets count from the row's own bytes. */
static uint8_t *put_row(uint8_t *to, const struct ps_kudu_table *table, enum ps_kudu_operation operation,
                        const struct ps_kudu_cell *cells)
{
    size_t bits = (table->count + 7) / 8, indirect = 0;
    uint8_t *set = to + 1, *null = set + bits;
    *to = (uint8_t)operation;
    memset(set, 0, bits * (table->has_nullable ? 2 : 1));
    to = table->has_nullable ? null + bits : null;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ps_kudu_cell *cell = &cells[i];
        const struct ps_kudu_column *column = &table->columns[i];
        if (!cell->is_set)
            continue;
        set[i / 8] |= (uint8_t)(1U << (i % 8));
        if (cell->is_null) {
            null[i / 8] |= (uint8_t)(1U << (i % 8));
        } else if (column->is_bytes) {
            to = put_little(to, indirect, 8);
            to = put_little(to, cell->length, 8);
            indirect += cell->length;
        } else {
            to = put_little(to, (unsigned __int128)cell->number, column->size);
        }
    }
    return to;
}

enum ps_kudu_added ps_kudu_batch_add(struct ps_kudu_batch *batch, uint32_t event,
                                     enum ps_kudu_operation operation, const struct ps_kudu_cell *cells,
                                     char reason[PS_KUDU_REASON_BYTES])
{
    const struct ps_kudu_table *table = batch->table;
    struct ps_byte_buffer *bytes = &batch->bytes;
    size_t begin = bytes->length, indirect;
    if (!is_writable(table, cells, &indirect, reason))
        return PS_KUDU_UNWRITABLE;
    if (indirect > PS_KUDU_ROW_BYTES_MAX) {
        (void)snprintf(reason, PS_KUDU_REASON_BYTES, "the row is longer than %u MiB",
                       PS_KUDU_ROW_BYTES_MAX >> 20);
        return PS_KUDU_UNWRITABLE;
    }
    size_t most = 1 + 2 * ((table->count + 7) / 8) + 16 * (size_t)table->count + indirect;
    if (begin > UINT32_MAX - 4 * (size_t)PS_KUDU_ROW_BYTES_MAX || !has_room(batch) ||
        !ps_kudu_put_key(bytes, table, cells) || !ps_byte_buffer_reserve(bytes, most)) {
        bytes->length = begin;
        return PS_KUDU_LATER;
    }
    size_t key = bytes->length - begin;
    uint8_t *at = (uint8_t *)bytes->data + bytes->length;
    size_t fixed = (size_t)(put_row(at, table, operation, cells) - at);
    bytes->length += fixed;
    for (uint32_t i = 0; i < table->count; i++)
        if (cells[i].is_set && !cells[i].is_null && table->columns[i].is_bytes)
            ps_byte_buffer_put(bytes, cells[i].bytes, cells[i].length);
    batch->rows[batch->count++] = (struct ps_kudu_row){.event = event,
                                                       .at = (uint32_t)begin,
                                                       .key = (uint32_t)key,
                                                       .fixed = (uint32_t)fixed,
                                                       .indirect = (uint32_t)indirect,
                                                       .write = PS_KUDU_NONE};
    return PS_KUDU_ADDED;
}

/* ---- states ---- */

void ps_kudu_batch_set(struct ps_kudu_batch *batch, struct ps_kudu_row *row, enum ps_remote_part_state state,
                       const char *reason)
{
    row->state = state;
    if (reason != NULL)
        row->reason = ps_framed_batch_note(&batch->framed, reason);
}

void ps_kudu_batch_set_write(struct ps_kudu_batch *batch, struct ps_kudu_write *write,
                             enum ps_remote_part_state state, const char *reason)
{
    write->state = state;
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next)
        if (batch->rows[i].state == PS_PART_WAITING || batch->rows[i].state == PS_PART_SENT)
            ps_kudu_batch_set(batch, &batch->rows[i], state, reason);
}

uint32_t ps_kudu_batch_new_write(struct ps_kudu_batch *batch)
{
    uint32_t number = 0;
    while (number < batch->write_count && batch->writes[number].rows > 0)
        number++;
    if (number == batch->write_room) {
        uint32_t room = batch->write_room > 0 ? 2 * batch->write_room : 16;
        struct ps_kudu_write *writes = realloc(batch->writes, room * sizeof *writes);
        if (writes == NULL)
            return PS_KUDU_NONE;
        batch->writes = writes;
        batch->write_room = room;
    }
    if (number == batch->write_count)
        batch->write_count++;
    batch->writes[number] = (struct ps_kudu_write){
        .after = PS_KUDU_NONE, .first = PS_KUDU_NONE, .last = PS_KUDU_NONE, .state = PS_PART_WAITING};
    return number;
}

void ps_kudu_batch_join(struct ps_kudu_batch *batch, uint32_t number, uint32_t row)
{
    struct ps_kudu_write *write = &batch->writes[number];
    if (write->rows++ == 0)
        write->first = row;
    else
        batch->rows[write->last].next = row;
    write->last = row;
    write->fixed += batch->rows[row].fixed;
    write->indirect += batch->rows[row].indirect;
    batch->rows[row].write = number;
    batch->rows[row].next = PS_KUDU_NONE;
}

void ps_kudu_batch_dissolve(struct ps_kudu_batch *batch, struct ps_kudu_write *write)
{
    const uint32_t number = (uint32_t)(write - batch->writes);
    const struct ps_kudu_row *left = NULL;
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next) {
        batch->rows[i].write = PS_KUDU_NONE;
        if (batch->rows[i].state != PS_PART_DELIVERED && batch->rows[i].state != PS_PART_REJECTED)
            left = &batch->rows[i];
    }
    *write = (struct ps_kudu_write){.after = PS_KUDU_NONE, .first = PS_KUDU_NONE};
    for (uint32_t i = 0; i < batch->write_count; i++) {
        struct ps_kudu_write *next = &batch->writes[i];
        if (next->rows == 0 || next->after != number)
            continue;
        next->after = PS_KUDU_NONE;
        if (left == NULL)
            continue;
        if (left->state != PS_PART_WAITING)
            ps_kudu_batch_set_write(batch, next, PS_PART_AGAIN, batch->framed.reasons[left->reason]);
        ps_kudu_batch_dissolve(batch, next);
    }
}

/* ---- requests ---- */

/* Adds `base` to the offset of each cell of bytes in a row. */
static void move_offsets(uint8_t *row, const struct ps_kudu_table *table, uint64_t base)
{
    size_t bits = (table->count + 7) / 8;
    const uint8_t *set = row + 1, *null = set + bits;
    uint8_t *at = row + 1 + bits * (table->has_nullable ? 2 : 1);
    for (uint32_t i = 0; i < table->count; i++) {
        if ((set[i / 8] >> (i % 8) & 1) == 0 || (table->has_nullable && (null[i / 8] >> (i % 8) & 1) != 0))
            continue;
        if (table->columns[i].is_bytes) {
            uint64_t offset;
            memcpy(&offset, at, sizeof offset);
            (void)put_little(at, le64toh(offset) + base, 8);
        }
        at += table->columns[i].size;
    }
}

static uint8_t *put_rows(uint8_t *to, const struct ps_kudu_batch *batch, const struct ps_kudu_write *write)
{
    uint64_t base = 0;
    to = ps_protobuf_put_head(to, OPERATIONS_ROWS, write->fixed);
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next) {
        const struct ps_kudu_row *row = &batch->rows[i];
        memcpy(to, ps_kudu_row_key(batch, row) + row->key, row->fixed);
        move_offsets(to, batch->table, base);
        base += row->indirect;
        to += row->fixed;
    }
    to = ps_protobuf_put_head(to, OPERATIONS_INDIRECT, write->indirect);
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next) {
        const struct ps_kudu_row *row = &batch->rows[i];
        if (row->indirect > 0)
            memcpy(to, ps_kudu_row_key(batch, row) + row->key + row->fixed, row->indirect);
        to += row->indirect;
    }
    return to;
}

size_t ps_kudu_put_write(struct ps_kudu_batch *batch, const struct ps_kudu_write *write,
                         struct ps_framed_server *server, uint32_t call, uint64_t timeout_ms,
                         const struct ps_kudu_request_id *id, const char *tablet, size_t tablet_length,
                         const struct ps_byte_buffer *token)
{
    size_t before = server->out.length;
    size_t operations = ps_protobuf_bytes_length(OPERATIONS_ROWS, write->fixed) +
                        ps_protobuf_bytes_length(OPERATIONS_INDIRECT, write->indirect);
    size_t length = ps_protobuf_bytes_length(WRITE_TABLET, tablet_length) +
                    ps_protobuf_bytes_length(WRITE_SCHEMA, batch->table->schema_length) +
                    ps_protobuf_bytes_length(WRITE_OPERATIONS, operations) +
                    (token->length > 0 ? ps_protobuf_bytes_length(WRITE_TOKEN, token->length) : 0);
    uint8_t *to =
        ps_kudu_put_request(&server->out, call, PS_KUDU_TABLET_SERVER, "Write", timeout_ms, id, length);
    if (to == NULL)
        return 0;
    to = ps_protobuf_put_bytes(to, WRITE_TABLET, tablet, tablet_length);
    to = ps_protobuf_put_bytes(to, WRITE_SCHEMA, batch->table->schema, batch->table->schema_length);
    to = ps_protobuf_put_head(to, WRITE_OPERATIONS, operations);
    to = put_rows(to, batch, write);
    if (token->length > 0)
        (void)ps_protobuf_put_bytes(to, WRITE_TOKEN, token->data, token->length);
    return server->out.length - before;
}

/* ---- the answer ---- */

static bool parse_row(struct ps_protobuf_reader reader, uint32_t *place, struct ps_kudu_status *status)
{
    bool good = true, has_place = false;
    *place = 0;
    *status = (struct ps_kudu_status){.text = ""};
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, ROW_PLACE)) {
            *place = (uint32_t)reader.number;
            has_place = reader.number <= INT32_MAX;
        } else if (ps_protobuf_is_bytes(&reader, ROW_STATUS))
            good = ps_kudu_parse_status(ps_protobuf_inner(&reader), status);
    }
    return good && !reader.invalid && has_place;
}

bool ps_kudu_parse_written(const uint8_t *bytes, size_t length, uint32_t rows,
                           struct ps_kudu_written *written,
                           void (*each)(void *owner, uint32_t place, const struct ps_kudu_status *status),
                           void *owner)
{
    struct ps_protobuf_reader all = ps_protobuf_read(bytes, length), reader = all;
    struct ps_kudu_status status;
    uint32_t place;
    bool good = true;
    *written = (struct ps_kudu_written){.error = 0};
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, WRITTEN_ERROR))
            good = ps_kudu_parse_error(ps_protobuf_inner(&reader), &written->error, &written->status) &&
                   written->error != 0;
        else if (ps_protobuf_is_bytes(&reader, WRITTEN_ROW))
            good = parse_row(ps_protobuf_inner(&reader), &place, &status) && place < rows;
    }
    if (!good || reader.invalid)
        return false;
    while (written->error == 0 && ps_protobuf_next(&all)) /* all is well formed: now it counts */
        if (ps_protobuf_is_bytes(&all, WRITTEN_ROW) && parse_row(ps_protobuf_inner(&all), &place, &status))
            each(owner, place, &status);
    return true;
}
