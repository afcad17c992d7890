/* Directories that are recognized as those of a Flume file channel, and others. */
#include "stages/lib/flume_log/directory.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

static bool with(const char *name)
{
    ps_test_folder_append(name, "", 0);
    bool is_flume = ps_flume_log_is_directory(ps_test_folder());
    assert_int_equal(remove(ps_test_folder_path(name)), 0);
    return is_flume;
}

static void test_names(void **state)
{
    assert_false(ps_flume_log_is_directory(ps_test_folder()));
    assert_true(with("log-1.meta"));
    assert_true(with("log-4711.meta"));
    assert_true(with("checkpoint.meta"));
    assert_true(with("inflightputs"));
    assert_true(with("inflighttakes"));
    assert_true(with("queueset"));
    /* Names that may belong to other programs. */
    assert_false(with("checkpoint"));
    assert_false(with("in_use.lock"));
    assert_false(with("log-1"));
    assert_false(with("log-0.meta"));
    assert_false(with("log-.meta"));
    assert_false(with("log-x.meta"));
    assert_false(with("log-99999999999.meta"));
    assert_false(with("000000000001.segment"));
    assert_false(with("state"));
    assert_false(ps_flume_log_is_directory(ps_test_folder_path("nowhere")));
}

static void test_numbers(void **state)
{
    assert_int_equal(ps_flume_log_number("log-1"), 1);
    assert_int_equal(ps_flume_log_number("log-2147483647"), 2147483647);
    assert_int_equal(ps_flume_log_number("log-2147483648"), 0);
    assert_int_equal(ps_flume_log_number("log-18446744073709551617"), 0);
    assert_int_equal(ps_flume_log_number("log-0"), 0);
    assert_int_equal(ps_flume_log_number("log--1"), 0);
    assert_int_equal(ps_flume_log_number("log-1.meta"), 0);
    assert_int_equal(ps_flume_log_number("catalog-1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
