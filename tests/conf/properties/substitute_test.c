/* ${...}: commons-text's rules, lookups, the older environment mode, limits. */
#include "tests/support/support.h"

#include "conf/properties/substitute.h"
#include "core/clock.h"

#include <time.h>

struct fixture {
    struct ps_arena *arena;
    struct ps_problems problems;
    struct ps_properties properties;
    struct ps_substitution how;
    struct ps_pairs system;
    struct ps_pair system_items[4];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = ps_arena_create();
    ps_problems_init(&fixture->problems, fixture->arena);
    ps_properties_init(&fixture->properties, fixture->arena);
    fixture->system_items[0] = (struct ps_pair){.key = "one", .value = "1"};
    fixture->system_items[1] = (struct ps_pair){.key = "env", .value = "PROD"};
    fixture->system_items[2] = (struct ps_pair){.key = "ref", .value = "${sys:one}"};
    fixture->system_items[3] = (struct ps_pair){.key = "one", .value = "uno"};
    fixture->system = (struct ps_pairs){4, fixture->system_items};
    fixture->how = (struct ps_substitution){
        .arena = fixture->arena, .problems = &fixture->problems, .system = &fixture->system, .now_ms = 1000};
    setenv("PENSTOCK_TEST_A", "env-a", 1);
    setenv("PENSTOCK_TEST_EMPTY", "", 1);
    unsetenv("PENSTOCK_TEST_NOT");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    ps_properties_fini(&fixture->properties);
    ps_problems_fini(&fixture->problems);
    ps_arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, const char *key, const char *value)
{
    ps_properties_put(&fixture->properties,
                      (struct ps_property){.key = key, .value = value, .file = "t", .line = 1});
}

static const char *result(struct fixture *fixture, const char *value)
{
    put(fixture, "a1.under.test", value);
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_OK);
    return ps_properties_find(&fixture->properties, "a1.under.test")->value;
}

static void test_lookups(void **state)
{
    static const char *const cases[][2] = {
        {"plain $ {text} $}{", "plain $ {text} $}{"},
        {"${sys:one}", "uno"},
        {"a${sys:one}b${env:PENSTOCK_TEST_A}c", "aunobenv-ac"},
        {"[${env:PENSTOCK_TEST_EMPTY}]", "[]"},
        {"${SYS:one}", "uno"},
        {"${sys:ref}", "uno"}, /* values are substituted again */
        {"${java:os}", NULL},
        {"${java:version}", NULL},
        {"${date:yyyy}", "1970"},
        {"${key.of.file}", "from file"},
        {"${nothing:key.of.file}", "from file"}, /* after an unknown prefix the rest is a key */
        {"${env:key.of.file}", "from file"},     /* even after a lookup that found nothing */
    };
    struct fixture *fixture = *state;
    put(fixture, "key.of.file", "from file");
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const char *got = result(fixture, cases[i][0]);
        if (cases[i][1] != NULL)
            assert_string_equal(got, cases[i][1]);
        else
            assert_null(strstr(got, "${"));
    }
    assert_int_equal(fixture->problems.count, 0);
}

static void test_defaults_nesting_and_escapes(void **state)
{
    static const char *const cases[][2] = {
        {"${env:PENSTOCK_TEST_NOT:-fallback}", "fallback"},
        {"${env:PENSTOCK_TEST_NOT:-}", ""},
        {"${env:PENSTOCK_TEST_A:-fallback}", "env-a"},
        {"${x:-a:-b}", "a:-b"},
        {"${x:-${sys:one}}", "uno"},
        {"${${sys:env}_HOST}", "prod-host"},
        {"${${x:-${sys:env}}_HOST}", "prod-host"},
        {"$${sys:one}", "${sys:one}"},
        {"$$${sys:one}", "$${sys:one}"},
        {"$${a${sys:one}}", "${auno}"},        /* the content of an escaped reference is still replaced */
        {"${dollar}${sys:one}", "${sys:one}"}, /* a value that ends in $ escapes what follows it */
        {"${unclosed ${sys:one}", "${unclosed ${sys:one}"},
        {"$${unclosed ${sys:one", "$${unclosed ${sys:one"},
        {"${}", "${}"},
        {"${sys:one}}", "uno}"},
    };
    struct fixture *fixture = *state;
    put(fixture, "PROD_HOST", "prod-host");
    put(fixture, "dollar", "$");
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        assert_string_equal(result(fixture, cases[i][0]), cases[i][1]);
}

static void test_unknown_references_stay_and_are_reported(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(result(fixture, "${env:PENSTOCK_TEST_NOT} ${f1['key']}"),
                        "${env:PENSTOCK_TEST_NOT} ${f1['key']}");
    assert_int_equal(fixture->problems.count, 1); /* the second is a reference to a config filter */
    assert_non_null(strstr(fixture->problems.items[0].what, "env:PENSTOCK_TEST_NOT"));
    fixture->how.agent = "a2";
    result(fixture, "${not.for.us}");
    assert_int_equal(fixture->problems.count, 1);
}

