/* Writes files of any type with any rows: the lengths in the footers must add up, and no memory may leak. Input:
 * settings (2 bytes), a type's text up to a 0, then the bytes of the values. */
#include "tests/support/orc_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 200U
#define ITEMS_MAX 512U

static const uint8_t *at, *end;
static struct ps_orc_value items[ITEMS_MAX];
static size_t items_used;

static uint8_t byte(void)
{
    return at < end ? *at++ : 0;
}

static uint64_t number(void)
{
    uint64_t value = 0;
    for (unsigned count = byte() % 9; count > 0; count--)
        value = value << 8 | byte();
    return value;
}

static struct ps_orc_value make(const struct ps_orc_type *type);

static void make_items(const struct ps_orc_type *type, struct ps_orc_value *value)
{
    uint32_t count = type->kind == PS_ORC_STRUCT ? type->child_count : byte() % 4 * type->child_count;
    if (items_used + count > ITEMS_MAX) {
        value->null = true;
        return;
    }
    struct ps_orc_value *made = items + items_used;
    items_used += count;
    for (uint32_t i = 0; i < count; i++)
        made[i] = make(type->children[i % type->child_count]);
    value->items = made;
    value->item_count = count;
}

static struct ps_orc_value make(const struct ps_orc_type *type)
{
    struct ps_orc_value value = {.null = byte() % 5 == 0};
    if (value.null)
        return value;
    switch (type->kind) {
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        value.real = (double)(int64_t)number();
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        value.length = byte();
        value.length = value.length > (size_t)(end - at) ? (uint32_t)(end - at) : value.length;
        value.bytes = (const char *)at;
        at += value.length;
        break;
    case PS_ORC_TIMESTAMP:
        value.seconds = (int64_t)(number() % 100000000000) - 50000000000;
        value.nanoseconds = (uint32_t)(number() % 1000000000);
        break;
    case PS_ORC_DECIMAL:
        value.decimal = (__int128)(int64_t)number() * (int64_t)number() / 2;
        break;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        make_items(type, &value);
        break;
    default:
        value.integer = (int64_t)number();
        break;
    }
    return value;
}

static void write_rows(struct ps_orc_writer *writer, const struct ps_orc_type *type)
{
    for (unsigned row = 0; row < ROWS_MAX && at < end; row++) {
        items_used = 0;
        struct ps_orc_value value = {.null = false};
        make_items(type, &value);
        value.null = false;
        PS_ASSERT(ps_orc_writer_add(writer, &value));
        if (byte() == 0xff)
            PS_ASSERT(ps_orc_writer_end(writer));
    }
    PS_ASSERT(ps_orc_writer_end(writer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum ps_orc_compression kinds[] = {PS_ORC_NONE, PS_ORC_ZLIB, PS_ORC_SNAPPY, PS_ORC_LZ4,
                                                    PS_ORC_ZSTD};
    char text[256] = "";
    size_t length = 0;
    at = data;
    end = data + size;
    unsigned first = byte(), second = byte();
    while (at < end && *at != 0 && length < sizeof(text) - 1)
        text[length++] = (char)*at++;
    (void)byte();
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse(text, &err);
    if (type == NULL || type->kind != PS_ORC_STRUCT) {
        ps_orc_type_destroy(type);
        return 0;
    }
    struct orc_file file = {.output.write = orc_file_write};
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    settings.compression = kinds[first % PS_COUNT_OF(kinds)];
    settings.row_index_stride = second % 8;
    settings.stripe_bytes = second % 16 < 8 ? 500 : 100000;
    settings.chunk_bytes = 1024;
    settings.dictionary_ratio = (double)(first / 5 % 3) / 2;
    settings.bloom_filter_columns = first >= 128 ? "a,b,c,d.e" : NULL;
    struct ps_orc_writer *writer = ps_orc_writer_open(&settings, &file.output, &err);
    PS_ASSERT(writer != NULL);
    write_rows(writer, type);
    uint64_t rows = ps_orc_writer_rows(writer);
    ps_orc_writer_close(writer);
    if (settings.compression == PS_ORC_NONE)
        PS_ASSERT(orc_file_check(&file) == rows);
    ps_orc_type_destroy(type);
    free(file.data);
    return 0;
}
