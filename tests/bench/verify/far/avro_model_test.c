/* Drawn schemas, data of them, codecs and pieces: the reader of Avro containers finds each datum, and the field `body` in it, and no more when a
 * block is damaged. The encoder of the test is written from Avro's specification and shares nothing with the reader. The seed is printed. */
#include "bench/verify/far/avro.h"
#include "bench/verify/far/schema.h"
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
static unsigned type_count, name_count;
static const struct type *named[256]; /* fixed types by the number in their names */

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
        fprintf(to, "{\"type\":\"enum\",\"name\":\"E%u\",\"symbols\":[\"A\",\"B\"]}", type->number);
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
        fputs(type->kind == K_UNION ? "[" : "{\"type\":\"record\",\"name\":\"R\",\"fields\":[", to);
        for (unsigned i = 0; i < type->count; i++) {
            fputs(i > 0 ? "," : "", to);
            if (type->kind == K_RECORD)
                fprintf(to, "{\"name\":\"body%u\",\"type\":", i);
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
        fprintf(to, draw(2) ? "\"N%u\"" : "\"other.N%u\"", type->number);
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
    case K_ENUM:
        ps_test_avro_long(avro, draw_long());
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
            ps_test_avro_long(avro, sized ? -(int64_t)count : (int64_t)count);
            if (sized)
                ps_test_avro_long(avro, 12345); /* not looked at */
            for (; count > 0; count--) {
                if (type->kind == K_MAP)
                    write_text(avro);
                write_datum(avro, type->parts[0]);
            }
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
    type_count = name_count = 0;
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

/* ---- schemas that are refused, and limits ---- */

static struct ps_far_schema *compile(const char *json, struct ps_err *err)
{
    err->length = 0;
    return ps_far_schema_create(json, strlen(json), err);
}

static void test_refused_schemas(void **state)
{
    static const struct {
        const char *json, *part; /* part of the error; NULL: the schema is accepted */
    } rows[] = {
        {"\"int\"", NULL},
        {"[\"null\",\"int\"]", NULL},
        {"[]", NULL},
        {"\"nothing\"", "no type `nothing`"},
        {"{\"type\":\"nothing\"}", "no type `nothing`"},
        {"{", "not valid JSON"},
        {"3", "a type is missing"},
        {"{\"type\":\"array\"}", "a type is missing"},
        {"{\"type\":\"map\"}", "a type is missing"},
        {"[\"int\",null]", "a type is missing"},
        {"[\"int\",\"F\"]", "no type `F`"},
        {"{\"type\":\"record\",\"name\":\"R\"}", "a record without fields"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}", NULL},
        {"{\"type\":\"error\",\"name\":\"R\",\"fields\":[]}", NULL},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\"}]}", "a type is missing"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\","
         "\"type\":\"q.R\"}]}",
         NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err;
        struct ps_far_schema *schema = compile(rows[i].json, &err);
        if ((schema != NULL) != (rows[i].part == NULL) ||
            (schema == NULL && strstr(err.text, rows[i].part) == NULL))
            fail_msg("%s: %s", rows[i].json, schema != NULL ? "taken" : err.text);
        ps_far_schema_destroy(schema);
    }
}

/* A union of exactly `count` branches. */
static bool takes_union(unsigned count, const char *part)
{
    char *text = malloc(16 * (size_t)count + 16);
    size_t length = (size_t)sprintf(text, "[");
    struct ps_err err;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)sprintf(text + length, "%s\"int\"", i > 0 ? "," : "");
    strcpy(text + length, "]");
    struct ps_far_schema *schema = compile(text, &err);
    bool taken = schema != NULL;
    if (!taken && strstr(err.text, part) == NULL)
        fail_msg("%s", err.text);
    ps_far_schema_destroy(schema);
    free(text);
    return taken;
}

