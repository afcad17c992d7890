/* A stripe: row indexes and bloom filters, then the data, then a footer with the place of each. */
#include "stages/lib/orc/message.h"
#include "stages/lib/orc/proto/orc.pb-c.h"
#include "stages/lib/orc/writer_internal.h"

#include <stdlib.h>

#define STREAMS_MAX 6U             /* of a column */
#define STRIPE_STATISTICS_FIELD 1U /* Metadata.stripeStats */
#define COLUMN_STATISTICS_FIELD 1U /* StripeStatistics.colStats */
#define BLOOM_ENCODING_UTF8 1U

enum encoding { DIRECT = 0, DIRECT_V2 = 2, DICTIONARY_V2 = 3 };

/* The footer of the stripe while it is made, with the memory of its messages. */
struct footer {
    PsOrc__StripeFooter message;
    PsOrc__Stream *streams;
    PsOrc__Stream **stream_list;
    PsOrc__ColumnEncoding *columns;
    PsOrc__ColumnEncoding **column_list;
};

static void note(struct footer *footer, uint32_t column, enum ps_orc_stream_kind kind, uint64_t length)
{
    PsOrc__Stream *stream = &footer->streams[footer->message.n_streams];
    ps_orc__stream__init(stream);
    stream->kind = kind;
    stream->has_column = stream->has_length = true;
    stream->column = column;
    stream->length = length;
    footer->stream_list[footer->message.n_streams++] = stream;
}

static void put_stream(struct ps_orc_writer *writer, struct footer *footer, struct ps_orc_column *column,
                       enum ps_orc_stream_kind kind, struct ps_orc_stream *stream)
{
    size_t length;
    const uint8_t *bytes = ps_orc_stream_finish(stream, &length);
    ps_orc_writer_put(writer, bytes, length);
    note(footer, column->type->id, kind, length);
}

static void put_indexes(struct ps_orc_writer *writer, struct footer *footer)
{
    for (uint32_t i = 0; i < writer->columns.count && writer->settings.row_index_stride > 0; i++) {
        struct ps_orc_column *column = &writer->columns.all[i];
        ps_orc_column_index(column, &writer->scratch);
        note(footer, i, PS_ORC_ROW_INDEX, ps_orc_writer_put_scratch(writer));
        if (column->filter.bits != NULL)
            note(
                footer, i, PS_ORC_BLOOM_FILTER_UTF8,
                ps_orc_writer_put_packed(writer, column->packed_filters.data, column->packed_filters.length));
    }
}

static void put_data(struct ps_orc_writer *writer, struct footer *footer, struct ps_orc_column *column)
{
    if (column->has_null)
        put_stream(writer, footer, column, PS_ORC_PRESENT, &column->present_stream);
    switch (column->type->kind) {
    case PS_ORC_STRUCT:
        break;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
        put_stream(writer, footer, column, PS_ORC_LENGTH, &column->data);
        break;
    case PS_ORC_TIMESTAMP:
    case PS_ORC_DECIMAL:
        put_stream(writer, footer, column, PS_ORC_DATA, &column->data);
        put_stream(writer, footer, column, PS_ORC_SECONDARY, &column->second);
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        put_stream(writer, footer, column, PS_ORC_DATA, &column->data);
        put_stream(writer, footer, column, PS_ORC_LENGTH, &column->second);
        if (!column->is_direct)
            put_stream(writer, footer, column, PS_ORC_DICTIONARY_DATA, &column->dictionary_data);
        break;
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
    case PS_ORC_DATE:
        put_stream(writer, footer, column, PS_ORC_DATA, &column->data);
        break;
    }
}

