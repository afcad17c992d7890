/* For the tests of the spillable memory channel. */
#pragma once

#include "core/flow/engine_channel.h"
#include "core/flow/window.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <time.h>

#define OPS (ps_channel_spillablememory.channel)

struct setting {
    unsigned memory_events, overflow_events, timeout_s, producers, consumers;
};

static inline void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static inline struct ps_fill fill_of(const struct ps_test_stage *stage)
{
    struct ps_fill fill;
    OPS->fill(stage->plan, &fill);
    return fill;
}

static inline void start(struct ps_test_stage *stage, const struct setting *setting)
{
    static char memory[32], overflow[32], timeout[32], state[512], data[512];
    snprintf(memory, sizeof memory, "%u", setting->memory_events);
    snprintf(overflow, sizeof overflow, "%u", setting->overflow_events);
    snprintf(timeout, sizeof timeout, "%u", setting->timeout_s);
    snprintf(state, sizeof state, "%s/state", ps_test_folder());
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    ps_test_stage_init_sized(stage, &ps_channel_spillablememory, UINT64_C(64) << 20);
    stage->context.producers = setting->producers;
    stage->context.consumers = setting->consumers;
    const char *keys[] = {"memoryCapacity",
                          memory,
                          "overflowCapacity",
                          overflow,
                          "overflowTimeout",
                          timeout,
                          "checkpointDir",
                          state,
                          "dataDirs",
                          data,
                          "transactionCapacity",
                          "1",
                          NULL};
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
    OPS->start(stage->plan);
}

/* Releases the channel's own batches, which are the durable queue's, on the consumer's worker. */
static inline void leave(struct ps_test_stage *stage, unsigned consumer, void *plan)
{
    size_t home = stage->home_count;
    OPS->leave(plan, consumer, &stage->port);
    for (size_t i = home; i < stage->home_count; i++)
        ps_window_release(stage->home[i]);
    stage->home_count = home;
}

static inline void stop(struct ps_test_stage *stage, const struct setting *setting)
{
    for (unsigned i = 0; i < setting->consumers; i++)
        leave(stage, i, stage->plan);
    for (struct ps_lease *lease = OPS->engine->strip(stage->plan); lease != NULL; lease = lease->next)
        assert_int_equal(lease->settled, lease->count);
    ps_test_stage_fini(stage);
}

/* A lease of two events with the same body, as a test writes it: "2:17" is the 17th of producer 2. */
static inline struct ps_lease *lease_of(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "name", "value"), PS_BODY(body));
    lease->required = true;
    return lease;
}

static inline void put(struct ps_test_stage *stage, unsigned producer, const char *body)
{
    struct ps_lease *lease = lease_of(stage, body);
    for (unsigned i = 0; OPS->put(stage->plan, producer, &lease, &stage->now) == PS_PUT_FULL; i++) {
        assert_true(i < 10000);
        rest(); /* the log is not open yet, or the channel pauses */
        ps_test_stage_pass_ms(stage, 1);
        OPS->tick(stage->plan, producer, &stage->port, &stage->now);
    }
}

static inline bool is_of_disk(const struct ps_lease *lease)
{
    return ps_batch_home(lease->batch)->window != NULL;
}

static inline void deliver(struct ps_test_stage *stage, unsigned consumer, struct ps_lease *lease, void *plan)
{
    bool disk = is_of_disk(lease);
    struct ps_lease *going = lease;
    OPS->done(plan, consumer, &going, &stage->port);
    assert_null(going);
    if (!disk)
        return;
    stage->home_count--;
    ps_window_release(lease);
}

static inline const char *body_of(struct ps_test_stage *stage, const struct ps_lease *lease)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, 0);
    return ps_arena_format(stage->arena, "%.*s", (int)event.length, event.body);
}
