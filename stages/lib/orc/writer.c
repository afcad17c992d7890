#include "stages/lib/orc/writer_internal.h"

#include "core/text/list.h"
#include "stages/lib/random.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "ORC"
#define CHUNK_BYTES_MIN 1024U
#define CHUNK_BYTES_MAX 8388607U /* the largest length that a chunk's header can hold */

struct ps_orc_settings ps_orc_settings_usual(const struct ps_orc_type *type)
{
    return (struct ps_orc_settings){.type = type,
                                    .compression = PS_ORC_ZLIB,
                                    .chunk_bytes = 262144,
                                    .stripe_bytes = 67108864,
                                    .row_index_stride = 10000,
                                    .dictionary_ratio = 0.8,
                                    .bloom_filter_false_positives = 0.01};
}

static enum ps_status check_settings(const struct ps_orc_settings *settings, struct ps_err *err)
{
    if (settings->type->kind != PS_ORC_STRUCT)
        return ps_err_set(err, "the rows of an ORC file are structs");
    if (settings->chunk_bytes < CHUNK_BYTES_MIN || settings->chunk_bytes > CHUNK_BYTES_MAX)
        return ps_err_set(err, "orc.compress.size is %u, and must be %u to %u", settings->chunk_bytes,
                          CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
    if (!(settings->bloom_filter_false_positives > 0 && settings->bloom_filter_false_positives < 1))
        return ps_err_set(err, "orc.bloom.filter.fpp must be above 0 and below 1");
    return PS_OK;
}

/* Returns false when there is no memory. */
static bool open_filters(struct ps_orc_writer *writer)
{
    const struct ps_orc_settings *settings = &writer->settings;
    const char *names = settings->row_index_stride > 0 ? settings->bloom_filter_columns : NULL;
    struct ps_slice name;
    bool done = true;
    while (ps_list_next_at_comma(&names, &name)) {
        size_t blanks = strspn(name.data, " ");
        const struct ps_orc_type *type =
            ps_orc_type_find(settings->type, name.data + blanks, name.length - blanks);
        struct ps_orc_bloom_filter *filter = type == NULL ? NULL : &writer->columns.all[type->id].filter;
        if (filter != NULL && filter->bits == NULL && type->child_count == 0 && type->kind != PS_ORC_BOOLEAN)
            done = ps_orc_bloom_filter_open(filter, settings->row_index_stride,
                                            settings->bloom_filter_false_positives) &&
                   done;
    }
    return done;
}

static bool open_parts(struct ps_orc_writer *writer)
{
    struct ps_random random;
    ps_random_init(&random);
    writer->columns = (struct ps_orc_columns){.memory = &writer->memory,
                                              .compressor = &writer->compressor,
                                              .dictionary_ratio = writer->settings.dictionary_ratio};
    ps_orc_stream_open(&writer->scratch, &writer->compressor, &writer->kept);
    writer->message.memory = writer->stripes.memory = writer->stripe_statistics.memory = &writer->kept;
    return ps_orc_compressor_open(&writer->compressor, writer->settings.compression,
                                  writer->settings.chunk_bytes) &&
           ps_orc_columns_open(&writer->columns, writer->settings.type, ps_random_next(&random)) &&
           open_filters(writer);
}

struct ps_orc_writer *ps_orc_writer_open(const struct ps_orc_settings *settings, struct ps_output *output,
                                         struct ps_err *err)
{
    if (check_settings(settings, err) != PS_OK)
        return NULL;
    struct ps_orc_writer *writer = calloc(1, sizeof(*writer));
    if (writer != NULL) {
        writer->settings = *settings;
        writer->output = output;
        if (open_parts(writer)) {
            ps_orc_columns_begin_stripe(&writer->columns);
            return writer;
        }
        ps_orc_writer_close(writer);
    }
    ps_err_set(err, "no memory for an ORC file");
    return NULL;
}

void ps_orc_writer_close(struct ps_orc_writer *writer)
{
    if (writer == NULL)
        return;
    ps_orc_columns_close(&writer->columns);
    ps_orc_stream_close(&writer->scratch);
    ps_orc_compressor_close(&writer->compressor);
    ps_orc_buffer_free(&writer->message);
    ps_orc_buffer_free(&writer->stripes);
    ps_orc_buffer_free(&writer->stripe_statistics);
    free(writer);
}

void ps_orc_writer_put(struct ps_orc_writer *writer, const void *bytes, size_t length)
{
    if (writer->memory.failed || writer->kept.failed)
        writer->failed = true;
    if (writer->failed || length == 0)
        return;
    writer->failed = !writer->output->write(writer->output, bytes, length);
    writer->length += length;
}

uint64_t ps_orc_writer_put_scratch(struct ps_orc_writer *writer)
{
    size_t length;
    const uint8_t *bytes = ps_orc_stream_finish(&writer->scratch, &length);
    ps_orc_writer_put(writer, bytes, length);
    ps_orc_stream_clear(&writer->scratch);
    return length;
}

uint64_t ps_orc_writer_put_packed(struct ps_orc_writer *writer, const void *bytes, size_t length)
{
    ps_orc_stream_write(&writer->scratch, bytes, length);
    return ps_orc_writer_put_scratch(writer);
}

static void begin_file(struct ps_orc_writer *writer)
{
    if (writer->length == 0)
        ps_orc_writer_put(writer, MAGIC, strlen(MAGIC));
}

static void end_stripe(struct ps_orc_writer *writer)
{
    begin_file(writer);
    ps_orc_writer_stripe(writer);
    writer->stripe_rows = writer->group_rows = 0;
    if (writer->settings.stripe_ended != NULL && !writer->failed)
        writer->settings.stripe_ended(writer->settings.owner);
}

static bool is_well(struct ps_orc_writer *writer)
{
    writer->failed |= writer->memory.failed || writer->kept.failed;
    return !writer->failed;
}

bool ps_orc_writer_add(struct ps_orc_writer *writer, const struct ps_orc_value *row)
{
    if (!is_well(writer))
        return false;
    ps_orc_column_add(&writer->columns, writer->settings.type, row);
    writer->rows++;
    writer->stripe_rows++;
    writer->group_rows++;
    if (writer->group_rows == writer->settings.row_index_stride) {
        ps_orc_columns_end_group(&writer->columns);
        writer->group_rows = 0;
    }
    if (writer->memory.used_bytes >= writer->settings.stripe_bytes)
        end_stripe(writer);
    return is_well(writer);
}

void ps_orc_writer_set(struct ps_orc_writer *writer, const char *name, const void *value, size_t length)
{
    unsigned at = 0;
    while (at < writer->metadata_count && strcmp(writer->metadata[at].name, name) != 0)
        at++;
    PS_ASSERT(at < PS_ORC_METADATA_MAX);
    writer->metadata[at] = (struct ps_orc_metadata){.name = name, .value = value, .length = length};
    if (at == writer->metadata_count)
        writer->metadata_count++;
}

bool ps_orc_writer_end(struct ps_orc_writer *writer)
{
    if (!is_well(writer))
        return false;
    begin_file(writer);
    if (writer->stripe_rows > 0)
        end_stripe(writer);
    ps_orc_writer_footer(writer);
    return is_well(writer);
}

uint64_t ps_orc_writer_rows(const struct ps_orc_writer *writer)
{
    return writer->rows;
}

uint64_t ps_orc_writer_held(const struct ps_orc_writer *writer)
{
    return sizeof(*writer) + writer->columns.count * sizeof(*writer->columns.all) +
           writer->memory.room_bytes + writer->kept.room_bytes;
}
