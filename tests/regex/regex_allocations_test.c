/* A malformed subject for whose repaired copy there is no memory: the match is given up and counted. */
#include "tests/support/allocations.h"

#include "regex/regex.h"

#define SUBJECT                                                                                              \
    "a\xFF"                                                                                                  \
    "b"

static struct ps_regex *make(const char *pattern)
{
    struct ps_err err;
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, &err);
    if (regex == NULL)
        fail_msg("%s", err.text);
    return regex;
}

static void test_find(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    struct ps_regex *regex = make("a.b");
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    ps_test_allocation_fails = 1;
    assert_false(ps_regex_find(regex, scratch, SUBJECT, 3, 0, NULL, 0));
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    assert_true(ps_regex_find(regex, scratch, SUBJECT, 3, 0, NULL, 0));
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
}

static void test_replace(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    struct ps_err err;
    char out[64];
    uint32_t count = 7;
    struct ps_regex *regex = make("b");
    struct ps_regex_replacement *replacement = ps_regex_replacement_create(regex, "c", &err);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    ps_test_allocation_fails = 1;
    size_t length = ps_regex_replace_all(regex, scratch, replacement, SUBJECT, 3, out, sizeof out, &count);
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(length, 3);
    assert_memory_equal(out, SUBJECT, 3); /* as it was */
    assert_int_equal(count, 0);
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    length = ps_regex_replace_all(regex, scratch, replacement, SUBJECT, 3, out, sizeof out, &count);
    assert_int_equal(length, 5);
    assert_memory_equal(out,
                        "a\xEF\xBF\xBD"
                        "c",
                        5);
    assert_int_equal(count, 1);
    ps_regex_replacement_destroy(replacement);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_replace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
