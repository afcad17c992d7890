/* Where a datum ends: types within types; a datum that lacks any bytes is incomplete. */
#include "stages/lib/avro/schema.h"

#include "stages/lib/avro/binary.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#define TYPES_MAX 65536U

#define PAIR                                                                                                 \
    "{\"type\":\"record\",\"name\":\"pair\",\"fields\":[{\"name\":\"x\",\"type\":\"string\"},"               \
    "{\"name\":\"y\",\"type\":\"double\"}]}"
#define EIGHT "12345678"

static void test_types_within_types(void **state)
{
    static const struct {
        const char *json;
        size_t length;
        const char *datum;
    } rows[] = {
        {PAIR, 11, "\4ab" EIGHT},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\","
         "\"type\":" PAIR
         "},{\"name\":\"c\",\"type\":[\"null\",\"pair\"]},{\"name\":\"d\",\"type\":\"boolean\"}]}",
         24, "\6\4ab" EIGHT "\2\2z" EIGHT "\1"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":" PAIR "}}", 17,
         "\2\2\2k\4ab" EIGHT "\0\0"},
        {"[\"string\",{\"type\":\"array\",\"items\":[\"int\",\"string\"]}]", 9, "\2\4\0\7\2\4ab\0"},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"fixed\","
         "\"name\":\"f\",\"size\":3}},"
         "{\"name\":\"next\",\"type\":[\"null\",\"r\"]},{\"name\":\"f\",\"type\":\"f\"}]}",
         14, "abc\2abc\0defghi"},
        {"{\"type\":\"array\",\"items\":\"null\"}", 3, "\1\0\0"}, /* 1 part of 0 bytes */
        {"{\"type\":\"map\",\"values\":\"float\"}", 9, "\1\14\2kabcd\0"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        struct ps_avro_schema *schema = ps_avro_schema_create(rows[i].json, strlen(rows[i].json), &err);
        if (schema == NULL)
            fail_msg("%s: %s", rows[i].json, err.text);
        const uint8_t *bytes = (const uint8_t *)rows[i].datum;
        for (size_t length = 0; length <= rows[i].length; length++) {
            const uint8_t *at = bytes;
            if (ps_avro_schema_skip(schema, &at, bytes + length) != (length == rows[i].length))
                fail_msg("row %zu, %zu bytes", i, length);
            if (length == rows[i].length)
                assert_ptr_equal(at, bytes + length);
        }
        ps_avro_schema_destroy(schema);
    }
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"r\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

