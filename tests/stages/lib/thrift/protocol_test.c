/* Thrift's encodings: written values are read back unchanged, the bytes are those of the specification, and nothing is
 * read past the end. */
#include "stages/lib/thrift/protocol.h"

#include "tests/support/support.h"

#include <stdlib.h>

#define ROOM 512U

static struct ps_thrift_reader reader(const void *bytes, size_t length, bool compact)
{
    return (struct ps_thrift_reader){.at = bytes, .end = (const uint8_t *)bytes + length, .compact = compact};
}

static void expect_message(const char *bytes, size_t length, bool compact)
{
    struct ps_thrift_reader in = reader(bytes, length, false);
    struct ps_thrift_message message;
    assert_true(ps_thrift_read_message(&in, &message));
    assert_int_equal(in.compact, compact);
    assert_int_equal(message.type, PS_THRIFT_CALL);
    assert_int_equal(message.number, 300);
    assert_int_equal(message.name.length, 6);
    assert_memory_equal(message.name.data, "append", 6);
    assert_ptr_equal(in.at, in.end);
    for (size_t part = 0; part < length; part++) {
        in = reader(bytes, part, false);
        assert_false(ps_thrift_read_message(&in, &message));
    }
}

/* The bytes are the specification's. */
static void test_messages(void **state)
{
    static const char strict[] = "\x80\x01\x00\x01\x00\x00\x00\x06"
                                 "append\x00\x00\x01\x2c";
    static const char plain[] = "\x00\x00\x00\x06"
                                "append\x01\x00\x00\x01\x2c";
    static const char compact[] = "\x82\x21\xac\x02\x06"
                                  "append";
    expect_message(strict, sizeof strict - 1, false);
    expect_message(plain, sizeof plain - 1, false);
    expect_message(compact, sizeof compact - 1, true);
    const struct ps_thrift_message message = {PS_THRIFT_CALL, 300, {"append", 6}};
    uint8_t bytes[64];
    for (int i = 0; i < 2; i++) {
        struct ps_thrift_writer out = {.at = bytes, .compact = i == 0};
        ps_thrift_put_message(&out, &message);
        assert_int_equal(out.at - bytes, i == 0 ? sizeof compact - 1 : sizeof strict - 1);
        assert_memory_equal(bytes, i == 0 ? compact : strict, (size_t)(out.at - bytes));
    }
}

static void test_no_messages(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"[1,\"append\",1,0,{}]", 19},
        {"\x82\x22\x01\x01x", 5},                         /* another version of the compact encoding */
        {"\x82\x01\x01\x01x", 5},                         /* a message of type 0 */
        {"\x82\x21\x01\xff\xff\xff\xff\x0f", 8},          /* a name of 4 GiB */
        {"\x82\x21\xff\xff\xff\xff\xff\xff\x01\x00", 10}, /* a number of more than 32 bits */
        {"\x80\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01", 12},
        {"\x80\x01\x00\x01\x7f\xff\xff\xff\x00\x00\x00\x01", 12},
        {"\x80\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01", 12},
        {"\x00\x00\x00\x00\x09\x00\x00\x00\x01", 9},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_thrift_reader in = reader(cases[i].bytes, cases[i].length, false);
        struct ps_thrift_message message;
        assert_false(ps_thrift_read_message(&in, &message));
    }
}

static void test_numbers_of_64_bits(void **state)
{
    static const int64_t numbers[] = {0, -1, 1, 127, INT32_MIN, 1LL << 40, INT64_MAX, INT64_MIN};
    for (int compact = 0; compact < 2; compact++) {
        uint8_t bytes[sizeof(numbers) / sizeof(*numbers) * PS_THRIFT_NUMBER_BYTES_MAX];
        struct ps_thrift_writer out = {.at = bytes, .compact = compact != 0};
        for (size_t i = 0; i < PS_COUNT_OF(numbers); i++)
            ps_thrift_put_i64(&out, numbers[i]);
        struct ps_thrift_reader in = {.at = bytes, .end = out.at, .compact = compact != 0};
        for (size_t i = 0; i < PS_COUNT_OF(numbers); i++)
            assert_int_equal(ps_thrift_read_i64(&in), numbers[i]);
        assert_true(in.at == in.end && !in.bad);
    }
}

