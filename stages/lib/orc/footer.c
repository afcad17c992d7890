/* The end of a file: the stripes' statistics, the footer, the PostScript and its length. */
#include "stages/lib/orc/message.h"
#include "stages/lib/orc/proto/orc.pb-c.h"
#include "stages/lib/orc/writer_internal.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 3U
#define WRITER_JAVA 0U
/* Java's ORC_14: statistics of timestamps are UTC (ORC-135), bloom filters UTF-8 (ORC-101), long strings cut (ORC-203). */
#define WRITER_VERSION 9U
#define CALENDAR_PROLEPTIC_GREGORIAN 2U

/* The messages of the footer; freed all at once. */
struct parts {
    PsOrc__Footer message;
    PsOrc__Type *types;
    PsOrc__Type **type_list;
    uint32_t *subtypes;
    size_t stripe_count;
    PsOrc__StripeInformation *stripes;
    PsOrc__StripeInformation **stripe_list;
    PsOrc__UserMetadataItem items[PS_ORC_METADATA_MAX];
    PsOrc__UserMetadataItem *item_list[PS_ORC_METADATA_MAX];
    ProtobufCBinaryData *statistics;
    struct ps_orc_buffer packed;
};

static bool open_parts(struct parts *parts, struct ps_orc_writer *writer)
{
    size_t columns = writer->columns.count;
    *parts = (struct parts){.packed.memory = &writer->kept,
                            .stripe_count = writer->stripes.length / sizeof(struct ps_orc_stripe)};
    ps_orc__footer__init(&parts->message);
    parts->types = calloc(columns, sizeof(*parts->types));
    parts->type_list = calloc(columns, sizeof(*parts->type_list));
    parts->subtypes = calloc(columns, sizeof(*parts->subtypes));
    parts->stripes = calloc(parts->stripe_count + 1, sizeof(*parts->stripes));
    parts->stripe_list = calloc(parts->stripe_count + 1, sizeof(PsOrc__StripeInformation *));
    parts->statistics = calloc(columns, sizeof(*parts->statistics));
    return parts->types != NULL && parts->type_list != NULL && parts->subtypes != NULL &&
           parts->stripes != NULL && parts->stripe_list != NULL && parts->statistics != NULL;
}

static void close_parts(struct parts *parts)
{
    free(parts->types);
    free(parts->type_list);
    free(parts->subtypes);
    free(parts->stripes);
    free(parts->stripe_list);
    free(parts->statistics);
    ps_orc_buffer_free(&parts->packed);
}

/* `subtypes` has room for one number per column, because each column but the first is the child of one other. Returns the next
 * free place. */
static uint32_t *describe_type(struct parts *parts, const struct ps_orc_type *type, uint32_t *subtypes)
{
    PsOrc__Type *message = &parts->types[type->id];
    ps_orc__type__init(message);
    message->kind = type->kind;
    message->has_maximum_length = type->maximum_length > 0;
    message->maximum_length = type->maximum_length;
    message->has_precision = message->has_scale = type->kind == PS_ORC_DECIMAL;
    message->precision = type->precision;
    message->scale = type->scale;
    message->n_subtypes = type->child_count;
    message->subtypes = subtypes;
    message->n_field_names = type->names != NULL ? type->child_count : 0;
    message->field_names = type->names;
    for (uint32_t i = 0; i < type->child_count; i++)
        *subtypes++ = type->children[i]->id;
    for (uint32_t i = 0; i < type->child_count; i++)
        subtypes = describe_type(parts, type->children[i], subtypes);
    parts->type_list[type->id] = message;
    return subtypes;
}

static void describe_stripes(struct parts *parts, const struct ps_orc_writer *writer)
{
    const struct ps_orc_stripe *stripes = (const struct ps_orc_stripe *)(void *)writer->stripes.data;
    for (size_t i = 0; i < parts->stripe_count; i++) {
        PsOrc__StripeInformation *message = &parts->stripes[i];
        ps_orc__stripe_information__init(message);
        message->has_offset = message->has_index_length = message->has_data_length = true;
        message->has_footer_length = message->has_number_of_rows = true;
        message->offset = stripes[i].offset;
        message->index_length = stripes[i].index_length;
        message->data_length = stripes[i].data_length;
        message->footer_length = stripes[i].footer_length;
        message->number_of_rows = stripes[i].rows;
        parts->stripe_list[i] = message;
    }
    parts->message.n_stripes = parts->stripe_count;
    parts->message.stripes = parts->stripe_list;
}

