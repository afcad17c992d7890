#include "tests/support/stage.h"

#include <stdio.h>

static void test_counts(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_seq, PS_KEYS("totalEvents", "12345", "batchSize", "10"));
    while (ps_test_source_work(&stage) == PS_DONE)
        ;
    assert_int_equal(ps_test_source_work(&stage), PS_BACKOFF);
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 12345);
    for (size_t i = 0; i < stage.event_count; i++) {
        char expected[24];
        snprintf(expected, sizeof expected, "%zu", i);
        assert_string_equal(stage.events[i].body, expected);
        assert_int_equal(ps_test_event_header_count(&stage.events[i]), 0);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 12345);
    ps_test_stage_fini(&stage);
}

static void test_nothing(void **unused)
{
    static const char *const totals[] = {"0", "-1"};
    for (size_t i = 0; i < PS_COUNT_OF(totals); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_source_seq, PS_KEYS("totalEvents", totals[i]));
        assert_int_equal(ps_test_source_work(&stage), PS_BACKOFF);
        ps_test_stage_fini(&stage);
    }
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_seq);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("batchSize", "0")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