/* Writes a struct with a field of every type, with ids up and down; returns its length. */
static size_t put_everything(uint8_t *bytes, bool compact)
{
    struct ps_thrift_writer out = {.at = bytes, .compact = compact};
    ps_thrift_put_field(&out, PS_THRIFT_I32, 1, 0);
    ps_thrift_put_i32(&out, -2147483647 - 1);
    ps_thrift_put_field(&out, PS_THRIFT_I32, 17, 1); /* further than a delta of the compact encoding goes */
    ps_thrift_put_i32(&out, 2147483647);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 3, 17);
    ps_thrift_put_text(&out, "text", 4);
    ps_thrift_put_field(&out, PS_THRIFT_BYTE, -5, 3);
    ps_thrift_put_byte(&out, 0xfe);
    ps_thrift_put_field(&out, PS_THRIFT_LIST, 6, -5);
    ps_thrift_put_list(&out, PS_THRIFT_STRING, 20);
    for (int i = 0; i < 20; i++)
        ps_thrift_put_text(&out, "x", 1);
    ps_thrift_put_field(&out, PS_THRIFT_SET, 7, 6);
    ps_thrift_put_list(&out, PS_THRIFT_BYTE, 2);
    ps_thrift_put_byte(&out, 1);
    ps_thrift_put_byte(&out, 2);
    ps_thrift_put_field(&out, PS_THRIFT_MAP, 8, 7);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_BYTE, 2);
    for (int i = 0; i < 2; i++) {
        ps_thrift_put_text(&out, "key", 3);
        ps_thrift_put_byte(&out, 9);
    }
    ps_thrift_put_field(&out, PS_THRIFT_MAP, 9, 8);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 10, 9);
    ps_thrift_put_field(&out, PS_THRIFT_DOUBLE, 1, 0);
    memcpy(out.at, "\x00\x01\x02\x03\x04\x05\x06\x07", 8);
    out.at += 8;
    ps_thrift_put_field(&out, PS_THRIFT_UUID, 2, 1);
    memset(out.at, 0xaa, 16);
    out.at += 16;
    ps_thrift_put_field(&out, PS_THRIFT_I16, 3, 2);
    memcpy(out.at, compact ? "\xff\xff\x03" : "\x80\x00", 3); /* the smallest 16-bit number */
    out.at += compact ? 3 : 2;
    ps_thrift_put_field(&out, PS_THRIFT_I64, 4, 3);
    ps_thrift_put_i64(&out, INT64_MIN);
    ps_thrift_put_field(&out, PS_THRIFT_I32, 5, 4);
    ps_thrift_put_i32(&out, 5);
    ps_thrift_put_stop(&out);
    ps_thrift_put_field(&out, PS_THRIFT_LIST, 11, 10);
    ps_thrift_put_list(&out, PS_THRIFT_BOOL, 3);
    for (int i = 0; i < 3; i++)
        ps_thrift_put_byte(&out, 1);
    ps_thrift_put_field(&out, PS_THRIFT_BOOL, 12, 11); /* compact: true, in the field's head */
    if (!compact)
        ps_thrift_put_byte(&out, 1);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 13, 12);
    ps_thrift_put_text(&out, "last", 4);
    ps_thrift_put_stop(&out);
    return (size_t)(out.at - bytes);
}

static void read_everything(const uint8_t *bytes, size_t length, bool compact)
{
    struct ps_thrift_reader in = reader(bytes, length, compact);
    struct ps_thrift_field field = {.id = 0};
    assert_true(ps_thrift_read_field(&in, &field));
    assert_int_equal(field.id, 1);
    assert_int_equal(ps_thrift_read_i32(&in), -2147483647 - 1);
    assert_true(ps_thrift_read_field(&in, &field));
    assert_int_equal(field.id, 17);
    assert_int_equal(ps_thrift_read_i32(&in), 2147483647);
    assert_true(ps_thrift_read_field(&in, &field));
    assert_int_equal(field.id, 3);
    assert_int_equal(ps_thrift_read_text(&in).length, 4);
    assert_true(ps_thrift_read_field(&in, &field));
    assert_int_equal(field.id, -5);
    assert_int_equal(ps_thrift_read_byte(&in), 0xfe);
    static const int ids[] = {6, 7, 8, 9, 10, 11, 12};
    for (size_t i = 0; i < PS_COUNT_OF(ids); i++) {
        assert_true(ps_thrift_read_field(&in, &field));
        assert_int_equal(field.id, ids[i]);
        ps_thrift_skip(&in, field.type);
    }
    assert_true(ps_thrift_read_field(&in, &field));
    assert_int_equal(field.id, 13);
    assert_memory_equal(ps_thrift_read_text(&in).data, "last", 4);
    assert_false(ps_thrift_read_field(&in, &field));
    assert_false(in.bad);
    assert_ptr_equal(in.at, in.end);
}

static void test_structs(void **state)
{
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[ROOM];
        size_t length = put_everything(bytes, i == 0);
        assert_true(length <= sizeof bytes);
        read_everything(bytes, length, i == 0);
        for (size_t part = 0; part < length; part++) {
            uint8_t *copy = ps_test_exact_copy(bytes, part);
            struct ps_thrift_reader in = reader(copy, part, i == 0);
            ps_thrift_skip(&in, PS_THRIFT_STRUCT);
            assert_true(in.bad);
            free(copy);
        }
        struct ps_thrift_reader in = reader(bytes, length, i == 0);
        ps_thrift_skip(&in, PS_THRIFT_STRUCT);
        assert_false(in.bad);
        assert_ptr_equal(in.at, in.end);
    }
}

