/* The arithmetic of sink processors, to the millisecond. The expected times are computed from Flume 1.11's
 * FailoverSinkProcessor and OrderSelector by hand. */
#include "core/engine/processor.h"
#include "tests/support/support.h"

#define NOBODY PS_PROCESSOR_NOBODY
#define HOUR_MS UINT64_C(3600000)

static const bool nobody_is_busy[8];
static struct ps_processor *processor;

static void make(const struct ps_processor_settings *settings)
{
    processor = ps_processor_create(settings, 42);
}

static int forget(void **state)
{
    ps_processor_destroy(processor);
    processor = NULL;
    return 0;
}

static unsigned next(uint64_t now_ms)
{
    return ps_processor_next(processor, nobody_is_busy, now_ms);
}

static void make_failover(const int32_t *priorities, unsigned count, int64_t max_ms)
{
    make(&(struct ps_processor_settings){
        .type = PS_PROCESSOR_FAILOVER, .max_ms = max_ms, .count = count, .priorities = priorities});
}

static void make_balance(unsigned count, bool random, bool backoff, int64_t max_ms)
{
    make(&(struct ps_processor_settings){.type = PS_PROCESSOR_LOAD_BALANCE,
                                         .random = random,
                                         .backoff = backoff,
                                         .max_ms = max_ms,
                                         .count = count});
}

/* ---- failover ---- */

static void test_highest_priority_first(void **state)
{
    static const int32_t priorities[] = {5, 10, -1};
    make_failover(priorities, 3, 30000);
    assert_int_equal(next(1000), 1);
    assert_true(ps_processor_is_active(processor, 1, 1000));
    ps_processor_failed(processor, 1, 1000);
    assert_int_equal(next(1000), 0);
    ps_processor_failed(processor, 0, 1000);
    assert_int_equal(next(1000), 2);
    ps_processor_failed(processor, 2, 1000);
    assert_int_equal(next(1000), NOBODY);
    assert_int_equal(ps_processor_wake_ms(processor, 1000), 3001);
}

/* min(maxpenalty, 2^failures s); at its end time a penalty still counts (refresh < now). */
static void test_penalties_double(void **state)
{
    static const int32_t priorities[] = {2, 1};
    static const uint64_t penalties_ms[] = {2000, 4000, 8000, 16000, 30000, 30000, 30000};
    make_failover(priorities, 2, 30000);
    uint64_t now_ms = 5000;
    for (unsigned i = 0; i < PS_COUNT_OF(penalties_ms); i++) {
        assert_int_equal(next(now_ms), 0);
        ps_processor_failed(processor, 0, now_ms);
        assert_int_equal(ps_processor_failures(processor, 0), i + 1);
        assert_int_equal(ps_processor_penalised_until_ms(processor, 0, now_ms), now_ms + penalties_ms[i]);
        assert_int_equal(next(now_ms + penalties_ms[i]), 1);
        now_ms += penalties_ms[i] + 1;
    }
    ps_processor_delivered(processor, 0);
    assert_int_equal(ps_processor_failures(processor, 0), 0);
    ps_processor_failed(processor, 0, now_ms);
    assert_int_equal(ps_processor_penalised_until_ms(processor, 0, now_ms), now_ms + 2000);
}

static void test_max_penalty(void **state)
{
    static const int32_t priorities[] = {2, 1};
    make_failover(priorities, 2, 1500);
    ps_processor_failed(processor, 0, 0);
    assert_int_equal(next(1500), 1);
    assert_int_equal(next(1501), 0);
    for (unsigned i = 0; i < 100; i++) /* Flume's int would have overflowed */
        ps_processor_failed(processor, 0, 2000);
    assert_int_equal(ps_processor_penalised_until_ms(processor, 0, 2000), 3500);
}

/* Several sinks have failed: the one whose penalty ended first is tried first, before the live ones. A sink that
 * delivers nothing stays failed. */
