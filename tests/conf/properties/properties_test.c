/* java.util.Properties.load, rule by rule. properties_java_test.c compares with a real JDK. */
#include "tests/support/support.h"

#include "conf/properties/properties.h"

#include <stdio.h>

struct fixture {
    struct ps_arena *arena;
    struct ps_problems problems;
    struct ps_properties properties;
};

static void fixture_init(struct fixture *fixture)
{
    fixture->arena = ps_arena_create();
    ps_problems_init(&fixture->problems, fixture->arena);
    ps_properties_init(&fixture->properties, fixture->arena);
}

static void fixture_fini(struct fixture *fixture)
{
    ps_properties_fini(&fixture->properties);
    ps_problems_fini(&fixture->problems);
    ps_arena_destroy(fixture->arena);
}

/* Loads one text and compares all pairs, written "key=value;key=value;" in order. */
static void expect(const char *text, size_t length, const char *pairs)
{
    struct fixture fixture;
    fixture_init(&fixture);
    char got[512] = "";
    size_t at = 0;
    assert_int_equal(ps_properties_load(&fixture.properties, "t", text, length, &fixture.problems), PS_OK);
    for (size_t i = 0; i < fixture.properties.count; i++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%s=%s;", fixture.properties.items[i].key,
                               fixture.properties.items[i].value);
    assert_string_equal(got, pairs);
    fixture_fini(&fixture);
}

#define EXPECT(text, pairs) expect(text, sizeof(text) - 1, pairs)

static void test_separators(void **state)
{
    EXPECT("a=1", "a=1;");
    EXPECT("a:1", "a=1;");
    EXPECT("a 1", "a=1;");
    EXPECT("a\t\f = \t1", "a=1;");
    EXPECT("a = : 1", "a=: 1;");
    EXPECT("a  b=c", "a=b=c;");
    EXPECT("a=", "a=;");
    EXPECT("a", "a=;");
    EXPECT("=1", "=1;");
    EXPECT("  \t\f a=1  ", "a=1  ;");
    EXPECT("a\\=b\\:c\\ d=1", "a=b:c d=1;");
    EXPECT("a\\\\=1", "a\\=1;");
}

static void test_comments_and_blank_lines(void **state)
{
    EXPECT("#a=1\n!b=2\n \t# c\n\n\r\n \f\na=1", "a=1;");
    EXPECT("a=1 # not one", "a=1 # not one;");
    EXPECT("# no continuation \\\na=1", "a=1;");
    EXPECT("#", "");
    EXPECT("", "");
}

static void test_line_ends(void **state)
{
    EXPECT("a=1\nb=2\rc=3\r\nd=4", "a=1;b=2;c=3;d=4;");
    EXPECT("a=1\\\r\n  2\\\r  3\\\n  4", "a=1234;");
}

static void test_continuations(void **state)
{
    EXPECT("a=1\\\n   2", "a=12;");
    EXPECT("a=1\\\\\nb=2", "a=1\\;b=2;");
    EXPECT("a=1\\\\\\\nb=2", "a=1\\b=2;");
    EXPECT("a=1\\\n# still\\\n! here", "a=1# still! here;");
    EXPECT("a\\\nb\\\n = c", "ab=c;");
    EXPECT("a=1\\\n\nb=2", "a=1;b=2;");
    EXPECT("a=1\\", "a=1;");
    EXPECT("a=1\\\n", "a=1;");
    EXPECT("\\\n# a comment after all, as in JDK 17\na=1", "a=1;");
}

static void test_escapes(void **state)
{
    EXPECT("a=\\t\\n\\r\\f|\\b\\q\\\"\\'\\\\d+", "a=\t\n\r\f|bq\"'\\d+;");
    EXPECT("a=\\u0041\\u00e9\\u20AC", "a=A\303\251\342\202\254;");
    EXPECT("a=\\ud83d\\ude00", "a=\360\237\230\200;");
    EXPECT("a=\\ud83dx\\ude00\\ud83d", "a=?x??;");
    EXPECT("\\u0061=1", "a=1;");
    EXPECT("a=\\u00411", "a=A1;");
}

static void test_latin1_becomes_utf8(void **state)
{
    EXPECT("a=\xe9\xff", "a=\303\251\303\277;");
    EXPECT("a=\xc3\xa9", "a=\303\203\302\251;");
}

