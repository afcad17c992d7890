/* The header of an Avro container file: which value a key of its metadata has. Expected bytes are written here by hand, after the Avro 1.11
 * specification. */
#include "stages/lib/avro/container.h"
#include "stages/lib/avro/binary.h"
#include "tests/support/support.h"

static const uint8_t sync_marker[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
static char header[1024];
static size_t length;

static void put(const void *bytes, size_t count)
{
    assert_true(length + count <= sizeof header);
    memcpy(header + length, bytes, count);
    length += count;
}

static void put_long(int64_t number)
{
    assert_true(length + PS_AVRO_LONG_BYTES_MAX <= sizeof header);
    length += ps_avro_put_long(header + length, number);
}

static void put_text(const char *text)
{
    put_long((int64_t)strlen(text));
    put(text, strlen(text));
}

static size_t text_bytes(const char *text)
{
    return 1 + strlen(text); /* of less than 64 characters */
}

/* Begins a header; put_pairs adds blocks of its map, finish ends it. */
static void begin(void)
{
    length = 0;
    put("Obj\1", 4);
}

/* Adds a block of the map with these names and values, NULL. `sized`: with its length in bytes, which a writer may give. */
static void put_pairs(const char *const *pairs, bool sized)
{
    int64_t count = 0;
    size_t bytes = 0;
    for (; pairs[2 * count] != NULL; count++)
        bytes += text_bytes(pairs[2 * count]) + text_bytes(pairs[2 * count + 1]);
    put_long(sized ? -count : count);
    if (sized)
        put_long((int64_t)bytes);
    for (int64_t i = 0; i < 2 * count; i++)
        put_text(pairs[i]);
}

static enum ps_avro_container_result finish(struct ps_avro_container *container)
{
    put_long(0);
    put(sync_marker, sizeof sync_marker);
    return ps_avro_container_open((const uint8_t *)header, length, container);
}

static void expect(const struct ps_avro_container *container, const char *key, const char *wanted)
{
    struct ps_slice value = {NULL, 0};
    bool found = ps_avro_container_meta(container, key, &value);
    if (found != (wanted != NULL))
        fail_msg("%s: %s", key, found ? "found" : "not found");
    if (wanted == NULL)
        return;
    assert_int_equal(value.length, strlen(wanted));
    assert_memory_equal(value.data, wanted, value.length);
}

/* A key is the whole name: not a beginning of it, not one that goes on. */
static void test_names_that_begin_alike(void **state)
{
    static const char *const pairs[] = {"",           "none",       "avro", "short",       "avro.schema.old",
                                        "long",       "avro.schem", "x",    "avro.schema", "right",
                                        "avro.codec", "null",       NULL};
    struct ps_avro_container container;
    begin();
    put_pairs(pairs, false);
    assert_int_equal(finish(&container), PS_AVRO_CONTAINER_OK);
    assert_int_equal(container.length, length);
    assert_memory_equal(container.sync, sync_marker, PS_AVRO_SYNC_BYTES);
    for (size_t i = 0; pairs[i] != NULL; i += 2)
        expect(&container, pairs[i], pairs[i + 1]);
    expect(&container, "avro.", NULL);
    expect(&container, "avro.schema.", NULL);
    expect(&container, "avro.code", NULL);
}

/* The map may be in several blocks, with and without their lengths. */
static void test_blocks_of_the_map(void **state)
{
    static const char *const first[] = {"a", "1", "b", "2", NULL}, *const second[] = {"c", "3", NULL};
    for (unsigned i = 0; i < 4; i++) {
        struct ps_avro_container container;
        begin();
        put_pairs(first, (i & 1) != 0);
        put_pairs(second, (i & 2) != 0);
        assert_int_equal(finish(&container), PS_AVRO_CONTAINER_OK);
        assert_int_equal(container.length, length);
        expect(&container, "a", "1");
        expect(&container, "b", "2");
        expect(&container, "c", "3");
        expect(&container, "d", NULL);
    }
}

/* A count of entries that has no opposite number is damage. */
static void test_least_count(void **state)
{
    struct ps_avro_container container;
    begin();
    put_long(INT64_MIN);
    put_long(0);
    assert_int_equal(finish(&container), PS_AVRO_CONTAINER_BAD);
}

/* A header that is cut anywhere needs more bytes. */
static void test_cut(void **state)
{
    static const char *const pairs[] = {"avro.schema", "\"string\"", "avro.codec", "null", NULL};
    struct ps_avro_container container;
    begin();
    put_pairs(pairs, true);
    assert_int_equal(finish(&container), PS_AVRO_CONTAINER_OK);
    for (size_t count = 0; count < length; count++)
        assert_int_equal(ps_avro_container_open((const uint8_t *)header, count, &container),
                         PS_AVRO_CONTAINER_SHORT);
}

/* A text of the map may be as long as the limit, and so may the header as a whole: then more bytes are wanted. */
static void test_longest(void **state)
{
    struct ps_avro_container container;
    uint8_t *bytes = calloc(1, (size_t)PS_AVRO_HEADER_BYTES_MAX + 1);
    assert_non_null(bytes);
    for (int more = -1; more <= 1; more++) {
        enum ps_avro_container_result wanted = more <= 0 ? PS_AVRO_CONTAINER_SHORT : PS_AVRO_CONTAINER_BAD;
        begin();
        put_long(1);
        put_long((int64_t)PS_AVRO_HEADER_BYTES_MAX + more);
        assert_int_equal(ps_avro_container_open((const uint8_t *)header, length, &container), wanted);
        begin();
        put_long(1);
        put_long((int64_t)PS_AVRO_HEADER_BYTES_MAX);
        memcpy(bytes, header, length);
        assert_int_equal(
            ps_avro_container_open(bytes, (size_t)PS_AVRO_HEADER_BYTES_MAX + (size_t)more, &container),
            wanted);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_begin_alike),
        cmocka_unit_test(test_blocks_of_the_map),
        cmocka_unit_test(test_least_count),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