static void test_environment_mode(void **state)
{
    struct fixture *fixture = *state;
    fixture->how.environment_mode = true;
    put(fixture, "KEY", "key wins, as in 1.11");
    assert_string_equal(result(fixture, "<${PENSTOCK_TEST_A}><${PENSTOCK_TEST_NOT}><${KEY}><${a.b}>"),
                        "<env-a><><key wins, as in 1.11><${a.b}>");
    assert_string_equal(result(fixture, "${env:PENSTOCK_TEST_A}"), "env-a");
    /* Flume's pattern has no colon: only a name alone becomes nothing */
    assert_string_equal(result(fixture, "${env:PENSTOCK_TEST_NOT}"), "${env:PENSTOCK_TEST_NOT}");
}

static void test_cycles_are_reported(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a1.x", "${a1.y}");
    put(fixture, "a1.y", "-${a1.x}-");
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_FAIL);
    assert_int_equal(fixture->problems.errors, 1);
    assert_non_null(strstr(fixture->problems.items[0].what, "refers to itself"));
}

static void test_growth_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        const char *next = ps_arena_format(fixture->arena, "${g%d}", i + 1);
        put(fixture, ps_arena_format(fixture->arena, "g%d", i),
            ps_arena_format(fixture->arena, "%s%s%s%s%s%s%s%s", next, next, next, next, next, next, next,
                            next));
    }
    put(fixture, "g20", "0123456789abcdef");
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_FAIL);
    assert_int_equal(fixture->problems.errors, 1);
}

/* A value may be as long as the limit with its replacements, also if the last byte comes from a reference. */
static void test_the_longest_value(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned length = PS_SUBSTITUTE_BYTES_MAX - 1; length <= PS_SUBSTITUTE_BYTES_MAX + 1; length++) {
        char *text = calloc(length, 1);
        assert_non_null(text);
        memset(text, 'x', length - 1);
        put(fixture, "long", ps_arena_copy(fixture->arena, text, length - 1));
        free(text);
        put(fixture, "a1.under.test", "${long}y");
        bool fits = length <= PS_SUBSTITUTE_BYTES_MAX;
        assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), fits ? PS_OK : PS_FAIL);
        const char *value = ps_properties_find(&fixture->properties, "a1.under.test")->value;
        assert_int_equal(strlen(value) == length, fits);
    }
    assert_non_null(strstr(fixture->problems.items[0].what, "longer than the limit"));
}

static void test_deep_nesting_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    char text[400];
    memset(text, 0, sizeof text);
    for (int i = 0; i < 60; i++)
        strcat(text, "${x");
    for (int i = 0; i < 60; i++)
        strcat(text, "}");
    put(fixture, "a1.deep", text);
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_FAIL);
    assert_int_equal(fixture->problems.errors, 1);
}

/* Repeats `unit` in a text of `length` bytes at `at`. */
static void repeat(char *at, size_t length, const char *unit)
{
    for (size_t i = 0; i < length; i++)
        at[i] = unit[i % strlen(unit)];
}

static void put_at(struct fixture *fixture, int line, const char *key, const char *value)
{
    ps_properties_put(&fixture->properties,
                      (struct ps_property){.key = key, .value = value, .file = "t", .line = line});
}

/* Each warning names the property that has the reference, before and after references to others that have warnings of their
 * own. A value with an unknown reference is substituted again where it is used, so a user, above it, may be warned too. */
static void test_warnings_have_their_own_places(void **state)
{
    static const struct {
        const char *name, *key;
        int line;
    } own[] = {{"{m1}", "a1.outer", 7}, {"{m4}", "inner", 9},    {"{m5}", "innermost", 11},
               {"{m6}", "inner", 9},    {"{m2}", "a1.outer", 7}, {"{m3}", "a1.outer", 7}};
    struct fixture *fixture = *state;
    size_t next = 0;
    put_at(fixture, 7, "a1.outer", "${m1} ${inner} ${m2} ${innermost} ${m3}");
    put_at(fixture, 9, "inner", "${m4} ${innermost} ${m6}");
    put_at(fixture, 11, "innermost", "${m5}");
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_OK);
    for (size_t i = 0; i < fixture->problems.count; i++) {
        const struct ps_problem *problem = &fixture->problems.items[i];
        size_t which = 0;
        while (which < PS_COUNT_OF(own) && strstr(problem->what, own[which].name) == NULL)
            which++;
        assert_true(which < PS_COUNT_OF(own) && problem->line <= own[which].line);
        if (which == next && problem->line == own[which].line) {
            assert_string_equal(problem->key, own[which].key);
            next++;
        }
    }
    assert_int_equal(next, PS_COUNT_OF(own));
}

