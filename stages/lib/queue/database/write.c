/* Inserts events as rows. */
#include <string.h>

#include "core/text/utf8.h"
#include "stages/lib/queue/database/store_internal.h"

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
static const char *fit(const struct ps_tables *tables, struct ps_tables_bytes *to, const char *text,
                       size_t *length)
{
    bool fits = ps_utf8_valid_length(text, *length) == *length && memchr(text, '\0', *length) == NULL;
    if (tables->settings->database.kind != PS_DATABASE_POSTGRES || fits)
        return text;
    to->length = 0;
    char *out = ps_tables_room(to, 3 * *length);
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

static enum ps_status run(struct ps_tables *tables, enum ps_tables_statement statement,
                          const struct ps_database_value *values, struct ps_err *err)
{
    return tables->ops->run(tables->database, &ps_tables_statements[statement], values, err);
}

static enum ps_status write_header(struct ps_tables *tables, const struct ps_events_field *field,
                                   struct ps_err *err)
{
    size_t name_length = field->name_length, value_length = field->value_length;
    const char *name = fit(tables, &tables->writing.name, field->name, &name_length);
    const char *value = fit(tables, &tables->writing.value, field->value, &value_length);
    size_t name_end = spill_at(name, name_length), value_end = spill_at(value, value_length);
    const struct ps_database_value header[] = {
        ps_tables_text(name, name_end), ps_tables_text(value, value_end),
        ps_tables_number(name_end < name_length), ps_tables_number(value_end < value_length)};
    const struct ps_database_value name_rest = ps_tables_text(name + name_end, name_length - name_end);
    const struct ps_database_value value_rest = ps_tables_text(value + value_end, value_length - value_end);
    if (run(tables, PS_INSERT_HEADER, header, err) != PS_OK ||
        (name_end < name_length && run(tables, PS_INSERT_NAME_SPILL, &name_rest, err) != PS_OK) ||
        (value_end < value_length && run(tables, PS_INSERT_VALUE_SPILL, &value_rest, err) != PS_OK))
        return PS_FAIL;
    return PS_OK;
}

static enum ps_status write_body(struct ps_tables *tables, const struct ps_events_item *item,
                                 struct ps_err *err)
{
    size_t end = item->length < PS_TABLES_PAYLOAD_BYTES ? item->length : PS_TABLES_PAYLOAD_BYTES;
    bool spills = end < item->length;
    const struct ps_database_value event[] = {ps_tables_data(item->body, end), ps_tables_channel(tables),
                                              ps_tables_number(spills)};
    if (run(tables, PS_INSERT_EVENT, event, err) != PS_OK)
        return PS_FAIL;
    if (!spills)
        return PS_OK;
    const struct ps_database_value rest = ps_tables_data(item->body + end, item->length - end);
    return run(tables, PS_INSERT_PAYLOAD_SPILL, &rest, err);
}

static void note_field(struct ps_tables *tables, size_t count, const struct ps_events_field *field)
{
    if (count == tables->writing.field_room) {
        tables->writing.field_room = count > 0 ? 2 * count : 16;
        tables->writing.fields = ps_must_realloc(tables->writing.fields,
                                                 tables->writing.field_room * sizeof *tables->writing.fields,
                                                 "headers of an event");
    }
    tables->writing.fields[count] = *field;
}

/* Notes which header counts for each name of the frame. Of two headers with the same name the later one counts; an event's
 * own headers are after the shared ones. */
static void note_last(struct ps_tables *tables, size_t count, size_t names)
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

enum ps_status ps_tables_write(struct ps_tables *tables, const void *payload, uint32_t length,
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
