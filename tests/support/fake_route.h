/* Runs a selector without the engine. One file of a test includes it: it defines its own `struct ps_route`
 * and ps_route functions, so the program must not link the engine's runners. */
#pragma once

#include "tests/support/stage.h"

#define PS_TEST_CHANNELS_MAX 16

enum ps_test_way { PS_WAY_NONE, PS_WAY_REQUIRED, PS_WAY_OPTIONAL };

struct ps_route {
    size_t channel_count;
    struct {
        bool all;
        uint32_t count;
        uint16_t rows[PS_BATCH_EVENTS_MAX];
    } slots[2 * PS_TEST_CHANNELS_MAX];
};

void ps_route_all(struct ps_route *route, unsigned channel, bool required)
{
    assert_true(channel < route->channel_count);
    size_t slot = 2 * (size_t)channel + !required;
    assert_false(route->slots[slot].all);
    route->slots[slot].all = true;
}

void ps_route_row(struct ps_route *route, unsigned channel, bool required, uint16_t row)
{
    assert_true(channel < route->channel_count);
    size_t slot = 2 * (size_t)channel + !required;
    uint32_t count = route->slots[slot].count;
    assert_true(count < PS_BATCH_EVENTS_MAX);
    assert_true(count == 0 || route->slots[slot].rows[count - 1] < row); /* in order */
    route->slots[slot].rows[count] = row;
    route->slots[slot].count++;
}

void ps_route_ways(struct ps_route *route, const struct ps_way *ways, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ps_route_row(route, ways[i].slot / 2, ways[i].slot % 2 == 0, ways[i].row);
}

void ps_route_positions(struct ps_route *route, unsigned channel, bool required, const struct ps_lease *lease,
                        uint32_t from, uint32_t to)
{
    assert_true(to <= lease->count);
    for (uint32_t position = from; position < to; position++)
        ps_route_row(route, channel, required, ps_lease_row(lease, position));
}

/* Calls the selector's `work` once on the chain's lease. The caller frees the route. */
static __attribute__((unused)) struct ps_route *ps_test_selector_work(struct ps_test_stage *stage,
                                                                      struct ps_lease *lease)
{
    struct ps_route *route = calloc(1, sizeof *route);
    assert_non_null(route);
    assert_true(stage->context.channels.count <= PS_TEST_CHANNELS_MAX);
    route->channel_count = stage->context.channels.count;
    assert_int_equal(stage->ops->selector->work(stage->plan, stage->state, lease, route, &stage->now),
                     PS_DONE);
    return route;
}

/* Returns how the event at a position of the lease is routed to a channel. Fails the test when it is routed
 * both as required and as optional, or twice. */
static enum ps_test_way ps_test_route_way(const struct ps_route *route, const struct ps_lease *lease,
                                          uint32_t position, unsigned channel)
{
    unsigned times[2] = {0, 0};
    for (size_t optional = 0; optional < 2; optional++) {
        size_t slot = 2 * (size_t)channel + optional;
        times[optional] += route->slots[slot].all;
        for (uint32_t i = 0; i < route->slots[slot].count; i++)
            times[optional] += route->slots[slot].rows[i] == ps_lease_row(lease, position);
    }
    assert_true(times[0] + times[1] <= 1);
    return times[0] ? PS_WAY_REQUIRED : times[1] ? PS_WAY_OPTIONAL : PS_WAY_NONE;
}

static __attribute__((unused)) void ps_test_route_free(struct ps_route *route)
{
    free(route);
}