/* The body is a text: the datum's own, or that of its field `body`, not of a record within. Otherwise it is the whole datum. */
static void test_bodies(void **state)
{
    static const struct {
        const char *json;
        size_t length;
        const char *datum;
        size_t from, body_length;
    } rows[] = {
        {"\"bytes\"", 3, "\4ab", 1, 2},
        {"\"string\"", 1, "\0", 1, 0},
        {"\"long\"", 1, "\2", 0, 1},
        {"[\"null\",\"string\"]", 4, "\2\4ab", 2, 2},
        {"[\"null\",\"string\"]", 1, "\0", 0, 1},
        {RECORD(FIELD("a", "\"string\"") "," FIELD("body", "\"bytes\"")), 5, "\2x\4ab", 3, 2},
        {RECORD(FIELD("body", "[\"null\",\"int\",\"bytes\"]") "," FIELD("a", "\"int\"")), 5, "\4\4ab\2", 2,
         2},
        {RECORD(FIELD("body", "[\"null\",\"int\",\"bytes\"]") "," FIELD("a", "\"int\"")), 3, "\2\4\2", 0, 3},
        {RECORD(FIELD("a", "\"string\"")), 2, "\2x", 0, 2},
        {RECORD(FIELD("body", "{\"type\":\"array\",\"items\":\"string\"}")), 4, "\2\2x\0", 0, 4},
        {RECORD(FIELD("next", "[\"null\",\"r\"]") "," FIELD("body", "\"string\"")), 6, "\2\0\2x\2y", 5, 1},
        {RECORD(FIELD("body", "\"string\"") "," FIELD("next", "[\"null\",\"r\"]")), 6, "\2y\2\2x\0", 1, 1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        struct ps_slice body;
        const uint8_t *at = (const uint8_t *)rows[i].datum, *end = at + rows[i].length;
        struct ps_avro_schema *schema = ps_avro_schema_create(rows[i].json, strlen(rows[i].json), &err);
        if (schema == NULL)
            fail_msg("%s: %s", rows[i].json, err.text);
        if (!ps_avro_schema_body(schema, &at, end, &body) || at != end ||
            body.data != rows[i].datum + rows[i].from || body.length != rows[i].body_length)
            fail_msg("row %zu: %s", i, rows[i].json);
        ps_avro_schema_destroy(schema);
    }
}

/* Indexes of symbols and of branches, and lengths: the first and the last valid one, one less, and one more. */
static void test_numbers_at_their_ends(void **state)
{
    static const char three[] = "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\",\"C\"]}";
    static const char one[] = "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}";
    static const struct {
        const char *json, *datum; /* a datum's first byte is the number, as a zigzag: 0, -1, 1, -2, 2 .. */
        size_t length;
        bool good;
    } rows[] = {{three, "\0", 1, true},
                {three, "\4", 1, true},
                {three, "\6", 1, false},
                {three, "\1", 1, false},
                {one, "\0", 1, true},
                {one, "\2", 1, false},
                {"[\"null\",\"int\"]", "\0", 1, true},
                {"[\"null\",\"int\"]", "\2\2", 2, true},
                {"[\"null\",\"int\"]", "\4\2", 2, false},
                {"[\"null\",\"int\"]", "\1\2", 2, false},
                {"\"bytes\"", "\0", 1, true},
                {"\"bytes\"", "\1", 1, false},
                {"\"string\"", "\2a", 2, true},
                {"\"string\"", "\4a", 2, false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        struct ps_avro_schema *schema = ps_avro_schema_create(rows[i].json, strlen(rows[i].json), &err);
        if (schema == NULL)
            fail_msg("%s: %s", rows[i].json, err.text);
        const uint8_t *at = (const uint8_t *)rows[i].datum, *end = at + rows[i].length;
        if (ps_avro_schema_skip(schema, &at, end) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].json);
        assert_true(!rows[i].good || at == end);
        ps_avro_schema_destroy(schema);
    }
}

/* The order of a field: Java's Schema.Field.Order, in any case. */
static void test_orders(void **state)
{
    static const struct {
        const char *order;
        bool taken;
    } rows[] = {
        {"\"ascending\"", true},   {"\"Descending\"", true}, {"\"IGNORE\"", true}, {"\"descendin\"", false},
        {"\"dYscending\"", false}, {"\"\"", false},          {"null", false},      {"1", false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char json[200];
        struct ps_err err = {0};
        int length = snprintf(json, sizeof json,
                              "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":"
                              "\"int\",\"order\":%s}]}",
                              rows[i].order);
        struct ps_avro_schema *schema = ps_avro_schema_create(json, (size_t)length, &err);
        if ((schema != NULL) != rows[i].taken)
            fail_msg("order %s: %s", rows[i].order, err.text);
        if (schema != NULL)
            ps_avro_schema_destroy(schema);
    }
}

/* A record has a type for itself and one for each field: as many as there may be, one fewer, and one more. */
static void test_most_types(void **state)
{
    static const char field[] = ",{\"name\":\"f\",\"type\":\"int\"}";
    char *json = malloc(100 + (TYPES_MAX + 1) * sizeof field);
    assert_non_null(json);
    for (size_t types = TYPES_MAX - 1; types <= TYPES_MAX + 1; types++) {
        struct ps_err err = {0};
        char *at = json + sprintf(json, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[");
        for (size_t i = 1; i < types; i++)
            at = stpcpy(at, field + (i == 1));
        at = stpcpy(at, "]}");
        struct ps_avro_schema *schema = ps_avro_schema_create(json, (size_t)(at - json), &err);
        assert_int_equal(schema != NULL, types <= TYPES_MAX);
        if (schema == NULL)
            assert_string_equal(err.text, "the schema has too many types");
        ps_avro_schema_destroy(schema);
    }
    free(json);
}

/* Only parts within parts are limited, not parts beside each other: an array of many records, of which each has records. */
static void test_many_parts(void **state)
{
    enum { ITEMS = 1000 };
    static const char json[] =
        "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"r\",\"fields\":["
        "{\"name\":\"a\",\"type\":" PAIR "},{\"name\":\"b\",\"type\":\"pair\"}]}}";
    static const char item[] = "\4ab" EIGHT "\2z" EIGHT;
    static uint8_t datum[2 + ITEMS * sizeof item];
    struct ps_err err = {0};
    struct ps_avro_schema *schema = ps_avro_schema_create(json, sizeof json - 1, &err);
    if (schema == NULL)
        fail_msg("%s", err.text);
    uint8_t *end = datum + ps_avro_put_long(datum, ITEMS);
    for (unsigned i = 0; i < ITEMS; i++)
        end = mempcpy(end, item, sizeof item - 1);
    *end++ = 0;
    const uint8_t *at = datum;
    assert_true(ps_avro_schema_skip(schema, &at, end));
    assert_ptr_equal(at, end);
    ps_avro_schema_destroy(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_parts), cmocka_unit_test(test_types_within_types),
        cmocka_unit_test(test_bodies),     cmocka_unit_test(test_numbers_at_their_ends),
        cmocka_unit_test(test_orders),     cmocka_unit_test(test_most_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
