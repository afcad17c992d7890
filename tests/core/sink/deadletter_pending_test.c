/* Events of a lease become dead letters. They are settled in order when their letters are written. Events that were settled
 * before are left alone. The work can be stopped before all letters are written. */
#include "core/sink/deadletter_pending.h"

#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <unistd.h>

static struct ps_test_stage stage;
static const struct ps_dead_letter_reason reason = {"tired", "it was tried too often", 3};

static struct ps_lease *start(void)
{
    ps_test_stage_start(&stage, &ps_sink_null, NULL);
    ps_test_dead_letters_open(&stage);
    return PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"), PS_BODY("d"), PS_BODY("e"));
}

static void stop(void)
{
    ps_test_stage_fini(&stage);
    ps_test_dead_letters_close(&stage);
}

static void test_some(void **unused)
{
    struct ps_deadletter_pending pending = {.lease = NULL};
    struct ps_lease *lease = start();
    ps_lease_settle(lease, 2);
    assert_false(ps_deadletter_pending_has_begun(&pending));
    ps_deadletter_pending_begin(&pending, lease, 1, 4);
    assert_true(ps_deadletter_pending_has_begun(&pending));
    assert_true(ps_deadletter_pending_work(&pending, &stage.port, &reason));
    assert_false(ps_deadletter_pending_has_begun(&pending));
    assert_string_equal(ps_test_dead_letters_bodies("tired"), "b\nd\n");
    assert_int_equal(lease->settled, 3);
    assert_int_equal(lease->dead, 2);
    assert_false(ps_lease_is_settled(lease, 0));
    assert_false(ps_lease_is_settled(lease, 4));
    stop();
}

/* While the folder cannot be written nothing is settled; after a stop the rest is forgotten. */
static void test_not_written(void **unused)
{
    struct ps_deadletter_pending pending = {.lease = NULL};
    char path[256], away[256];
    struct ps_lease *lease = start();
    snprintf(path, sizeof path, "%s", ps_test_folder_path("dead"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    ps_deadletter_pending_begin(&pending, lease, 0, 5);
    for (unsigned i = 0; i < 3; i++)
        assert_false(ps_deadletter_pending_work(&pending, &stage.port, &reason));
    assert_int_equal(lease->settled, 0);
    ps_deadletter_pending_stop(&pending, &stage.port);
    assert_false(ps_deadletter_pending_has_begun(&pending));
    assert_int_equal(lease->settled, 0);
    ps_deadletter_pending_stop(&pending, &stage.port); /* does nothing */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(away, path), 0);
    ps_deadletter_pending_begin(&pending, lease, 0, 5); /* letters that waited are written first */
    const uint64_t until = ps_test_patience_end_ns();
    while (!ps_deadletter_pending_work(&pending, &stage.port, &reason) && ps_test_patient_ns() < until)
        usleep(1000);
    assert_int_equal(lease->dead, 5);
    assert_string_equal(ps_test_dead_letters_bodies("tired"), "a\nb\nc\nd\ne\na\nb\nc\nd\ne\n");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_some, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_not_written, ps_test_folder_setup, ps_test_folder_teardown),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
