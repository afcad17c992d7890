/* Drawn schemas, data of them, codecs and pieces: the reader of Avro containers finds each datum, and the field `body` in it, and no more when a
 * block is damaged. The encoder of the test is written from Avro's specification and shares nothing with the reader. The seed is printed. */
#include "bench/verify/far/avro.h"
#include "tests/support/avro.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&seed) % below;
}

/* ---- a schema as text, and a datum of it, in one walk with the same choices ---- */

enum kind {
    K_NULL,
    K_BOOLEAN,
    K_INT,
    K_LONG,
    K_FLOAT,
    K_DOUBLE,
    K_BYTES,
    K_STRING,
    K_FIXED,
    K_ENUM,
    K_ARRAY,
    K_MAP,
    K_UNION,
    K_RECORD,
    K_NAMED,
    KINDS
};

struct type {
    enum kind kind;
    unsigned count, number; /* count: parts; number: bytes of a fixed type, or the number in a name */
    const struct type *parts[4];
};

static struct type types[256];
static unsigned type_count, name_count, word_count; /* word_count: names of enums and records */
static const struct type *named[256];               /* fixed types by the number in their names */

static const struct type *draw_type(unsigned depth)
{
    static const unsigned parts[KINDS] = {[K_ARRAY] = 1, [K_MAP] = 1, [K_UNION] = 3, [K_RECORD] = 4};
    struct type *type = &types[type_count++];
    type->kind = (enum kind)draw(depth < 3 && type_count < 200 ? KINDS : K_ARRAY);
    if (type->kind == K_NAMED && name_count == 0)
        type->kind = K_LONG;
    type->count = parts[type->kind];
    if (type->kind == K_UNION || type->kind == K_RECORD)
        type->count = 1 + (unsigned)draw(type->count);
    type->number = (unsigned)draw(5);
    if (type->kind == K_NAMED)
        return type; /* the fixed type is chosen when it is written: it has to be known by then */
    for (unsigned i = 0; i < type->count; i++)
        type->parts[i] = draw_type(depth + 1);
    return type;
}

static void write_type(FILE *to, struct type *type)
{
    static const char *const words[] = {"null",  "boolean", "int",   "long",
                                        "float", "double",  "bytes", "string"};
    switch (type->kind) {
    case K_FIXED:
        fprintf(to, "{\"type\":\"fixed\",\"name\":\"a.b.N%u\",\"size\":%u}", name_count, type->number);
        named[name_count++] = type;
        return;
    case K_ENUM:
        fprintf(to, "{\"type\":\"enum\",\"name\":\"E%u\",\"symbols\":[\"A\",\"B\"]}", word_count++);
        return;
    case K_ARRAY:
    case K_MAP:
        fprintf(to, "{\"type\":\"%s\",\"%s\":", type->kind == K_MAP ? "map" : "array",
                type->kind == K_MAP ? "values" : "items");
        write_type(to, (struct type *)(uintptr_t)type->parts[0]);
        fputc('}', to);
        return;
    case K_UNION:
    case K_RECORD:
        if (type->kind == K_UNION)
            fputc('[', to);
        else
            fprintf(to, "{\"type\":\"record\",\"name\":\"R%u\",\"fields\":[", word_count++);
        for (unsigned i = 0; i < type->count; i++) {
            fputs(i > 0 ? "," : "", to);
            if (type->kind == K_RECORD)
                fprintf(to, "{\"name\":\"body%.0u\",\"type\":", i); /* body, body1, .. */
            write_type(to, (struct type *)(uintptr_t)type->parts[i]);
            fputs(type->kind == K_RECORD ? "}" : "", to);
        }
        fputs(type->kind == K_UNION ? "]" : "]}", to);
        return;
    case K_NAMED:
        if (name_count == 0) {
            type->kind = K_LONG;
            fputs("{\"type\":\"long\",\"logicalType\":\"time-micros\"}", to);
            return;
        }
        type->number = (unsigned)draw(name_count);
        fprintf(to, "\"a.b.N%u\"", type->number);
        return;
    default:
        fprintf(to, "\"%s\"", words[type->kind]);
    }
}

static int64_t draw_long(void)
{
    static const int64_t edges[] = {0, -1, 1, 63, 64, -64, -65, 8191, 8192, INT64_MAX, INT64_MIN};
    return draw(2) ? edges[draw(PS_COUNT_OF(edges))] : (int64_t)(draw(UINT64_MAX) >> draw(63));
}

static void write_text(struct ps_test_avro *avro)
{
    char text[300];
    size_t length = draw(4) ? draw(4) : draw(sizeof text);
    memset(text, 'a' + (char)draw(26), length);
    ps_test_avro_text(avro, text, length);
}

