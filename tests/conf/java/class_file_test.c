/* Class files as a compiler writes them, cut at every byte, and with every byte changed. */
#include "tests/support/support.h"

#include "conf/java/class_file.h"
#include "tests/support/java_class.h"

#include <stdlib.h>
#include <string.h>

static const struct ps_test_class sink = {
    .name = "org/example/MySink",
    .super = "org/apache/flume/sink/AbstractSink",
    .interfaces = {"org/apache/flume/conf/Configurable", "java/lang/Runnable"}};

struct parsed {
    struct ps_arena *arena;
    struct ps_class_file file;
    struct ps_err err;
};

/* The bytes are in memory of exactly their length, so that a sanitizer sees a read past them. */
static enum ps_status parse(struct parsed *parsed, const uint8_t *bytes, size_t length)
{
    void *exact = malloc(length + (length == 0));
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    memset(&parsed->file, 0, sizeof parsed->file);
    parsed->err.length = 0;
    enum ps_status status = ps_class_file_parse(parsed->arena, exact, length, &parsed->file, &parsed->err);
    free(exact);
    return status;
}

static void test_what_a_class_is(void **state)
{
    struct parsed parsed = {.arena = ps_arena_create()};
    uint8_t bytes[PS_TEST_CLASS_BYTES];
    size_t length = ps_test_class_write(&sink, bytes);
    assert_int_equal(parse(&parsed, bytes, length), PS_OK);
    assert_string_equal(parsed.file.name, "org/example/MySink");
    assert_string_equal(parsed.file.super, "org/apache/flume/sink/AbstractSink");
    assert_int_equal(parsed.file.interfaces.count, 2);
    assert_string_equal(parsed.file.interfaces.items[1], "java/lang/Runnable");
    assert_true(parsed.file.is_public && parsed.file.has_constructor);
    assert_false(parsed.file.is_abstract || parsed.file.is_interface);
    struct ps_test_class other = {.name = "A", .more_access = 0x0600, .hidden = true, .no_constructor = true};
    length = ps_test_class_write(&other, bytes);
    assert_int_equal(parse(&parsed, bytes, length), PS_OK);
    assert_true(parsed.file.is_abstract && parsed.file.is_interface);
    assert_false(parsed.file.is_public || parsed.file.has_constructor);
    assert_int_equal(parsed.file.java, 8);
    other = (struct ps_test_class){.name = "a/B$C", .constructor = "(La/B;)V", .version = 65};
    length = ps_test_class_write(&other, bytes);
    assert_int_equal(parse(&parsed, bytes, length), PS_OK);
    assert_true(parsed.file.is_inner && !parsed.file.has_constructor);
    assert_int_equal(parsed.file.java, 21);
    other = (struct ps_test_class){.name = "a/B$C", .constructor = "(La/D;)V"};
    length = ps_test_class_write(&other, bytes);
    assert_int_equal(parse(&parsed, bytes, length), PS_OK);
    assert_false(parsed.file.is_inner || parsed.file.has_constructor);
    ps_arena_destroy(parsed.arena);
}

/* A class counts as what each of its public constructors makes it. Of the others, and of a field with such a name and type, nothing
 * counts. */
static void test_several_constructors(void **state)
{
    static const struct {
        const char *first, *second; /* types; second NULL: there is one constructor */
        bool hidden;                /* the first is not public */
        bool has, inner;
    } rows[] = {{"()V", "(I)V", false, true, false},      {"(I)V", "()V", false, true, false},
                {"(I)V", "(J)V", false, false, false},    {"()V", "(I)V", true, false, false},
                {"(La/B;)V", "()V", false, true, true},   {"()V", "(La/B;)V", false, true, true},
                {"(La/B;)V", "(I)V", false, false, true}, {"(I)V", "(La/B;)V", true, false, true},
                {"(La/B;)V", "(I)V", true, false, false}, {"(La/B;I)V", NULL, false, false, false},
                {"(La/BB;)V", NULL, false, false, false}, {"()V", NULL, true, false, false},
                {"()I", NULL, false, false, false}};
    struct parsed parsed = {.arena = ps_arena_create()};
    uint8_t bytes[PS_TEST_CLASS_BYTES];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_test_class class = {.name = "a/B$C",
                                            .constructor = rows[i].first,
                                            .second = rows[i].second,
                                            .no_constructor = rows[i].hidden};
        size_t length = ps_test_class_write(&class, bytes);
        assert_int_equal(parse(&parsed, bytes, length), PS_OK);
        if (parsed.file.has_constructor != rows[i].has || parsed.file.is_inner != rows[i].inner)
            fail_msg("row %zu: %d, %d", i, parsed.file.has_constructor, parsed.file.is_inner);
    }
    ps_arena_destroy(parsed.arena);
}

static void test_damaged_ones_are_refused(void **state)
{
    struct parsed parsed = {.arena = ps_arena_create()};
    uint8_t bytes[PS_TEST_CLASS_BYTES];
    size_t length = ps_test_class_write(&sink, bytes);
    for (size_t cut = 0; cut + 2 < length;
         cut++) { /* the last two bytes are the count of attributes, which nobody reads */
        assert_int_equal(parse(&parsed, bytes, cut), PS_FAIL);
        assert_true(parsed.err.length > 0);
    }
    for (size_t i = 0; i < length; i++) { /* any outcome, but no crash */
        uint8_t kept = bytes[i];
        for (unsigned value = 0; value < 256; value += 5) {
            bytes[i] = (uint8_t)value;
            enum ps_status status = parse(&parsed, bytes, length);
            assert_true(status == PS_FAIL || parsed.file.name != NULL);
        }
        bytes[i] = kept;
    }
    ps_arena_destroy(parsed.arena);
}

static void test_an_unknown_constant_is_named(void **state)
{
    struct parsed parsed = {.arena = ps_arena_create()};
    static const uint8_t bytes[] = {0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 52, 0, 2, 99, 0, 0};
    assert_int_equal(parse(&parsed, bytes, sizeof bytes), PS_FAIL);
    assert_non_null(strstr(parsed.err.text, "constant 1 has the unknown tag 99"));
    assert_int_equal(parse(&parsed, bytes + 1, sizeof bytes - 1), PS_FAIL);
    assert_non_null(strstr(parsed.err.text, "not a Java class"));
    ps_arena_destroy(parsed.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_class_is),
        cmocka_unit_test(test_several_constructors),
        cmocka_unit_test(test_damaged_ones_are_refused),
        cmocka_unit_test(test_an_unknown_constant_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
