/* Computing machines, partitions and disks from a figure. */
#include <math.h>
#include <string.h>

#include "bench/plan/projection.h"
#include "tests/support/support.h"

static bool assumes(const struct ps_projection *projection, const char *text)
{
    for (unsigned i = 0; i < projection->assumption_count; i++)
        if (strstr(projection->assumptions[i], text) != NULL)
            return true;
    return false;
}

static void test_worked_example(void **state)
{
    /* 800,000 events/s of 200 B; a machine holds 250,000; 30 % free; one may be down; a week, three
     * copies. */
    const struct ps_projection_wish wish = {.rate = 800000,
                                            .size_bytes = 200,
                                            .headroom = 0.3,
                                            .spare = 1,
                                            .retention_s = 604800,
                                            .replication = 3};
    const struct ps_projection_measured measured = {
        .rate = 250000, .size_bytes = 200, .workers = 4, .error = 0.02};
    struct ps_projection projection;
    struct ps_err err = {0};
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, &err), PS_OK);
    assert_int_equal(projection.workers, 4);
    assert_true(fabs(projection.machine_rate - 175000) < 0.001);
    assert_int_equal(projection.machines, 5 + 1); /* 4.57 -> 5 */
    assert_int_equal(projection.partitions, 31);  /* 160 MB/s by 5 MiB/s; 24 workers */
    assert_int_equal(projection.brokers, 3);
    assert_true(fabs(projection.disk_bytes_per_broker / (160e6 * 604800 / 0.7) - 1) < 1e-9);
    assert_true(projection.error == 0.02);
    assert_true(assumes(&projection, "30 % of each machine"));
    assert_true(assumes(&projection, "250,000 events/s"));
    assert_false(assumes(&projection, "at least"));
    assert_false(projection.at_most);
}

static void test_sizes(void **state)
{
    struct ps_projection_wish wish = {.rate = 1000, .size_bytes = 400};
    const struct ps_projection_measured measured = {
        .rate = 1000, .size_bytes = 100, .workers = 1, .shared = true, .at_least = true};
    struct ps_projection projection;
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, NULL), PS_OK);
    assert_int_equal(projection.machines, 4); /* exactly four: rounding adds no fifth */
    assert_true(assumes(&projection, "4.00 times"));
    assert_true(assumes(&projection, "\"at least\""));
    assert_true(projection.at_most);
    assert_true(isnan(projection.error));
    assert_true(assumes(&projection, "measured machine too"));
    assert_true(projection.disk_bytes_per_broker == 0);
    wish.size_bytes = 50;
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, NULL), PS_OK);
    assert_int_equal(projection.machines, 1);
    assert_true(assumes(&projection, "not counted as cheaper"));
    wish.size_bytes = 0; /* as measured */
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, NULL), PS_OK);
    assert_int_equal(projection.machines, 1);
    assert_int_equal(projection.partitions, 1);
}

static void test_impossible(void **state)
{
    const struct ps_projection_wish wish = {.rate = 1e12, .size_bytes = 100};
    struct ps_projection_measured measured = {.size_bytes = 100};
    struct ps_projection projection;
    struct ps_err err = {0};
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "nothing to project from"));
    measured.rate = 10;
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "machines"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
