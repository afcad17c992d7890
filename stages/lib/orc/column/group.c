/* Row groups and stripes of columns. */
#include "stages/lib/orc/column/column.h"
#include "stages/lib/orc/message.h"
#include "stages/lib/orc/proto/orc.pb-c.h"

#define ENTRY_FIELD 1U /* RowIndex.entry */

static void begin_group(struct ps_orc_column *column)
{
    column->open = (struct ps_orc_group){.first_id = column->ids.length / sizeof(uint32_t)};
    ps_orc_bits_position(&column->present, &column->open.present);
    if (column->is_direct)
        ps_orc_column_position(column, &column->open.data);
}

static void end_group(struct ps_orc_column *column)
{
    column->open.statistics = column->packed_statistics.length;
    ps_orc_statistics_pack(&column->group, column->type, &column->packed_statistics);
    column->open.statistics_length = column->packed_statistics.length - column->open.statistics;
    ps_orc_buffer_append(&column->groups, &column->open, sizeof(column->open));
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_end(&column->filter, &column->packed_filters);
    ps_orc_statistics_merge(&column->stripe, &column->group, column->type);
    ps_orc_statistics_clear(&column->group);
    begin_group(column);
}

void ps_orc_columns_begin_stripe(struct ps_orc_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        struct ps_orc_column *column = &columns->all[i];
        ps_orc_stream_clear(&column->present_stream);
        ps_orc_stream_clear(&column->data);
        ps_orc_stream_clear(&column->second);
        ps_orc_stream_clear(&column->dictionary_data);
        ps_orc_dictionary_clear(&column->dictionary);
        ps_orc_buffer_clear(&column->ids);
        ps_orc_buffer_clear(&column->groups);
        ps_orc_buffer_clear(&column->packed_statistics);
        ps_orc_buffer_clear(&column->packed_filters);
        ps_orc_statistics_clear(&column->stripe);
        column->has_null = false;
        begin_group(column);
    }
}

void ps_orc_columns_end_group(struct ps_orc_columns *columns)
{
    if (columns->memory->failed)
        return;
    for (uint32_t i = 0; i < columns->count; i++) {
        end_group(&columns->all[i]);
        if (!columns->is_decided && !columns->memory->failed)
            ps_orc_column_decide(&columns->all[i], columns->dictionary_ratio);
    }
    columns->is_decided = true;
}

static void end_streams(struct ps_orc_column *column)
{
    ps_orc_bits_end(&column->present);
    if (!column->is_direct)
        ps_orc_column_end_dictionary(column);
    if (column->bits != NULL)
        ps_orc_bits_end(column->bits);
    if (column->bytes != NULL)
        ps_orc_byte_end(column->bytes);
    if (column->first_integers != NULL)
        ps_orc_integer_end(column->first_integers);
    if (column->second_integers != NULL)
        ps_orc_integer_end(column->second_integers);
}

void ps_orc_columns_end_stripe(struct ps_orc_columns *columns)
{
    for (uint32_t i = 0; i < columns->count && !columns->memory->failed; i++) {
        ps_orc_column_decide(&columns->all[i], columns->dictionary_ratio);
        end_streams(&columns->all[i]);
        ps_orc_statistics_merge(&columns->all[i].file, &columns->all[i].stripe, columns->all[i].type);
    }
}

void ps_orc_column_index(const struct ps_orc_column *column, struct ps_orc_stream *stream)
{
    struct ps_orc_buffer packed = {.memory = column->groups.memory};
    for (size_t i = 0; i < ps_orc_column_groups(column); i++) {
        const struct ps_orc_group *group = ps_orc_column_group(column, i);
        uint64_t positions[2 * PS_ORC_POSITIONS_MAX];
        PsOrc__RowIndexEntry entry;
        ps_orc__row_index_entry__init(&entry);
        entry.positions = positions;
        /* A column without nulls has no PRESENT stream. */
        for (unsigned at = 0; column->has_null && at < group->present.count; at++)
            positions[entry.n_positions++] = group->present.values[at];
        for (unsigned at = 0; at < group->data.count; at++)
            positions[entry.n_positions++] = group->data.values[at];
        entry.has_statistics = true;
        entry.statistics = (ProtobufCBinaryData){.len = group->statistics_length,
                                                 .data = column->packed_statistics.data + group->statistics};
        ps_orc_message_field(&packed, ENTRY_FIELD, &entry.base);
    }
    ps_orc_stream_write(stream, packed.data, packed.length);
    ps_orc_buffer_free(&packed);
}