static void test_malformed_unicode_ends_the_load(void **state)
{
    static const char *const bad[] = {"a=\\u004", "a=\\u00g1", "\\u=1", "a=\\uuuu", "a=1\nb=C:\\users"};
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        assert_int_equal(
            ps_properties_load(&fixture.properties, "t", bad[i], strlen(bad[i]), &fixture.problems), PS_FAIL);
        assert_int_equal(fixture.problems.count, 1);
        assert_int_equal(fixture.problems.errors, 1);
        assert_int_equal(fixture.problems.items[0].line, i == 4 ? 2 : 1);
        fixture_fini(&fixture);
    }
}

static void test_places_and_duplicates(void **state)
{
    static const char text[] = "# one\r\na.x=1\r\n\r\nb=2\\\r\n  3\r\na.x=4\r\nb=23\r\n";
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(ps_properties_load(&fixture.properties, "t", text, sizeof text - 1, &fixture.problems),
                     PS_OK);
    const struct ps_property *x = ps_properties_find(&fixture.properties, "a.x");
    assert_non_null(x);
    assert_int_equal(x->line, 6);
    assert_string_equal(x->value, "4");
    assert_int_equal(ps_properties_find(&fixture.properties, "b")->line, 7);
    assert_null(ps_properties_find(&fixture.properties, "a"));
    assert_int_equal(fixture.problems.count, 1); /* both values of b are equal */
    assert_int_equal(fixture.problems.items[0].line, 6);
    assert_non_null(strstr(fixture.problems.items[0].what, "line 2"));
    fixture_fini(&fixture);
}

static void test_a_later_file_wins_silently(void **state)
{
    struct fixture fixture;
    fixture_init(&fixture);
    ps_properties_load(&fixture.properties, "one", "a=1\nb=2", 7, &fixture.problems);
    ps_properties_load(&fixture.properties, "two", "b=3\nc=4", 7, &fixture.problems);
    assert_int_equal(fixture.properties.count, 3);
    assert_string_equal(ps_properties_find(&fixture.properties, "b")->value, "3");
    assert_string_equal(ps_properties_find(&fixture.properties, "b")->file, "two");
    assert_int_equal(fixture.problems.count, 0);
    fixture_fini(&fixture);
}

static void test_many_keys_are_found_again(void **state)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint64_t seed = ps_test_seed();
    for (int round = 0; round < 20000; round++) {
        char *key = ps_arena_format(fixture.arena, "k%u", (unsigned)(ps_test_random(&seed) % 5000));
        ps_properties_put(&fixture.properties,
                          (struct ps_property){.key = key, .value = key, .file = "t", .line = round});
        assert_int_equal(ps_properties_find(&fixture.properties, key)->line, round);
    }
    assert_true(fixture.properties.count <= 5000);
    assert_null(ps_properties_find(&fixture.properties, "k5000"));
    fixture_fini(&fixture);
}

static void test_limits_are_enforced(void **state)
{
    struct fixture fixture;
    fixture_init(&fixture);
    char *big = calloc(1, PS_PROPERTIES_BYTES_MAX + 1);
    assert_non_null(big);
    memset(big, '\n', PS_PROPERTIES_BYTES_MAX + 1);
    assert_int_equal(
        ps_properties_load(&fixture.properties, "t", big, PS_PROPERTIES_BYTES_MAX + 1, &fixture.problems),
        PS_FAIL);
    assert_int_equal(
        ps_properties_load(&fixture.properties, "t", big, PS_PROPERTIES_BYTES_MAX, &fixture.problems), PS_OK);
    size_t at = 0;
    for (unsigned i = 0; i <= PS_PROPERTIES_COUNT_MAX; i++)
        at += (size_t)snprintf(big + at, 16, "%x\n", i);
    assert_int_equal(ps_properties_load(&fixture.properties, "t", big, at, &fixture.problems), PS_FAIL);
    assert_int_equal(fixture.properties.count, PS_PROPERTIES_COUNT_MAX);
    free(big);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_comments_and_blank_lines),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_latin1_becomes_utf8),
        cmocka_unit_test(test_malformed_unicode_ends_the_load),
        cmocka_unit_test(test_places_and_duplicates),
        cmocka_unit_test(test_a_later_file_wins_silently),
        cmocka_unit_test(test_many_keys_are_found_again),
        cmocka_unit_test(test_limits_are_enforced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
