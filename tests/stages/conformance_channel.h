/* What both suites of channels, conformance_channel_test.c and conformance_channel_durable_test.c, start with: a channel by its keys, and its
 * functions. */
#pragma once

#include "core/flow/engine_channel.h"
#include "tests/support/conformance.h"
#include "tests/support/folder.h"

#ifdef PS_TEST_PLUGIN /* tests/plugin */
#define OURS 0
#else
#define OURS 1 /* has the engine's functions, and accepts a batch while there is any room */
#endif

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16]; /* "@name" is a path in the test's folder */
    uint64_t capacity;
};

static inline struct ps_fill fill(const struct ps_test_stage *stage)
{
    struct ps_fill now = {0};
    stage->ops->channel->fill(stage->plan, &now);
    return now;
}

static inline void start(struct ps_test_stage *stage, struct adapter *adapter, unsigned producers,
                         unsigned consumers)
{
    const char *keys[PS_COUNT_OF(adapter->keys)];
    ps_test_stage_init_sized(stage, adapter->ops, UINT64_C(64) << 20);
    stage->context.producers = producers;
    stage->context.consumers = consumers;
    ps_test_place_keys(stage, adapter->keys, keys);
    if (ps_test_stage_bind(stage, keys) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    uint64_t capacity = fill(stage).capacity; /* the engine asks for it before `build`, too */
    if (!OURS && (capacity < 12 || capacity > 100))
        fail_msg("%s has a capacity of %llu events: set a key so that it has 12 to 100", adapter->ops->name,
                 (unsigned long long)capacity);
    adapter->capacity = OURS ? adapter->capacity : capacity;
    if (ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    if (stage->ops->channel->start != NULL)
        stage->ops->channel->start(stage->plan);
}

/* Returns whether a channel with this number of events may refuse a batch. */
static inline bool may_refuse(const struct adapter *adapter, uint64_t size, uint64_t events)
{
    return OURS ? size >= adapter->capacity : size + events > adapter->capacity;
}

/* Takes out the leases that its consumers have not taken. A plug-in's channel has no such function. */
static inline struct ps_lease *strip(struct ps_test_stage *stage)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    return ops->strip != NULL ? ops->strip(stage->plan) : NULL;
}

static inline enum ps_put put(struct ps_test_stage *stage, unsigned producer, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    enum ps_put result = stage->ops->channel->put(stage->plan, producer, &offered, &stage->now);
    assert_ptr_equal(offered, result == PS_PUT_FULL ? lease : NULL);
    return result;
}

static inline struct ps_lease *take(struct ps_test_stage *stage, unsigned consumer)
{
    return stage->ops->channel->take(stage->plan, consumer, &stage->port, &stage->now);
}

static inline void untake(struct ps_test_stage *stage, unsigned consumer, struct ps_lease *lease)
{
    stage->ops->channel->untake(stage->plan, consumer, &lease);
    assert_null(lease);
}
