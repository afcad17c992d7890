/* Strings: direct (DATA, LENGTH), or numbers of a sorted dictionary. */
#include "stages/lib/orc/column/column.h"

#include <stdlib.h>

uint32_t ps_orc_text_bytes(const char *bytes, uint32_t length, uint32_t *characters)
{
    uint32_t count = 0, at = 0;
    for (; at < length; at++) {
        if (((unsigned char)bytes[at] & 0xc0) == 0x80)
            continue; /* inside of a character */
        if (count == *characters)
            break;
        count++;
    }
    *characters = count;
    return at;
}

/* Fills a char with blanks to its length. */
static void pad(struct ps_orc_column *column, const char **bytes, uint32_t *length, uint32_t blanks)
{
    ps_orc_buffer_clear(&column->padded);
    ps_orc_buffer_append(&column->padded, *bytes, *length);
    while (blanks-- > 0)
        ps_orc_buffer_byte(&column->padded, ' ');
    *bytes = (const char *)column->padded.data;
    *length = (uint32_t)column->padded.length;
}

static void add_direct(struct ps_orc_column *column, const char *bytes, uint32_t length)
{
    ps_orc_stream_write(&column->data, bytes, length);
    ps_orc_integer_add(column->first_integers, length);
}

void ps_orc_column_string(struct ps_orc_column *column, const char *bytes, uint32_t length)
{
    if (column->type->kind != PS_ORC_STRING) {
        uint32_t characters = column->type->maximum_length;
        length = ps_orc_text_bytes(bytes, length, &characters);
        if (column->type->kind == PS_ORC_CHAR)
            pad(column, &bytes, &length, column->type->maximum_length - characters);
    }
    if (column->is_direct) {
        add_direct(column, bytes, length);
    } else {
        uint32_t id = ps_orc_dictionary_add(&column->dictionary, bytes, length);
        ps_orc_buffer_append(&column->ids, &id, sizeof(id));
    }
    ps_orc_statistics_string(&column->group, bytes, length);
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_add_bytes(&column->filter, bytes, length);
}

static const uint32_t *ids_of(const struct ps_orc_column *column, size_t *count)
{
    *count = column->ids.length / sizeof(uint32_t);
    return (const uint32_t *)(void *)column->ids.data;
}

/* Notes the positions of the groups that begin with this value. */
static void note_groups(struct ps_orc_column *column, size_t id, size_t *group, bool is_direct)
{
    for (; *group <= ps_orc_column_groups(column); (*group)++) {
        struct ps_orc_group *noted =
            *group < ps_orc_column_groups(column) ? ps_orc_column_group(column, *group) : &column->open;
        if (noted->first_id > id)
            return;
        noted->data.count = 0;
        if (is_direct)
            ps_orc_column_position(column, &noted->data);
        else
            ps_orc_integer_position(column->first_integers, &noted->data);
    }
}

static void write_direct(struct ps_orc_column *column)
{
    size_t count, group = 0;
    const uint32_t *ids = ids_of(column, &count);
    column->is_direct = true;
    for (size_t i = 0; i < count; i++) {
        const struct ps_orc_dictionary_entry *entry = ps_orc_dictionary_entry(&column->dictionary, ids[i]);
        note_groups(column, i, &group, true);
        add_direct(column, ps_orc_dictionary_text(&column->dictionary, entry), entry->length);
    }
    note_groups(column, count, &group, true);
    ps_orc_buffer_free(&column->ids);
    ps_orc_dictionary_clear(&column->dictionary);
}

void ps_orc_column_decide(struct ps_orc_column *column, double dictionary_ratio)
{
    size_t count = column->ids.length / sizeof(uint32_t);
    size_t distinct = ps_orc_dictionary_count(&column->dictionary);
    if (!column->is_direct && (double)distinct > (double)count * dictionary_ratio)
        write_direct(column);
}

void ps_orc_column_end_dictionary(struct ps_orc_column *column)
{
    struct ps_orc_dictionary *dictionary = &column->dictionary;
    size_t count, group = 0, distinct = ps_orc_dictionary_count(dictionary);
    const uint32_t *ids = ids_of(column, &count);
    uint32_t *order = malloc((distinct + 1) * sizeof(*order));
    if (order == NULL) {
        column->ids.memory->failed = true;
        return;
    }
    ps_orc_dictionary_sort(dictionary, order);
    /* The run writes to the stream of lengths; the ids belong in the data stream. */
    column->first_integers->stream = &column->data;
    for (size_t i = 0; i < count; i++) {
        note_groups(column, i, &group, false);
        ps_orc_integer_add(column->first_integers, ps_orc_dictionary_entry(dictionary, ids[i])->place);
    }
    note_groups(column, count, &group, false);
    ps_orc_integer_end(column->first_integers);
    column->first_integers->stream = &column->second;
    for (size_t i = 0; i < distinct; i++) {
        const struct ps_orc_dictionary_entry *entry = ps_orc_dictionary_entry(dictionary, order[i]);
        ps_orc_stream_write(&column->dictionary_data, ps_orc_dictionary_text(dictionary, entry),
                            entry->length);
        ps_orc_integer_add(column->first_integers, entry->length);
    }
    column->dictionary_size = (uint32_t)distinct;
    free(order);
}
