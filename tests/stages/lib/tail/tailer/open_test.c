/* What taildir makes of a file that it opens again after a stop. */
#include "tests/stages/sources/taildir_support.h"

/* A file was written over while the source was stopped: with skipToEnd, too, all of its lines are new, whether it is shorter now, as long as it was, or
 * longer, and whatever of it had been read. What it had before the first start is skipped. */
static void test_written_over_while_stopped(void **unused)
{
    static const struct {
        const char *before, *more; /* at the first start, and while the source runs */
        const char *text, *lines;  /* later */
    } rows[] = {
        {"", "one\n", "new\n", "new"},
        {"", "one\n", "a\n", "a"},
        {"", "one\n", "first\nsecond\n", "first second"},
        {"old\n", "one\n", "new\n", "new"},
        {"old\n", "one\n", "next\nnew\n", "next new"},
        {"old\n", "one\n", "first\nsecond\nthird\n", "first second third"},
        {"old\n", "", "new\n", "new"},
        {"old\n", "", "first\nsecond\n", "first second"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        append("app.log", rows[i].before);
        PS_START("skipToEnd", "true");
        work_until(PS_COUNTER_extra, 1);
        wait_for_open(rows[i].before[0] != '\0');
        append("app.log", rows[i].more);
        if (rows[i].more[0] != '\0')
            expect("one");
        ps_test_stage_close(&stage);
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        append("app.log", rows[i].text);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        expect(rows[i].lines);
        append("app.log", "last\n");
        expect("last");
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_over_while_stopped, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