static void describe_encoding(struct footer *footer, const struct ps_orc_column *column)
{
    enum ps_orc_kind kind = column->type->kind;
    PsOrc__ColumnEncoding *encoding = &footer->columns[column->type->id];
    ps_orc__column_encoding__init(encoding);
    encoding->kind = DIRECT_V2;
    if (kind == PS_ORC_BOOLEAN || kind == PS_ORC_TINYINT || kind == PS_ORC_FLOAT || kind == PS_ORC_DOUBLE ||
        kind == PS_ORC_STRUCT)
        encoding->kind = DIRECT;
    if (!column->is_direct) {
        encoding->kind = DICTIONARY_V2;
        encoding->has_dictionary_size = true;
        encoding->dictionary_size = column->dictionary_size;
    }
    if (column->filter.bits != NULL) {
        encoding->has_bloom_encoding = true;
        encoding->bloom_encoding = BLOOM_ENCODING_UTF8;
    }
    footer->column_list[column->type->id] = encoding;
    footer->message.n_columns++;
}

static bool open_footer(struct footer *footer, uint32_t columns)
{
    size_t streams = columns * (size_t)STREAMS_MAX;
    ps_orc__stripe_footer__init(&footer->message);
    footer->streams = malloc(streams * sizeof(*footer->streams));
    footer->stream_list = malloc(streams * sizeof(*footer->stream_list));
    footer->columns = malloc(columns * sizeof(*footer->columns));
    footer->column_list = malloc(columns * sizeof(*footer->column_list));
    footer->message.streams = footer->stream_list;
    footer->message.columns = footer->column_list;
    footer->message.writer_timezone = (char *)(uintptr_t) "UTC";
    return footer->streams != NULL && footer->stream_list != NULL && footer->columns != NULL &&
           footer->column_list != NULL;
}

static void close_footer(struct footer *footer)
{
    free(footer->streams);
    free(footer->stream_list);
    free(footer->columns);
    free(footer->column_list);
}

/* Keeps the stripe's statistics for the footer of the file. */
static void keep_statistics(struct ps_orc_writer *writer)
{
    struct ps_orc_buffer one = {.memory = &writer->kept}, whole = {.memory = &writer->kept};
    for (uint32_t i = 0; i < writer->columns.count; i++) {
        const struct ps_orc_column *column = &writer->columns.all[i];
        ps_orc_buffer_clear(&one);
        ps_orc_statistics_pack(&column->stripe, column->type, &one);
        ps_orc_message_bytes(&whole, COLUMN_STATISTICS_FIELD, one.data, one.length);
    }
    ps_orc_message_bytes(&writer->stripe_statistics, STRIPE_STATISTICS_FIELD, whole.data, whole.length);
    ps_orc_buffer_free(&one);
    ps_orc_buffer_free(&whole);
}

static void put_stripe(struct ps_orc_writer *writer, struct footer *footer)
{
    struct ps_orc_stripe stripe = {.offset = writer->length, .rows = writer->stripe_rows};
    put_indexes(writer, footer);
    stripe.index_length = writer->length - stripe.offset;
    for (uint32_t i = 0; i < writer->columns.count; i++) {
        put_data(writer, footer, &writer->columns.all[i]);
        describe_encoding(footer, &writer->columns.all[i]);
    }
    stripe.data_length = writer->length - stripe.offset - stripe.index_length;
    ps_orc_buffer_clear(&writer->message);
    ps_orc_message_append(&writer->message, &footer->message.base);
    stripe.footer_length = ps_orc_writer_put_packed(writer, writer->message.data, writer->message.length);
    ps_orc_buffer_append(&writer->stripes, &stripe, sizeof(stripe));
    keep_statistics(writer);
}

void ps_orc_writer_stripe(struct ps_orc_writer *writer)
{
    struct footer footer;
    if (writer->group_rows > 0)
        ps_orc_columns_end_group(&writer->columns);
    ps_orc_columns_end_stripe(&writer->columns);
    if (!open_footer(&footer, writer->columns.count))
        writer->failed = true;
    if (!writer->failed && !writer->memory.failed)
        put_stripe(writer, &footer);
    close_footer(&footer);
    ps_orc_columns_begin_stripe(&writer->columns);
}