/* Counts and lengths beyond the bytes that have arrived, unknown types, endlessly nested values. */
static void test_hostile(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum ps_thrift_type type;
        bool compact;
    } cases[] = {
        {"\x0c\x7f\xff\xff\xff\x00\x00", 7, PS_THRIFT_LIST, false},
        {"\x0c\xff\xff\xff\xff\x00\x00", 7, PS_THRIFT_LIST, false},
        {"\x07\x00\x00\x00\x01\x00\x00", 7, PS_THRIFT_LIST, false},
        {"\x0b\x0b\x00\x00\x00\x03\x00\x00\x00\x00\x00", 11, PS_THRIFT_MAP, false},
        {"\x7f\xff\xff\xff", 4, PS_THRIFT_STRING, false},
        {"\x80\x00\x00\x00", 4, PS_THRIFT_STRING, false},
        {"\xfc\xff\xff\xff\xff\x0f\x00", 7, PS_THRIFT_LIST, true},
        {"\xec\x00\x00", 3, PS_THRIFT_LIST, true},
        {"\x1e\x00\x00", 3, PS_THRIFT_LIST, true},
        {"\xff\xff\xff\xff\x0f\x88", 6, PS_THRIFT_MAP, true},
        {"\x02\x88\x00\x00", 4, PS_THRIFT_MAP, true},
        {"\xff\xff\xff\xff\x0f", 5, PS_THRIFT_STRING, true},
        {"\xff\xff\xff\xff\xff\x0f", 6, PS_THRIFT_I32, true},
        {"\x1f\x00", 2, PS_THRIFT_STRUCT, true},
        {"\x11\x00\x01\x00", 4, PS_THRIFT_STRUCT, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_thrift_reader in = reader(cases[i].bytes, cases[i].length, cases[i].compact);
        ps_thrift_skip(&in, cases[i].type);
        assert_true(in.bad);
        assert_int_equal(ps_thrift_read_i32(&in), 0);
        assert_int_equal(ps_thrift_read_text(&in).length, 0);
    }
    static uint8_t lists[100000]; /* each is a list of one list */
    memset(lists, 0x19, sizeof lists);
    struct ps_thrift_reader in = reader(lists, sizeof lists, true);
    ps_thrift_skip(&in, PS_THRIFT_LIST);
    assert_true(in.bad);
}

/* As many elements as there are bytes for, and one more. */
static void test_exact_counts(void **unused)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum ps_thrift_type type;
        bool compact, map;
        uint32_t count;
    } cases[] = {
        {"\x33\x01\x02\x03", 4, PS_THRIFT_LIST, true, false, 3}, /* the count is in the head */
        {"\xe3\1\1\1\1\1\1\1\1\1\1\1\1\1\1", 15, PS_THRIFT_LIST, true, false, 14},
        {"\xf3\x0f\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", 17, PS_THRIFT_LIST, true, false, 15},
        {"\x03\0\0\0\x03\1\1\1", 8, PS_THRIFT_LIST, false, false, 3},
        {"\x01\x33\1\1", 4, PS_THRIFT_MAP, true, true, 1},
        {"\x02\x33\1\1\1\1", 6, PS_THRIFT_MAP, true, true, 2},
        {"\x03\x03\0\0\0\x02\1\1\1\1", 10, PS_THRIFT_MAP, false, true, 2},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        for (size_t less = 0; less < 2; less++) {
            enum ps_thrift_type key, value;
            struct ps_thrift_reader in = reader(cases[i].bytes, cases[i].length - less, cases[i].compact);
            uint32_t count =
                cases[i].map ? ps_thrift_read_map(&in, &key, &value) : ps_thrift_read_list(&in, &key);
            assert_int_equal(count, less > 0 ? 0 : cases[i].count);
            assert_int_equal(in.bad, less > 0);
            in = reader(cases[i].bytes, cases[i].length - less, cases[i].compact);
            ps_thrift_skip(&in, cases[i].type);
            assert_int_equal(in.bad, less > 0);
            if (less == 0)
                assert_ptr_equal(in.at, in.end);
        }
    }
}

/* A list of lists as deep as the limit, and one deeper. */
static void test_depth(void **unused)
{
    static uint8_t lists[PS_THRIFT_DEPTH_MAX + 8];
    for (unsigned depth = PS_THRIFT_DEPTH_MAX - 1; depth <= PS_THRIFT_DEPTH_MAX + 1; depth++) {
        memset(lists, 0x19, depth); /* each is a list of one list, the last one of a byte */
        lists[depth - 1] = 0x13;
        lists[depth] = 1;
        struct ps_thrift_reader in = reader(lists, depth + 1, true);
        ps_thrift_skip(&in, PS_THRIFT_LIST);
        assert_int_equal(in.bad, depth >= PS_THRIFT_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_64_bits),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_no_messages),
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_exact_counts),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
