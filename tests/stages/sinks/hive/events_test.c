/* Sink hive: events that cannot become rows, or have no partition. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hive_stage.h"

#include <stdio.h>

static uint64_t counter(const struct ps_test_stage *stage, enum ps_counter number)
{
    return ps_test_stage_counter(stage, number);
}

/* No lease is held, and no list has an event. */
static void expect_nothing_held(const struct ps_test_stage *stage)
{
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage->state;
    assert_int_equal(sink->held.count, 0);
    assert_int_equal(sink->flaws.events.count, 0);
    assert_int_equal(sink->pool.free.count, sink->pool.used - 1);
    assert_false(ps_deadletter_pending_has_begun(&sink->flaws.letters));
}

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    table.columns = "line:string,number:int";
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(stage, keys);
}

#define JSON_BY_DAY                                                                                          \
    PS_HIVE_KEYS("serializer", "JSON", "penstock.commit.interval", "0", "hive.partition", "%{day}")

/* A lease whose events all become letters is released, even if no other follows. Each letter has the reason of its
 * own event, also after other letters and after a success. */
static void test_nothing_but_dead_letters(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, JSON_BY_DAY);
    ps_test_dead_letters_open(&stage);
    for (unsigned round = 1; round <= 2; round++) {
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("day"), PS_HIVE_DAY("brace", "mon")));
        expect_nothing_held(&stage);
        assert_int_equal(counter(&stage, PS_COUNTER_deadletter), 2 * round);
        assert_int_equal(counter(&stage, PS_COUNTER_refused), 2 * round);
        assert_int_equal(counter(&stage, PS_COUNTER_malformed), round);
        assert_int_equal(ps_test_dead_letters_with("a value of its partition is empty"), round);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("{\"line\":\"a\"}", "mon")));
        expect_nothing_held(&stage);
    }
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "day\nbrace\nday\nbrace\n");
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

/* Without dead letters an event that has no partition keeps its lease in the channel; each try counts, and only the first one is logged. */
static void test_no_partition_and_no_dead_letters(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, JSON_BY_DAY);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("{\"line\":\"a\"}"));
    for (unsigned tries = 1; tries <= 3; tries++) {
        enum ps_result result = PS_LATER; /* while the table is not known */
        PS_HIVE_AWAIT(&stage, (result = ps_test_sink_work(&stage, &lease)) != PS_LATER);
        assert_int_equal(result, PS_RETRY);
        assert_int_equal(counter(&stage, PS_COUNTER_EventWriteFail), tries);
    }
    ps_test_stage_fini(&stage);
}

/* Without dead letters an event that cannot become a row is dropped, and its lease is released as soon as it has no
 * other event. */
static void test_nothing_but_dropped_events(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, JSON_BY_DAY);
    for (unsigned round = 1; round <= 2; round++) {
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("brace", "mon"), PS_HIVE_DAY("[", "tue")));
        expect_nothing_held(&stage);
        assert_int_equal(counter(&stage, PS_COUNTER_malformed), 2 * round);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("{\"line\":\"a\"}", "mon")));
        expect_nothing_held(&stage);
    }
    assert_int_equal(counter(&stage, PS_COUNTER_refused), 0);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_but_dead_letters),
        TEST(test_nothing_but_dropped_events),
        TEST(test_no_partition_and_no_dead_letters),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
