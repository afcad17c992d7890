/* The stack of error lines, and its form for a log. */
#include "tests/support/support.h"

#include "core/status.h"

static void test_lines_are_joined_for_a_log(void **state)
{
    struct ps_err err = {0};
    assert_string_equal(ps_err_join(&err), "");
    ps_err_set(&err, "the port is in use");
    assert_string_equal(ps_err_join(&err), "the port is in use");
    ps_err_append(&err, "source r1");
    ps_err_append(&err, "agent a1");
    assert_string_equal(ps_err_join(&err), "the port is in use; source r1; agent a1");
    assert_int_equal(err.length, strlen(err.text));
}

static void test_a_full_stack_is_not_overrun(void **state)
{
    struct ps_err err = {0};
    for (int i = 0; i < PS_ERR_BYTES; i++)
        ps_err_append(&err, "x");
    ps_err_join(&err);
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(err.length, strlen(err.text));
    assert_true(err.length < sizeof err.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_joined_for_a_log),
        cmocka_unit_test(test_a_full_stack_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
