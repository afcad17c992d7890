/* Renames that are refused for ever, as without permission: when each file is tried again, among others. */
#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "tests/support/bucket_files.h"

static void roll_one(void)
{
    ps_test_bucket_settings.roll_events = 1;
    ps_test_bucket_start();
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
}

enum { REFUSED = 40 };

static struct {
    uint64_t now_ms, due_ms[REFUSED];
    unsigned tries[REFUSED], count, all_tries;
} refused;

/* Three minutes after each of the first ten tries, then twice as long after each, up to an hour. */
static uint64_t refused_interval_ms(unsigned tries)
{
    uint64_t ms = 180000;
    for (; tries > 10 && ms < 3600000; tries--)
        ms *= 2;
    return ms < 3600000 ? ms : 3600000;
}

static void refused_add(void)
{
    TAKE(PS_BODY("x")); /* the file before it is rolled */
    ps_test_bucket_pass(0);
    refused.due_ms[refused.count] = refused.now_ms + refused_interval_ms(1);
    refused.tries[refused.count++] = 1;
    refused.all_tries++;
}

/* Goes to this time; each file is tried when it is due, and at no other time. */
static void refused_pass(uint64_t to_ms)
{
    for (;;) {
        uint64_t due_ms = UINT64_MAX;
        for (unsigned i = 0; i < refused.count; i++)
            due_ms = refused.due_ms[i] < due_ms ? refused.due_ms[i] : due_ms;
        uint64_t next_ms = due_ms < to_ms ? due_ms : to_ms;
        if (next_ms > refused.now_ms + 1)
            ps_test_bucket_pass(next_ms - refused.now_ms - 1);
        assert_int_equal(ps_test_files_count(PS_TEST_RENAME), refused.all_tries);
        ps_test_bucket_pass(next_ms > refused.now_ms ? 1 : 0);
        refused.now_ms = next_ms;
        for (unsigned i = 0; i < refused.count; i++) {
            if (refused.due_ms[i] != next_ms)
                continue;
            refused.due_ms[i] = next_ms + refused_interval_ms(++refused.tries[i]);
            refused.all_tries++;
        }
        assert_int_equal(ps_test_files_count(PS_TEST_RENAME), refused.all_tries);
        if (next_ms == to_ms)
            return;
    }
}

static void test_renames_are_refused_for_ever(void **unused)
{
    uint64_t random = ps_test_seed() | 1;
    memset(&refused, 0, sizeof refused);
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, UINT32_MAX, PS_FILE_DENIED);
    while (refused.count < REFUSED) {
        refused_add();
        refused_pass(refused.now_ms + 1 + ps_test_random(&random) % 1000000);
    }
    refused_pass(refused.now_ms + 20 * UINT64_C(3600000));
    for (unsigned i = 0; i < REFUSED; i++)
        assert_in_range(refused.tries[i], 10 + 4 + 18, 10 + 4 + 36);
    ps_test_files_fail(PS_TEST_RENAME, 0, 0, PS_FILE_OK); /* somebody has put it right */
    ps_test_bucket_pass(3600000);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_files_expect(FIRST, "1\n");
    ps_test_bucket_finish();
}

/* A limit of tries is one of time, too: the interval stays. */
static void test_many_close_tries(void **unused)
{
    ps_test_bucket_settings.close_tries = 20;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, UINT32_MAX, PS_FILE_DENIED);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    for (unsigned tries = 1; tries < 20; tries++) {
        assert_int_equal(ps_test_files_count(PS_TEST_RENAME), tries);
        assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 1);
        ps_test_bucket_pass(180000);
    }
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_bucket_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_renames_are_refused_for_ever, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_many_close_tries, ps_test_bucket_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
