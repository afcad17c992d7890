/* When taildir saves positions. */
#include "tests/stages/sources/taildir_support.h"

/* The position file is written again only when a position has changed, also when the source is closed. */
static void test_positions_are_saved_once(void **unused)
{
    struct stat saved, later;
    append("app.log", "one\n");
    PS_START("writePosInterval", "100");
    await_saved("app.log");
    ps_test_source_clear(&stage);
    for (unsigned i = 0; i < 20; i++) {
        if (i == 10)
            assert_int_equal(stat(positions, &saved), 0);
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_source_settle(&stage, 0, 5);
    }
    ps_test_stage_fini(&stage);
    assert_int_equal(stat(positions, &later), 0);
    assert_memory_equal(&saved.st_mtim, &later.st_mtim, sizeof saved.st_mtim);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_positions_are_saved_once, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