/* 13,000 levels would use up the stack; the error names the place. */
static void test_nesting_is_refused_before_it_uses_the_stack(void **state)
{
    struct fixture *fixture = *state;
    enum { LEVELS = 40000 };
    char *text = calloc(LEVELS, 4);
    assert_non_null(text);
    repeat(text, 2 * LEVELS, "${");
    repeat(text + 2 * LEVELS, LEVELS, "}");
    put(fixture, "a1.deep", text);
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_FAIL);
    assert_int_equal(fixture->problems.errors, 1);
    assert_string_equal(fixture->problems.items[0].file, "t");
    assert_int_equal(fixture->problems.items[0].line, 1);
    assert_non_null(strstr(fixture->problems.items[0].what, "nested too deeply"));
    assert_non_null(strstr(fixture->problems.items[0].cure, "32 deep"));
    free(text);
}

/* The brace of every escaped reference is at the end of the text. If each were searched for, 400 KB would take
 * minutes. */
static void test_work_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 100000 };
    char *text = calloc(COUNT, 5);
    assert_non_null(text);
    repeat(text, 3 * COUNT, "$${");
    repeat(text + 3 * COUNT, COUNT, "}");
    put(fixture, "a1.wide", text);
    uint64_t begin_ns = ps_clock_now().mono_ns;
    assert_int_equal(ps_substitute(&fixture->properties, &fixture->how), PS_FAIL);
    assert_true(ps_clock_now().mono_ns - begin_ns < 20 * PS_NS_PER_S);
    assert_int_equal(fixture->problems.errors, 1);
    assert_non_null(strstr(fixture->problems.items[0].what, "too long to resolve"));
    free(text);
}

static void test_custom_lookups(void **state)
{
    struct fixture *fixture = *state;
    struct ps_properties lookups_file;
    static const char text[] =
        "environment = org.apache.commons.text.lookup.DefaultStringLookup.ENVIRONMENT\n"
        "file = org.apache.commons.text.lookup.DefaultStringLookup.FILE\n";
    ps_properties_init(&lookups_file, fixture->arena);
    assert_int_equal(ps_properties_load(&lookups_file, "l", text, sizeof text - 1, &fixture->problems),
                     PS_OK);
    ps_substitute_lookups(&fixture->how, &lookups_file);
    assert_int_equal(fixture->problems.warnings, 1); /* FILE */
    assert_string_equal(result(fixture, "${environment:PENSTOCK_TEST_A} ${env:PENSTOCK_TEST_A} ${file:x}"),
                        "env-a ${env:PENSTOCK_TEST_A} ${file:x}");
    assert_int_equal(fixture->problems.warnings, 3);
    assert_non_null(strstr(fixture->problems.items[2].cure, "FILE"));
    ps_properties_fini(&lookups_file);
}

/* As many names of lookups as there is room for are read. */
static void test_many_lookups(void **state)
{
    struct fixture *fixture = *state;
    struct ps_properties lookups;
    ps_properties_init(&lookups, fixture->arena);
    for (unsigned i = 0; i <= PS_LOOKUP_MAX; i++)
        ps_properties_put(&lookups, (struct ps_property){.key = ps_arena_format(fixture->arena, "l%u", i),
                                                         .value = "ENVIRONMENT"});
    ps_substitute_lookups(&fixture->how, &lookups);
    assert_int_equal(fixture->how.lookup_count, PS_LOOKUP_MAX);
    assert_string_equal(
        result(fixture, "${l0:PENSTOCK_TEST_A} ${l63:PENSTOCK_TEST_A} ${l64:PENSTOCK_TEST_A}"),
        "env-a env-a ${l64:PENSTOCK_TEST_A}");
    ps_properties_fini(&lookups);
}

static void test_filter_references(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"f1[key]", 2}, {"f1['k-e_y9']", 2}, {"f1[\"key\"]", 2}, {"f1['key\"]", 0},
                 {"f1[]", 0},    {"f1['']", 0},       {"f1[a b]", 0},     {"[key]", 0},
                 {"f1[key", 0},  {"f1", 0},           {"f1[']", 0},       {"filter.x[a]", 8}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        assert_int_equal(ps_filter_reference(cases[i].text, strlen(cases[i].text)), cases[i].length);
    char longest[PS_FILTER_REFERENCE_BYTES_MAX + 1] = "f1[";
    for (size_t length = PS_FILTER_REFERENCE_BYTES_MAX; length <= PS_FILTER_REFERENCE_BYTES_MAX + 1;
         length++) {
        memset(longest + 3, 'k', length - 4);
        longest[length - 1] = ']';
        assert_int_equal(ps_filter_reference(longest, length),
                         length <= PS_FILTER_REFERENCE_BYTES_MAX ? 2 : 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lookups),
        TEST(test_defaults_nesting_and_escapes),
        TEST(test_unknown_references_stay_and_are_reported),
        TEST(test_environment_mode),
        TEST(test_cycles_are_reported),
        TEST(test_growth_is_bounded),
        TEST(test_the_longest_value),
        TEST(test_deep_nesting_is_bounded),
        TEST(test_warnings_have_their_own_places),
        TEST(test_nesting_is_refused_before_it_uses_the_stack),
        TEST(test_work_is_bounded),
        TEST(test_custom_lookups),
        TEST(test_many_lookups),
        TEST(test_filter_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