static void describe_metadata(struct parts *parts, const struct ps_orc_writer *writer)
{
    for (unsigned i = 0; i < writer->metadata_count; i++) {
        ps_orc__user_metadata_item__init(&parts->items[i]);
        parts->items[i].name = (char *)(uintptr_t)writer->metadata[i].name;
        parts->items[i].value = (ProtobufCBinaryData){
            .len = writer->metadata[i].length, .data = (uint8_t *)(uintptr_t)writer->metadata[i].value};
        parts->item_list[i] = &parts->items[i];
    }
    parts->message.n_metadata = writer->metadata_count;
    parts->message.metadata = parts->item_list;
}

static void describe_statistics(struct parts *parts, const struct ps_orc_writer *writer)
{
    size_t columns = writer->columns.count;
    for (size_t i = 0; i < columns; i++) {
        const struct ps_orc_column *column = &writer->columns.all[i];
        size_t before = parts->packed.length;
        ps_orc_statistics_pack(&column->file, column->type, &parts->packed);
        parts->statistics[i].len = parts->packed.length - before;
    }
    uint8_t *at = parts->packed.data;
    for (size_t i = 0; i < columns; i++) {
        parts->statistics[i].data = at;
        at += parts->statistics[i].len;
    }
    parts->message.n_statistics = columns;
    parts->message.statistics = parts->statistics;
}

static void describe_file(struct parts *parts, const struct ps_orc_writer *writer)
{
    PsOrc__Footer *message = &parts->message;
    message->has_header_length = message->has_content_length = message->has_number_of_rows = true;
    message->header_length = HEADER_BYTES;
    message->content_length = writer->length;
    message->number_of_rows = writer->rows;
    message->has_row_index_stride = message->has_writer = message->has_calendar = true;
    message->row_index_stride = writer->settings.row_index_stride;
    message->writer = WRITER_JAVA;
    message->calendar = CALENDAR_PROLEPTIC_GREGORIAN;
    message->software_version = (char *)(uintptr_t) "penstock";
    message->n_types = writer->columns.count;
    message->types = parts->type_list;
}

static void put_postscript(struct ps_orc_writer *writer, uint64_t metadata_length, uint64_t footer_length)
{
    uint32_t version[] = {0, 12};
    PsOrc__PostScript message;
    ps_orc__post_script__init(&message);
    message.has_footer_length = message.has_compression = message.has_compression_block_size = true;
    message.footer_length = footer_length;
    message.compression = writer->settings.compression;
    message.compression_block_size = writer->settings.chunk_bytes;
    message.n_version = PS_COUNT_OF(version);
    message.version = version;
    message.has_metadata_length = message.has_writer_version = true;
    message.metadata_length = metadata_length;
    message.writer_version = WRITER_VERSION;
    message.magic = (char *)(uintptr_t) "ORC";
    ps_orc_buffer_clear(&writer->message);
    ps_orc_message_append(&writer->message, &message.base);
    PS_ASSERT(writer->message.length < 256);
    ps_orc_buffer_byte(&writer->message, (uint8_t)writer->message.length);
    ps_orc_writer_put(writer, writer->message.data, writer->message.length);
}

void ps_orc_writer_footer(struct ps_orc_writer *writer)
{
    struct parts parts;
    if (!open_parts(&parts, writer))
        writer->failed = true;
    if (!writer->failed && !writer->memory.failed) {
        describe_type(&parts, writer->settings.type, parts.subtypes);
        describe_stripes(&parts, writer);
        describe_metadata(&parts, writer);
        describe_statistics(&parts, writer);
        describe_file(&parts, writer);
        uint64_t metadata_length = ps_orc_writer_put_packed(writer, writer->stripe_statistics.data,
                                                            writer->stripe_statistics.length);
        ps_orc_buffer_clear(&writer->message);
        ps_orc_message_append(&writer->message, &parts.message.base);
        uint64_t footer_length =
            ps_orc_writer_put_packed(writer, writer->message.data, writer->message.length);
        put_postscript(writer, metadata_length, footer_length);
    }
    close_parts(&parts);
}