/* Writes in front of the parts from `start` on their number, negative, and their length. */
static void write_size(struct ps_test_avro *avro, size_t start, unsigned count)
{
    size_t length = avro->block_length - start;
    char *parts = malloc(length + 1);
    memcpy(parts, avro->block + start, length);
    avro->block_length = start;
    ps_test_avro_long(avro, -(int64_t)count);
    ps_test_avro_long(avro, (int64_t)length);
    ps_test_avro_raw(avro, parts, length);
    free(parts);
}

static void write_datum(struct ps_test_avro *avro, const struct type *type)
{
    static const size_t bytes[] = {[K_BOOLEAN] = 1, [K_FLOAT] = 4, [K_DOUBLE] = 8};
    static const char raw[8] = "\xff\x80\0\1abc";
    unsigned branch;
    switch (type->kind) {
    case K_NULL:
        return;
    case K_BOOLEAN:
    case K_FLOAT:
    case K_DOUBLE:
        ps_test_avro_raw(avro, raw, bytes[type->kind]);
        return;
    case K_INT:
    case K_LONG:
        ps_test_avro_long(avro, draw_long());
        return;
    case K_ENUM:
        ps_test_avro_long(avro, (int64_t)draw(2));
        return;
    case K_BYTES:
    case K_STRING:
        write_text(avro);
        return;
    case K_FIXED:
        ps_test_avro_raw(avro, raw, type->number);
        return;
    case K_NAMED:
        ps_test_avro_raw(avro, raw, named[type->number]->number);
        return;
    case K_ARRAY:
    case K_MAP:
        for (unsigned blocks = (unsigned)draw(3); blocks > 0; blocks--) {
            unsigned count = 1 + (unsigned)draw(2);
            bool sized = draw(2);
            size_t start = avro->block_length;
            if (!sized)
                ps_test_avro_long(avro, count);
            for (unsigned i = 0; i < count; i++) {
                if (type->kind == K_MAP)
                    write_text(avro);
                write_datum(avro, type->parts[0]);
            }
            if (sized)
                write_size(avro, start, count);
        }
        ps_test_avro_long(avro, 0);
        return;
    case K_UNION:
        branch = (unsigned)draw(type->count);
        ps_test_avro_long(avro, branch);
        write_datum(avro, type->parts[branch]);
        return;
    default:
        for (unsigned i = 0; i < type->count; i++)
            write_datum(avro, type->parts[i]);
    }
}

/* ---- one container ---- */

#define DATA_MAX 600U

struct model {
    const struct type *fields[6];
    unsigned count, body; /* body: number of the field `body`; `count`: there is none */
    struct {
        char *bytes;
        size_t length;
        unsigned block;
    } data[DATA_MAX];
    unsigned data_count, blocks, found;
    unsigned damaged; /* number of the block whose data must not come; ~0: none */
};

static struct model model;

/* Writes a datum, which begins with a number. Keeps the expected record: the field `body`, or the whole datum. */
static void write_record(struct ps_test_avro *avro)
{
    size_t start = avro->block_length, from = 0, length = 0;
    bool has_body = false;
    ps_test_avro_long(avro, draw_long());
    for (unsigned i = 0; i < model.count; i++) {
        if (i != model.body) {
            write_datum(avro, model.fields[i]);
            continue;
        }
        unsigned branch = (unsigned)draw(3); /* ["null","string","long"] */
        char text[200];
        ps_test_avro_long(avro, branch);
        has_body = branch == 1;
        length = draw(3) ? draw(9) : draw(sizeof text);
        memset(text, 'B', length);
        if (branch == 1)
            ps_test_avro_text(avro, text, length);
        else if (branch == 2)
            ps_test_avro_long(avro, draw_long());
        from = avro->block_length - length;
    }
    if (!has_body) {
        from = start;
        length = avro->block_length - start;
    }
    model.data[model.data_count].bytes = malloc(length + 1);
    memcpy(model.data[model.data_count].bytes, avro->block + from, length);
    model.data[model.data_count].length = length;
    model.data[model.data_count++].block = model.blocks;
    ps_test_avro_end_datum(avro);
}

static void draw_schema(char *text, size_t room)
{
    FILE *to = fmemopen(text, room, "w");
    type_count = name_count = word_count = 0;
    memset(types, 0, sizeof types);
    model.count = 1 + (unsigned)draw(6);
    model.body = (unsigned)draw(model.count + 1);
    fputs("{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"first\",\"type\":\"int\"}", to);
    for (unsigned i = 0; i < model.count; i++) {
        fprintf(to, ",{\"name\":\"%s\",\"type\":", i == model.body ? "body" : "other");
        if (i == model.body) {
            fputs("[\"null\",\"string\",\"long\"]", to);
        } else {
            model.fields[i] = draw_type(0);
            write_type(to, (struct type *)(uintptr_t)model.fields[i]);
        }
        fputc('}', to);
    }
    fputs("]}", to);
    fclose(to);
}

