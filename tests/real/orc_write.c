/* Writes an ORC file of random rows with penstock's writer, and a second file with what a reader must find in it: one line for
 * each row, in the format of OrcDump.java. The same seed gives the same rows.
 *
 *   orc_write FILE ROWS_FILE SEED ROWS COMPRESSION STRIPE_BYTES STRIDE CHUNK_BYTES DICTIONARY_RATIO [acid] [parts]
 *
 * acid: the rows are those of a transactional table. parts: a footer every 1000 rows. */
#include "stages/lib/orc/acid.h"
#include "stages/lib/orc/decimal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POOL 4096

static const char type_text[] =
    "struct<flag:boolean,tiny:tinyint,small:smallint,number:int,big:bigint,real:float,wide:double,name:"
    "string,"
    "code:varchar(7),fixed:char(5),day:date,at:timestamp,money:decimal(38,10),price:decimal(9,2),raw:binary,"
    "tags:array<string>,counts:map<string,bigint>,place:struct<x:int,inner:struct<y:double,z:array<int>>>,"
    "serial:bigint>";

static uint64_t random_state;
static FILE *rows;
static struct ps_orc_value pool[POOL]; /* of the values within a row */
static size_t pool_used;
static char texts[1U << 20];
static size_t texts_used;
static bool with_nulls;
static unsigned kinds; /* of distinct strings */

static uint64_t draw(void)
{
    uint64_t x = random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random_state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

static unsigned below(unsigned limit)
{
    return (unsigned)(draw() >> 33) % limit;
}

/* Draws a number: small, of any length, or extreme, within the given number of bits. */
static int64_t integer(unsigned bits)
{
    int64_t least = -(INT64_C(1) << (bits - 2)) * 2, most = -(least + 1);
    switch (below(12)) {
    case 0:
        return least;
    case 1:
        return most;
    case 2:
        return (int64_t)((draw() >> (64 - bits)) + (uint64_t)least);
    case 3:
    case 4:
        return 7;
    default:
        return below(100);
    }
}

static double real(void)
{
    const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-300, -1.5, 3.4028234e38, 5e-324};
    return below(4) == 0 ? special[below(PS_COUNT_OF(special))] : (double)(int64_t)draw() / 1e9;
}

static const char *text(uint32_t *length)
{
    static const char *const pieces[] = {
        "a", "Z", "0", " ", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x98", "\x7f", "\xff"};
    char *at = texts + texts_used;
    unsigned count = below(40) == 0 ? 1500 : below(12);
    size_t used = 0;
    if (below(3) > 0) /* one of a few */
        used = (size_t)snprintf(at, 32, "value %u", below(kinds));
    else
        for (unsigned i = 0; i < count; i++) {
            const char *piece = pieces[below(PS_COUNT_OF(pieces))];
            memcpy(at + used, piece, strlen(piece));
            used += strlen(piece);
        }
    texts_used += used;
    *length = (uint32_t)used;
    return at;
}

static void hex(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fprintf(rows, "%02x", (unsigned char)bytes[i]);
    fputc('"', rows);
}

/* Returns the length of a varchar or char as it is read: cut, without blanks at a char's end. */
static size_t read_length(const struct ps_orc_type *type, const char *bytes, size_t length)
{
    size_t characters = 0, at = 0;
    if (type->kind != PS_ORC_VARCHAR && type->kind != PS_ORC_CHAR)
        return length;
    for (; at < length; at++)
        if (((unsigned char)bytes[at] & 0xc0) != 0x80 && characters++ == type->maximum_length)
            break;
    while (type->kind == PS_ORC_CHAR && at > 0 && bytes[at - 1] == ' ')
        at--;
    return at;
}

static __int128 decimal(uint32_t precision)
{
    __int128 limit = 1, value = (__int128)((unsigned __int128)draw() << 64 | draw());
    for (uint32_t i = 0; i < precision; i++)
        limit *= 10;
    switch (below(5)) {
    case 0:
        return limit - 1;
    case 1:
        return 1 - limit;
    case 2:
        return value % limit;
    default:
        return (int64_t)below(10000) - 5000;
    }
}

static void make(const struct ps_orc_type *type, struct ps_orc_value *value, uint64_t serial);

static void make_items(const struct ps_orc_type *type, struct ps_orc_value *value, uint64_t serial)
{
    const char *marks = type->kind == PS_ORC_ARRAY ? "[]" : type->kind == PS_ORC_MAP ? "{}" : "()";
    uint32_t count = type->kind == PS_ORC_STRUCT ? type->child_count : below(4) * type->child_count;
    struct ps_orc_value *items = pool + pool_used;
    pool_used += count;
    PS_ASSERT(pool_used <= POOL);
    fputc(marks[0], rows);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            fputc(',', rows);
        const struct ps_orc_type *child = type->children[i % type->child_count];
        make(child, &items[i], serial);
    }
    fputc(marks[1], rows);
    value->items = items;
    value->item_count = count;
}

static void make_timestamp(struct ps_orc_value *value)
{
    static const uint32_t parts[] = {0, 1, 999999999, 1000, 100000, 500000000, 123456789, 1000000, 999999};
    value->seconds =
        below(3) == 0 ? (int64_t)(draw() >> 25) - (INT64_C(1) << 36) : 1700000000 + below(100000);
    value->nanoseconds = parts[below(PS_COUNT_OF(parts))];
    if (value->seconds == -1) /* ORC cannot say it: ORC-763 */
        value->seconds = 0;
    fprintf(rows, "%" PRId64 ".%09" PRIu32, value->seconds, value->nanoseconds);
}

