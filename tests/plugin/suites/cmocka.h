/* Replaces cmocka in penstock-plugin-test, so that the conformance suites run where no cmocka is installed: the macros
 * that they use, and groups of tests. Each test runs in a process of its own; a failed assertion ends it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function)                                                                           \
    {                                                                                                        \
#function, function                                                                                  \
    }

/* Runs the tests and prints a line for each. Returns the number of those that failed. In tests/plugin/group.c. */
int ps_plugin_test_group(const struct CMUnitTest *tests, size_t count, int (*set_up)(void **state),
                         int (*tear_down)(void **state));
#define cmocka_run_group_tests(tests, set_up, tear_down)                                                     \
    ps_plugin_test_group((tests), sizeof(tests) / sizeof((tests)[0]), (set_up), (tear_down))

/* Prints the place and the text and ends the test. In tests/plugin/group.c. */
_Noreturn void ps_plugin_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void ps_plugin_test_skip(void);

#define print_message(...) printf(__VA_ARGS__)
#define skip() ps_plugin_test_skip()
#define fail_msg(...) ps_plugin_test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define PS_PLUGIN_TEST_CHECK(condition, text)                                                                \
    ((condition) ? (void)0 : ps_plugin_test_fail(__FILE__, __LINE__, "%s", (text)))
#define assert_true(value) PS_PLUGIN_TEST_CHECK((value), #value " is false")
#define assert_false(value) PS_PLUGIN_TEST_CHECK(!(value), #value " is true")
#define assert_null(value) PS_PLUGIN_TEST_CHECK((value) == NULL, #value " is not NULL")
#define assert_non_null(value) PS_PLUGIN_TEST_CHECK((value) != NULL, #value " is NULL")
#define assert_ptr_equal(a, b) PS_PLUGIN_TEST_CHECK((const void *)(a) == (const void *)(b), #a " is not " #b)
#define assert_int_equal(a, b) ps_plugin_test_equal(__FILE__, __LINE__, #a, (int64_t)(a), (int64_t)(b))
#define assert_int_not_equal(a, b) PS_PLUGIN_TEST_CHECK((int64_t)(a) != (int64_t)(b), #a " must not be " #b)
#define assert_in_range(a, least, most)                                                                      \
    PS_PLUGIN_TEST_CHECK((uint64_t)(a) >= (uint64_t)(least) && (uint64_t)(a) <= (uint64_t)(most),            \
                         #a " is not between " #least " and " #most)
#define assert_memory_equal(a, b, length)                                                                    \
    PS_PLUGIN_TEST_CHECK(memcmp((a), (b), (length)) == 0, #a " has other bytes than " #b)
#define assert_string_equal(a, b) ps_plugin_test_same(__FILE__, __LINE__, (a), (b))

static inline void ps_plugin_test_equal(const char *file, int line, const char *what, int64_t value,
                                        int64_t expected)
{
    if (value != expected)
        ps_plugin_test_fail(file, line, "%s is %lld, not %lld", what, (long long)value, (long long)expected);
}

static inline void ps_plugin_test_same(const char *file, int line, const char *value, const char *expected)
{
    if (strcmp(value, expected) != 0)
        ps_plugin_test_fail(file, line, "\"%.200s\" is not \"%.200s\"", value, expected);
}