static void on_record(void *argument, const struct ps_far_record *record)
{
    while (model.found < model.data_count && model.data[model.found].block == model.damaged)
        model.found++;
    assert_true(model.found < model.data_count);
    assert_int_equal(record->length, model.data[model.found].length);
    assert_memory_equal(record->data, model.data[model.found].bytes, record->length);
    model.found++;
}

static void one_container(void)
{
    static const char *const codecs[] = {"null", "deflate", "snappy"};
    static char schema[65536];
    struct ps_test_avro avro;
    size_t ends[16] = {0};
    memset(&model, 0, sizeof model);
    draw_schema(schema, sizeof schema);
    ps_test_avro_begin(&avro, schema, codecs[draw(3)]);
    ends[0] = avro.length;
    for (unsigned blocks = 1 + (unsigned)draw(5); model.blocks < blocks;) {
        for (unsigned count = 1 + (unsigned)draw(20); count > 0; count--)
            write_record(&avro);
        ps_test_avro_end_block(&avro);
        ends[++model.blocks] = avro.length;
    }
    model.damaged = ~0U;
    uint64_t bad = 0;
    if (draw(3) == 0) { /* damages the last block's sync marker: none of its data may come */
        model.damaged = model.blocks - 1;
        avro.data[ends[model.damaged + 1] - 1 - draw(16)] ^= 1;
        bad = 1;
    }
    struct ps_far_avro *reader = ps_far_avro_create();
    struct ps_far_hand hand = {.taker = on_record};
    struct ps_err err = {.length = 0};
    size_t piece = draw(3) == 0 ? 1 + draw(3) : 1 + draw(avro.length);
    for (size_t at = 0; at < avro.length; at += piece) {
        size_t length = avro.length - at < piece ? avro.length - at : piece;
        if (ps_far_avro_feed(reader, avro.data + at, length, &hand, &err) != PS_OK)
            fail_msg("%s: %s", err.text, schema);
    }
    while (model.found < model.data_count && model.data[model.found].block == model.damaged)
        model.found++;
    assert_int_equal(model.found, model.data_count);
    assert_int_equal(ps_far_avro_bad_count(reader), bad);
    if (bad == 0)
        assert_int_equal(ps_far_avro_pending(reader), 0);
    ps_far_avro_destroy(reader);
    ps_test_avro_free(&avro);
    for (unsigned i = 0; i < model.data_count; i++)
        free(model.data[i].bytes);
}

static void test_drawn(void **state)
{
    seed = ps_test_seed();
    for (unsigned i = 0; i < 400; i++)
        one_container();
}

static void on_empty(void *argument, const struct ps_far_record *record)
{
    assert_int_equal(record->length, 0);
    (*(unsigned *)argument)++;
}

/* A block of `count` data without bytes, and one of 2, are read completely: a block is damaged only if it has more such data than are allowed. */
static void read_empty(const char *schema, const char *codec, unsigned count, unsigned found, uint64_t bad)
{
    struct ps_test_avro avro;
    struct ps_err err = {.length = 0};
    unsigned records = 0;
    struct ps_far_hand hand = {.taker = on_empty, .argument = &records};
    struct ps_far_avro *reader = ps_far_avro_create();
    ps_test_avro_begin(&avro, schema, codec);
    for (unsigned block = 0; block < 2; block++) {
        for (unsigned i = 0; i < (block == 0 ? count : 2); i++)
            ps_test_avro_end_datum(&avro);
        ps_test_avro_end_block(&avro);
    }
    assert_int_equal(ps_far_avro_feed(reader, avro.data, avro.length, &hand, &err), PS_OK);
    assert_int_equal(records, found);
    assert_int_equal(ps_far_avro_bad_count(reader), bad);
    assert_int_equal(ps_far_avro_pending(reader), 0);
    ps_far_avro_destroy(reader);
    ps_test_avro_free(&avro);
}

static void test_data_without_bytes(void **state)
{
    static const char record[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}";
    static const char *const codecs[] = {"null", "deflate", "snappy"};
    for (size_t i = 0; i < PS_COUNT_OF(codecs); i++) {
        read_empty("\"null\"", codecs[i], 1, 3, 0);
        read_empty(record, codecs[i], 1000, 1002, 0);
    }
    read_empty("\"null\"", "null", 65536, 65538, 0);
    read_empty("\"null\"", "null", 65537, 65538, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn),
                                       cmocka_unit_test(test_data_without_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