/* Returns whether `count` arrays, each within the one before, are accepted. */
static bool takes_depth(unsigned count, char *text)
{
    struct ps_err err;
    size_t length = 0;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)sprintf(text + length, "{\"type\":\"array\",\"items\":");
    length += (size_t)sprintf(text + length, "\"int\"");
    memset(text + length, '}', count);
    text[length + count] = '\0';
    struct ps_far_schema *schema = compile(text, &err);
    if (schema == NULL)
        assert_non_null(strstr(err.text, "nested more than 64 levels"));
    ps_far_schema_destroy(schema);
    return schema != NULL;
}

static void test_limits(void **state)
{
    static char text[65536];
    assert_true(takes_union(4095, "")); /* and the union itself: 4,096 types */
    assert_false(takes_union(4096, "more than 4096 types"));
    assert_false(takes_union(4097, "a type has more than 4096 parts"));
    assert_true(takes_depth(64, text));
    assert_false(takes_depth(65, text));
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

static bool number_of(const char *bytes, size_t length, int64_t *number)
{
    struct ps_far_data data = {.at = bytes, .end = bytes + length};
    bool good = ps_far_avro_long(&data, number);
    return good && data.at == data.end;
}

static void test_numbers(void **state)
{
    int64_t number;
    assert_true(number_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &number));
    assert_true(number == INT64_MIN);
    assert_true(number_of("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &number));
    assert_true(number == INT64_MAX);
    assert_false(number_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &number));
    assert_false(number_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\0", 11, &number));
    assert_false(number_of("\x80", 1, &number));
    assert_false(number_of("", 0, &number));
}

/* Bytes that do not match the schema `json`, and the shortest that do. */
static void test_data(void **state)
{
    static const struct {
        const char *json, *bytes;
        unsigned length;
        bool good;
    } rows[] = {
        {"\"bytes\"", "\2a", 2, true},
        {"\"bytes\"", "\4a", 2, false},
        {"\"bytes\"", "\1a", 2, false}, /* -1 */
        {"\"bytes\"", "\0", 1, true},
        {"\"boolean\"", "", 0, false},
        {"\"float\"", "abc", 3, false},
        {"\"float\"", "abcd", 4, true},
        {"\"double\"", "abcdefg", 7, false},
        {"\"double\"", "abcdefgh", 8, true},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "a", 1, false},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "ab", 2, true},
        {"[\"null\",\"int\"]", "\0", 1, true},
        {"[\"null\",\"int\"]", "\1", 1, false}, /* branch -1 */
        {"[\"null\",\"int\"]", "\2\2", 2, true},
        {"[\"null\",\"int\"]", "\4", 1, false}, /* branch 2 of 2 */
        {"{\"type\":\"array\",\"items\":\"null\"}", "\0", 1, true},
        {"{\"type\":\"array\",\"items\":\"null\"}", "\2\0", 2, true},
        {"{\"type\":\"array\",\"items\":\"null\"}", "\1\0\0", 3, true}, /* -1, size 0 */
        {"{\"type\":\"array\",\"items\":\"null\"}", "\1", 1, false},
        {"{\"type\":\"array\",\"items\":\"null\"}", "\2", 1, false},
        {"{\"type\":\"array\",\"items\":\"int\"}", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0", 11, false},
        {"{\"type\":\"map\",\"values\":\"int\"}", "\2\2k\2\0", 5, true},
        {"{\"type\":\"map\",\"values\":\"int\"}", "\2\4k\2\0", 5,
         false}, /* a key of 2 bytes, a value, and no end */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err;
        struct ps_far_schema *schema = compile(rows[i].json, &err);
        const char *record;
        size_t length;
        char *bytes = malloc(rows[i].length + 1);
        memcpy(bytes, rows[i].bytes, rows[i].length);
        struct ps_far_data data = {.at = bytes, .end = bytes + rows[i].length, .steps_left = 100};
        bool good = ps_far_schema_next(schema, &data, &record, &length) && data.at == data.end;
        if (good != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].json);
        free(bytes);
        ps_far_schema_destroy(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),   cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_data_without_bytes),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