static void test_failed_ones_are_tried_before_live_ones(void **state)
{
    static const int32_t priorities[] = {1, 3, 2};
    make_failover(priorities, 3, 30000);
    ps_processor_failed(processor, 1, 100);
    ps_processor_failed(processor, 2, 50);
    assert_int_equal(next(2000), 0);
    assert_int_equal(next(2060), 2);
    assert_int_equal(next(9000), 2);
    ps_processor_failed(processor, 2, 9000); /* 4 s now */
    assert_int_equal(next(9000), 1);
    assert_int_equal(next(9500), 1); /* asked again, nothing happened */
    ps_processor_delivered(processor, 1);
    assert_int_equal(next(9500), 1);
    assert_int_equal(next(13001), 2); /* before the active one */
    ps_processor_delivered(processor, 2);
    assert_int_equal(next(13001), 1);
    assert_false(ps_processor_is_active(processor, 2, 13001));
}

/* ---- load_balance ---- */

static void expect_in_turn(uint64_t now_ms, const char *members)
{
    for (; *members != '\0'; members++) {
        unsigned member = next(now_ms);
        assert_int_equal(member, *members - '0');
        ps_processor_taken(processor, member);
        ps_processor_delivered(processor, member);
    }
}

static void test_in_turn(void **state)
{
    make_balance(3, false, false, 0);
    expect_in_turn(1, "0120120");
    assert_int_equal(next(1), 1);
    assert_int_equal(next(1), 1); /* the same until it takes a lease or fails */
    ps_processor_failed(processor, 1, 1);
    assert_int_equal(next(1), 2); /* the next of the same order */
    ps_processor_failed(processor, 2, 1);
    assert_int_equal(next(1), 0);
    ps_processor_taken(processor, 0);
    expect_in_turn(1, "2012"); /* the head moved by one only; without backoff failures leave no trace */
}

static void test_all_failed_rests(void **state)
{
    make_balance(2, false, false, 0);
    ps_processor_failed(processor, next(100), 100);
    ps_processor_failed(processor, next(100), 100);
    assert_int_equal(next(100), NOBODY);
    assert_int_equal(ps_processor_wake_ms(processor, 100), 5100);
    assert_int_equal(next(5099), NOBODY);
    assert_int_equal(next(5100), 1);
}

/* Leases that were given out fail later, one after the other: as many as there are sinks, and none is delivered. */
static void test_all_failed_later_rests(void **state)
{
    make_balance(2, false, false, 0);
    expect_in_turn(100, "0101");
    ps_processor_failed(processor, 0, 100);
    assert_int_equal(next(100), 0);
    ps_processor_taken(processor, 0);
    ps_processor_failed(processor, 1, 100);
    assert_int_equal(next(5099), NOBODY);
    assert_int_not_equal(next(5100), NOBODY);
    ps_processor_taken(processor, 0);
    ps_processor_failed(processor, 0, 5100);
    ps_processor_delivered(processor, 1);
    ps_processor_failed(processor, 0, 5100);
    assert_int_not_equal(next(5100), NOBODY);
}

/* 1000 * 2^n, n at most 16, at most maxTimeOut; at its end time the sink is still out (restoreTime < now). */
static void test_backoff_grows(void **state)
{
    make_balance(2, false, true, INT64_C(1) << 40);
    uint64_t now_ms = 10;
    for (unsigned n = 1; n <= 20; n++) {
        ps_processor_failed(processor, 0, now_ms);
        uint64_t expected_ms = 1000 * (UINT64_C(1) << (n < 16 ? n : 16));
        assert_int_equal(ps_processor_penalised_until_ms(processor, 0, now_ms), now_ms + expected_ms);
        assert_int_equal(ps_processor_penalised_until_ms(processor, 0, now_ms + expected_ms + 1), 0);
        now_ms += expected_ms + 1;
    }
}

static void test_backoff_has_a_limit(void **state)
{
    make_balance(2, false, true, 0); /* 0: Flume keeps its default */
    for (unsigned i = 0; i < 5; i++)
        ps_processor_failed(processor, 0, 0);
    assert_int_equal(ps_processor_penalised_until_ms(processor, 0, 0), 30000);
}

