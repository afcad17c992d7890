/* Takes that were uncommitted at Flume's checkpoint, and how their transactions end. Flume puts an event back into its queue before it
 * numbers the record of the rollback (FileChannel.doRollback): another transaction's take and its commit can have lower numbers. */
#include "stages/lib/flume_log/replay.h"

#include "tests/support/support.h"

#define IN_HAND (UINT64_C(1) << 32 | 40) /* log 1, byte 40 */
#define QUEUED (UINT64_C(1) << 32 | 80)
enum { HOLDER = 7, OTHER = 8, ORDER = 100 }; /* transactions, and the number of the checkpoint */

static struct ps_flume_replay replay;
static uint64_t order;

static int begin(void **state)
{
    static uint64_t queue[] = {QUEUED};
    static struct ps_flume_inflight takes[] = {{HOLDER, IN_HAND}};
    const struct ps_flume_checkpoint checkpoint = {
        .order = ORDER, .queue = queue, .queue_count = 1, .takes = takes, .take_count = 1};
    replay = (struct ps_flume_replay){0};
    order = ORDER;
    ps_flume_replay_begin(&replay, &checkpoint);
    return 0;
}

static int end(void **state)
{
    ps_flume_replay_fini(&replay);
    return 0;
}

static void record(enum ps_flume_kind kind, uint64_t transaction)
{
    const struct ps_flume_record one = {.frame = {.kind = kind, .transaction = transaction, .order = ++order},
                                        .pointer = kind == PS_FLUME_TAKE ? IN_HAND : 0,
                                        .committed = PS_FLUME_TAKE};
    ps_flume_replay_record(&replay, &one, ps_flume_pointer(2, (uint32_t)order));
}

static void expect(uint64_t first, uint64_t second)
{
    size_t at = 0;
    ps_flume_replay_end(&replay);
    assert_int_equal(ps_flume_replay_next(&replay, &at), first);
    assert_int_equal(ps_flume_replay_next(&replay, &at), second);
    assert_int_equal(ps_flume_replay_next(&replay, &at), 0);
}

static void test_nothing_more_happened(void **state)
{
    expect(IN_HAND, QUEUED);
}

static void test_given_back(void **state)
{
    record(PS_FLUME_ROLLBACK, HOLDER);
    expect(IN_HAND, QUEUED);
}

static void test_delivered(void **state)
{
    record(PS_FLUME_COMMIT, HOLDER);
    expect(QUEUED, 0);
}

static void test_given_back_and_delivered(void **state)
{
    record(PS_FLUME_ROLLBACK, HOLDER);
    record(PS_FLUME_TAKE, OTHER);
    record(PS_FLUME_COMMIT, OTHER);
    expect(QUEUED, 0);
}

static void test_delivered_before_the_rollback_is_numbered(void **state)
{
    record(PS_FLUME_TAKE, OTHER);
    record(PS_FLUME_COMMIT, OTHER);
    record(PS_FLUME_ROLLBACK, HOLDER);
    expect(QUEUED, 0);
}

static void test_delivered_and_the_rollback_is_not_written(void **state)
{
    record(PS_FLUME_TAKE, OTHER);
    record(PS_FLUME_COMMIT, OTHER);
    expect(QUEUED, 0);
}

static void test_taken_again_and_not_committed(void **state)
{
    record(PS_FLUME_TAKE, OTHER);
    record(PS_FLUME_ROLLBACK, HOLDER);
    expect(IN_HAND, QUEUED);
}

static void test_given_back_twice(void **state)
{
    record(PS_FLUME_TAKE, OTHER);
    record(PS_FLUME_ROLLBACK, OTHER);
    record(PS_FLUME_ROLLBACK, HOLDER);
    expect(IN_HAND, QUEUED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_more_happened),
        TEST(test_given_back),
        TEST(test_delivered),
        TEST(test_given_back_and_delivered),
        TEST(test_delivered_before_the_rollback_is_numbered),
        TEST(test_delivered_and_the_rollback_is_not_written),
        TEST(test_taken_again_and_not_committed),
        TEST(test_given_back_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
