/* Entries at their limits: the last size, name, value, body and number of headers that is accepted, and one more of each. */
#include "stages/lib/java/exchange/events.h"

#include "tests/support/support.h"

#include <stdlib.h>

#define HEAD ((uint32_t)sizeof(struct ps_java_event))

static char *area;

static int setup(void **state)
{
    area = calloc(1, 1 << 20);
    return area == NULL;
}

static int teardown(void **state)
{
    free(area);
    return 0;
}

/* Writes the head of an entry, and returns the reader of an area of this size. */
static struct ps_java_reader entry(struct ps_java_event head, uint32_t bytes)
{
    memcpy(area, &head, sizeof head);
    return (struct ps_java_reader){.base = area, .size = bytes};
}

static void test_sizes(void **state)
{
    static const struct {
        uint32_t size, area_bytes;
        bool good;
    } rows[] = {{HEAD, HEAD, true},
                {HEAD, HEAD - 1, false},
                {HEAD - 4, HEAD, false},
                {HEAD + 4, HEAD, false},
                {HEAD + 4, HEAD + 4, true},
                {HEAD + 1, 100, false},
                {HEAD + 2, 100, false},
                {HEAD + 3, 100, false},
                {0, 100, false},
                {UINT32_MAX - 3, 100, false},
                {100, 100, true},
                {104, 100, false},
                {HEAD, 0, false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_java_event head;
        struct ps_java_reader reader =
            entry((struct ps_java_event){.size = rows[i].size}, rows[i].area_bytes);
        if (ps_java_reader_next(&reader, &head) != rows[i].good)
            fail_msg("row %zu", i);
        assert_int_equal(reader.at, rows[i].good ? rows[i].size : 0);
    }
    for (uint32_t more = 0; more < 2; more++) {
        struct ps_java_event head;
        struct ps_java_reader reader =
            entry((struct ps_java_event){.size = HEAD, .header_count = PS_EVENT_HEADERS_MAX + more}, 1 << 20);
        assert_int_equal(ps_java_reader_next(&reader, &head), more == 0);
    }
}

/* Two entries of an area, of which the first has nothing: the second one's bytes are not the first one's. */
static void test_an_entry_ends(void **state)
{
    struct ps_java_event head = {.size = HEAD + 8, .body_length = 8};
    struct ps_slice name, value, body;
    memcpy(area + HEAD, &head, sizeof head);
    for (uint32_t length = 0; length < 2; length++) {
        struct ps_java_reader reader =
            entry((struct ps_java_event){.size = HEAD, .body_length = length}, 2 * HEAD + 8);
        assert_true(ps_java_reader_next(&reader, &head));
        assert_int_equal(ps_java_reader_is_good(&reader, &head), length == 0);
        struct ps_java_reader again = reader;
        assert_false(ps_java_reader_header(&again, &name, &value));
        assert_int_equal(ps_java_reader_body(&reader, &head, &body), length == 0);
    }
}

/* Writes an entry with one header and a body, with these lengths written and this number of bytes behind its head. */
static bool is_good(uint32_t name_length, uint32_t value_length, uint32_t body_length, uint32_t bytes)
{
    const uint32_t lengths[] = {name_length, value_length};
    struct ps_java_event head;
    memset(area, 'x', HEAD + bytes + 64);
    struct ps_java_reader reader = entry(
        (struct ps_java_event){.size = HEAD + bytes, .header_count = 1, .body_length = body_length}, 1 << 20);
    memcpy(area + HEAD, lengths, sizeof lengths);
    assert_true(ps_java_reader_next(&reader, &head));
    struct ps_java_reader before = reader;
    bool good = ps_java_reader_is_good(&reader, &head);
    assert_memory_equal(&before, &reader, sizeof reader); /* it stays where it is */
    return good;
}

/* Two lengths whose sum is less than each of them. */
static void test_lengths_beyond_32_bits(void **state)
{
    static const uint32_t names[] = {1, 8, 16};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        for (uint32_t sum = 0; sum < names[i]; sum += 4) {
            const uint32_t lengths[] = {names[i], UINT32_MAX - names[i] + 1 + sum};
            struct ps_java_event head;
            struct ps_slice name, value;
            struct ps_java_reader reader =
                entry((struct ps_java_event){.size = HEAD + 32, .header_count = 1}, 1 << 20);
            memcpy(area + HEAD, lengths, sizeof lengths);
            assert_true(ps_java_reader_next(&reader, &head));
            assert_false(ps_java_reader_header(&reader, &name, &value));
        }
    }
}

static void test_lengths(void **state)
{
    static const uint32_t names[] = {0, 1, 8, PS_HEADER_NAME_BYTES_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        for (uint32_t value = 0; value < 9; value += 4) {
            const uint32_t bytes = (8 + names[i] + value + 4 + 3) & ~3U, left = bytes - 8 - names[i] - value;
            assert_true(is_good(names[i], value, left, bytes));
            assert_false(is_good(names[i], value, left + 1, bytes));
            assert_true(is_good(names[i], value + left, 0, bytes));
            assert_false(is_good(names[i], value + left + 1, 0, bytes));
            assert_false(is_good(names[i], UINT32_MAX, 0, bytes));
            assert_true(names[i] == 0 || !is_good(names[i], UINT32_MAX - names[i] + 1, 0, bytes));
            assert_false(is_good(names[i], value, UINT32_MAX, bytes));
        }
    }
    assert_false(is_good(PS_HEADER_NAME_BYTES_MAX + 1, 0, 0, PS_HEADER_NAME_BYTES_MAX + 101));
    assert_false(is_good(UINT32_MAX, 1, 0, 16));
    assert_false(is_good(9, 0, 0, 16));
    assert_false(is_good(0, 0, 0, 4)); /* the lengths themselves are not all there */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_sizes), TEST(test_an_entry_ends), TEST(test_lengths),
                                       TEST(test_lengths_beyond_32_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