/* Failures within an hour after the last back-off add to its count, later ones start again; a success changes nothing. */
static void test_backoff_is_forgotten_by_time(void **state)
{
    make_balance(2, false, true, 30000);
    ps_processor_failed(processor, 0, 1000); /* 2 s */
    ps_processor_delivered(processor, 0);
    uint64_t again_ms = 1000 + 2000 + HOUR_MS - 1;
    ps_processor_failed(processor, 0, again_ms);
    assert_int_equal(ps_processor_penalised_until_ms(processor, 0, again_ms), again_ms + 4000);
    again_ms += 4000 + HOUR_MS;
    ps_processor_failed(processor, 0, again_ms);
    assert_int_equal(ps_processor_penalised_until_ms(processor, 0, again_ms), again_ms + 2000);
}

/* The head of round robin is an index into the list of the sinks that are not left out. */
static void test_in_turn_with_backoff(void **state)
{
    make_balance(3, false, true, 30000);
    expect_in_turn(1, "01");
    assert_int_equal(next(1), 2);
    ps_processor_failed(processor, 2, 1);
    expect_in_turn(1, "0"); /* the rest of that order: 2 0 1 */
    expect_in_turn(2, "0101");
    expect_in_turn(2002, "0120");
}

static void test_all_left_out(void **state)
{
    make_balance(2, false, true, 30000);
    ps_processor_failed(processor, next(1), 1);
    ps_processor_failed(processor, next(1), 1);
    assert_int_equal(next(5001), 1); /* both may be chosen again, and Flume's order begins with 1 */
    ps_processor_failed(processor, 1, 5001);
    ps_processor_failed(processor, 0, 5001);
    assert_int_equal(next(9001), NOBODY);
    assert_int_not_equal(next(10002), NOBODY);
}

static void test_busy_members_are_passed_over(void **state)
{
    static const bool busy[] = {false, true, true};
    static const bool all[] = {true, true, true};
    make_balance(3, false, false, 0);
    expect_in_turn(1, "0");
    assert_int_equal(ps_processor_next(processor, busy, 1), 0);
    assert_int_equal(ps_processor_next(processor, all, 1), NOBODY);
    assert_int_equal(ps_processor_wake_ms(processor, 1), UINT64_MAX);
    assert_int_equal(next(1), 1); /* its turn is not lost */
}

static void test_random(void **state)
{
    unsigned counts[3] = {0};
    make_balance(3, true, false, 0);
    for (unsigned i = 0; i < 3000; i++) {
        unsigned first = next(1);
        counts[first]++;
        if (i % 2 == 0) { /* the rest of the order has the others, each once */
            ps_processor_failed(processor, first, 1);
            unsigned second = next(1);
            ps_processor_failed(processor, second, 1);
            unsigned third = next(1);
            assert_int_equal(first + second + third, 3);
            assert_true(first != second && second != third);
            ps_processor_taken(processor, third);
        } else {
            ps_processor_taken(processor, first);
        }
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(counts[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_highest_priority_first, forget),
        cmocka_unit_test_teardown(test_penalties_double, forget),
        cmocka_unit_test_teardown(test_max_penalty, forget),
        cmocka_unit_test_teardown(test_failed_ones_are_tried_before_live_ones, forget),
        cmocka_unit_test_teardown(test_in_turn, forget),
        cmocka_unit_test_teardown(test_all_failed_rests, forget),
        cmocka_unit_test_teardown(test_all_failed_later_rests, forget),
        cmocka_unit_test_teardown(test_backoff_grows, forget),
        cmocka_unit_test_teardown(test_backoff_has_a_limit, forget),
        cmocka_unit_test_teardown(test_backoff_is_forgotten_by_time, forget),
        cmocka_unit_test_teardown(test_in_turn_with_backoff, forget),
        cmocka_unit_test_teardown(test_all_left_out, forget),
        cmocka_unit_test_teardown(test_busy_members_are_passed_over, forget),
        cmocka_unit_test_teardown(test_random, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
