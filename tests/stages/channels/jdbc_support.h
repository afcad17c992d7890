/* The channel jdbc with SQLite, in a folder of the test: functions to start it, put, take, and stop it. */
#pragma once

#include <stdlib.h>
#include <time.h>

#include "core/flow/engine_channel.h"
#include "core/flow/window.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

static char url[640];

static inline void start_named(struct ps_test_stage *stage, const char *name, const char *const *keys)
{
    ps_test_stage_init_sized(stage, &ps_channel_jdbc, UINT64_C(64) << 20);
    stage->context.producers = stage->context.consumers = 1;
    stage->context.name = name;
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
    stage->ops->channel->start(stage->plan);
}

static inline void start(struct ps_test_stage *stage)
{
    start_named(stage, "c1", PS_KEYS("driver.url", url));
}

static inline void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static inline struct ps_lease *put(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    for (unsigned i = 0; stage->ops->channel->put(stage->plan, 0, &offered, &stage->now) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    return lease;
}

static inline struct ps_lease *take(struct ps_test_stage *stage)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0;
         (lease = stage->ops->channel->take(stage->plan, 0, &stage->port, &stage->now)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    return lease;
}

static inline void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *going = lease;
    size_t home = stage->home_count;
    stage->ops->channel->done(stage->plan, 0, &going, &stage->port);
    stage->home_count = home;
    ps_window_release(lease);
}

static inline void stop(struct ps_test_stage *stage)
{
    size_t home = stage->home_count;
    stage->ops->channel->leave(stage->plan, 0, &stage->port);
    for (size_t i = home; i < stage->home_count; i++)
        ps_window_release(stage->home[i]);
    stage->home_count = home;
    (void)stage->ops->channel->engine->strip(stage->plan);
    ps_test_stage_fini(stage);
}

static inline int set_up(void **state)
{
    int status = ps_test_folder_setup(state);
    snprintf(url, sizeof url, "jdbc:sqlite:%s", ps_test_folder_path("db"));
    return status;
}

/* Returns a text that repeats `unit`, which may have several bytes, `chars` times. */
static inline char *text_of(unsigned chars, const char *unit)
{
    char *text = calloc(chars + 1, 4), *to = text;
    for (unsigned i = 0; i < chars; i++)
        to = stpcpy(to, unit);
    return text;
}

static inline void check_event(struct ps_test_stage *stage, struct ps_lease *lease, uint32_t at,
                               const struct ps_test_event *expected)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, at);
    assert_int_equal(event.length, expected->length);
    assert_memory_equal(event.body, expected->body, event.length);
    assert_int_equal(ps_test_event_header_count(&event), ps_test_event_header_count(expected));
    for (size_t i = 0; expected->headers != NULL && expected->headers[i] != NULL; i += 2)
        assert_string_equal(ps_test_event_header(&event, expected->headers[i]), expected->headers[i + 1]);
}