static void make_real(const struct ps_orc_type *type, struct ps_orc_value *value)
{
    float small;
    uint32_t narrow;
    uint64_t wide;
    value->real = real();
    small = (float)value->real;
    memcpy(&narrow, &small, sizeof(narrow));
    memcpy(&wide, &value->real, sizeof(wide));
    if (isnan(value->real))
        fputs("NaN", rows);
    else if (type->kind == PS_ORC_FLOAT)
        fprintf(rows, "%" PRIx32, narrow);
    else
        fprintf(rows, "%" PRIx64, wide);
}

static void make_simple(const struct ps_orc_type *type, struct ps_orc_value *value, uint64_t serial)
{
    static const unsigned bits[] = {
        [PS_ORC_TINYINT] = 8, [PS_ORC_SMALLINT] = 16, [PS_ORC_INT] = 32, [PS_ORC_BIGINT] = 64};
    char number[PS_ORC_DECIMAL_TEXT_BYTES];
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        value->integer = below(9) == 0;
        fputs(value->integer != 0 ? "true" : "false", rows);
        return;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        make_real(type, value);
        return;
    case PS_ORC_TIMESTAMP:
        make_timestamp(value);
        return;
    case PS_ORC_DECIMAL:
        value->decimal = decimal(type->precision);
        ps_orc_decimal_text(value->decimal, type->scale, number);
        fputs(number, rows);
        return;
    case PS_ORC_DATE:
        value->integer = below(3) == 0 ? (int64_t)below(4000000) - 700000 : 19000 + below(10);
        break;
    default:
        value->integer = serial != UINT64_MAX ? (int64_t)serial : integer(bits[type->kind]);
        break;
    }
    fprintf(rows, "%" PRId64, value->integer);
}

static void make(const struct ps_orc_type *type, struct ps_orc_value *value, uint64_t serial)
{
    memset(value, 0, sizeof(*value));
    if (with_nulls && serial == UINT64_MAX && below(6) == 0) {
        value->null = true;
        fputs("null", rows);
        return;
    }
    switch (type->kind) {
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        make_items(type, value, UINT64_MAX);
        return;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        value->bytes = text(&value->length);
        fputc('"', rows);
        hex(value->bytes, read_length(type, value->bytes, value->length));
        return;
    default:
        make_simple(type, value, serial);
        return;
    }
}

/* Makes a row; the last column is its number. */
static struct ps_orc_value make_row(const struct ps_orc_type *type, uint64_t number)
{
    struct ps_orc_value row = {.items = pool, .item_count = type->child_count};
    pool_used = type->child_count;
    texts_used = 0;
    with_nulls = number / 3000 % 2 == 0; /* some stripes and row groups have none */
    kinds = number / 20000 % 2 == 0 ? 40 : 1000000;
    for (uint32_t i = 0; i < type->child_count; i++) {
        make(type->children[i], &pool[i], i + 1 == type->child_count ? number : UINT64_MAX);
        fputc(i + 1 < type->child_count ? ' ' : '\n', rows);
    }
    return row;
}

struct file {
    struct ps_output output;
    FILE *file;
};

static bool write_file(struct ps_output *output, const void *data, size_t length)
{
    return fwrite(data, 1, length, ((struct file *)(void *)output)->file) == length;
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 10; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    PS_ASSERT(argc >= 10);
    struct file file = {.output.write = write_file, .file = fopen(argv[1], "wb")};
    rows = fopen(argv[2], "wb");
    PS_ASSERT(file.file != NULL && rows != NULL);
    random_state = strtoull(argv[3], NULL, 10) | 1;
    uint64_t count = strtoull(argv[4], NULL, 10);
    struct ps_orc_type *type = ps_orc_type_parse(type_text, &err);
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    PS_ASSERT(ps_orc_compression_find(argv[5], &settings.compression));
    settings.stripe_bytes = strtoull(argv[6], NULL, 10);
    settings.row_index_stride = (uint32_t)strtoul(argv[7], NULL, 10);
    settings.chunk_bytes = (uint32_t)strtoul(argv[8], NULL, 10);
    settings.dictionary_ratio = strtod(argv[9], NULL);
    settings.bloom_filter_columns = "serial, name,number,wide,money,at,day,code";
    bool acid = has_word(argc, argv, "acid"), parts = has_word(argc, argv, "parts");
    struct ps_orc_acid *table = acid ? ps_orc_acid_open(&settings, 3, 5, &file.output, &err) : NULL;
    struct ps_orc_writer *writer =
        acid ? ps_orc_acid_writer(table) : ps_orc_writer_open(&settings, &file.output, &err);
    PS_ASSERT(writer != NULL);
    uint64_t held = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct ps_orc_value row = make_row(type, i);
        PS_ASSERT(acid ? ps_orc_acid_insert(table, &row) : ps_orc_writer_add(writer, &row));
        held = ps_orc_writer_held(writer) > held ? ps_orc_writer_held(writer) : held;
        if (parts && i % 1000 == 999)
            PS_ASSERT(acid ? ps_orc_acid_end(table) : ps_orc_writer_end(writer));
    }
    PS_ASSERT(acid ? ps_orc_acid_end(table) : ps_orc_writer_end(writer));
    printf("%" PRIu64 " rows, %" PRIu64 " bytes, held at most %" PRIu64 "\n", count,
           (uint64_t)ftell(file.file), held);
    if (acid)
        ps_orc_acid_close(table);
    else
        ps_orc_writer_close(writer);
    ps_orc_type_destroy(type);
    return fclose(file.file) == 0 && fclose(rows) == 0 ? 0 : 1;
}
