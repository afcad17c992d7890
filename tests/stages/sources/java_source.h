/* For tests of the source java: it is opened, its cycles run until a condition holds, and what it has read is compared. */
#pragma once

#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <unistd.h>

#define TYPE "type", "org.example.Source"

static void reopen(struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_open(stage) != PS_OK) { /* the host of the test before may be still ending */
        assert_non_null(strstr(stage->err.text, "the Java host"));
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
}

static void begin_with(struct ps_test_stage *stage, uint64_t budget_bytes)
{
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_java->events = ps_test_java->call_events = ps_test_java->large_bytes = 0;
    ps_test_java->taken = ps_test_java->refused = ps_test_java->needs = ps_test_java->needs_taken = 0;
    ps_test_java->promises = ps_test_java->promised = ps_test_java->keeps = 0;
    ps_test_java_clear();
    ps_test_stage_init_sized(stage, &ps_source_java, budget_bytes);
    assert_int_equal(ps_test_stage_bind(stage, PS_KEYS(TYPE)), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    reopen(stage);
}

static void begin(struct ps_test_stage *stage)
{
    begin_with(stage, UINT64_C(256) << 20);
}

/* One cycle of the source, which takes a millisecond. */
static void cycle(struct ps_test_stage *stage)
{
    (void)ps_test_source_work(stage);
    ps_test_stage_pass_ms(stage, 1);
    usleep(1000);
}

/* Fails the test if the source has failed, or the time is over. Otherwise returns true. */
static bool goes_on(const struct ps_test_stage *stage, uint64_t until)
{
    if (stage->failed)
        fail_msg("the source has failed: %s", stage->err.text);
    assert_true(ps_test_patient_ns() < until);
    return true;
}

#define WHILE_DOING(action, stage, condition)                                                                \
    for (uint64_t until_ = ps_test_patience_end_ns(); (condition) && goes_on(stage, until_);)                \
    action

#define WHILE(stage, condition) WHILE_DOING(cycle(stage), stage, condition)

/* Reads until the open batch, which stays open, has this number of events. */
static void fill(struct ps_test_stage *stage, uint32_t events)
{
    uint64_t until = ps_test_patience_end_ns();
    do {
        (void)goes_on(stage, until);
        (void)stage->ops->source->tick(stage->plan, stage->state, &stage->now);
        ps_test_source_read(stage);
        usleep(1000);
    } while (stage->batch->count < events);
}

static void assert_numbered(const struct ps_test_stage *stage, size_t first, size_t count)
{
    char text[32];
    assert_int_equal(stage->event_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct ps_test_event *event = &stage->events[i];
        snprintf(text, sizeof text, "event %zu", first + i);
        assert_string_equal(ps_test_event_header(event, "body"), text);
        assert_string_equal(ps_test_event_header(event, "by"), "java");
        if (event->length < 100)
            assert_string_equal(event->body, text);
    }
}
