/* What happens to a closed batch between its source and its channels: interceptors in order, the selector,
 * and one lease for each channel chosen. Plain calls on the source's worker. After PS_LATER the chain
 * resumes at the same interceptor. */
#include <stdlib.h>
#include <string.h>

#include "core/engine/runner.h"

struct route_slot {
    uint16_t *rows;
    uint32_t count;
    bool all;
};

struct ps_route {
    size_t slot_count; /* 2 * channels: required, optional */
    uint64_t routed[PS_BATCH_EVENTS_MAX / 64];
    struct route_slot slots[];
};

struct ps_route *ps_route_create(size_t channel_count)
{
    struct ps_route *route =
        ps_must_alloc(1, sizeof *route + 2 * channel_count * sizeof route->slots[0], "a selector's routes");
    route->slot_count = 2 * channel_count;
    for (size_t i = 0; i < route->slot_count; i++) {
        route->slots[i].rows = ps_must_alloc(PS_BATCH_EVENTS_MAX, sizeof(uint16_t), "a selector's routes");
    }
    return route;
}

void ps_route_destroy(struct ps_route *route)
{
    if (route == NULL)
        return;
    for (size_t i = 0; i < route->slot_count; i++)
        free(route->slots[i].rows);
    free(route);
}

void ps_route_clear(struct ps_route *route)
{
    memset(route->routed, 0, sizeof route->routed);
    for (size_t i = 0; i < route->slot_count; i++) {
        route->slots[i].count = 0;
        route->slots[i].all = false;
    }
}

void ps_route_all(struct ps_route *route, unsigned channel, bool required)
{
    size_t slot = 2 * (size_t)channel + (required ? 0 : 1);
    PS_ASSERT(slot < route->slot_count);
    route->slots[slot].all = true;
    memset(route->routed, 0xFF, sizeof route->routed);
}

void ps_route_row(struct ps_route *route, unsigned channel, bool required, uint16_t row)
{
    size_t number = 2 * (size_t)channel + (required ? 0 : 1);
    PS_ASSERT(number < route->slot_count && row < PS_BATCH_EVENTS_MAX);
    struct route_slot *slot = &route->slots[number];
    if (slot->count > 0 && slot->rows[slot->count - 1] == row)
        return;
    PS_ASSERT(slot->count < PS_BATCH_EVENTS_MAX);
    slot->rows[slot->count++] = row;
    route->routed[row / 64] |= UINT64_C(1) << (row % 64);
}

void ps_route_ways(struct ps_route *route, const struct ps_way *ways, uint32_t count)
{
    uint64_t bits = 0;
    uint32_t word = 0; /* of `routed`; neighbours are mostly in the same one */
    for (uint32_t i = 0; i < count; i++) {
        struct ps_way way = ways[i];
        PS_ASSERT(way.slot < route->slot_count && way.row < PS_BATCH_EVENTS_MAX);
        struct route_slot *slot = &route->slots[way.slot];
        if (slot->count > 0 && slot->rows[slot->count - 1] == way.row)
            continue;
        PS_ASSERT(slot->count < PS_BATCH_EVENTS_MAX);
        slot->rows[slot->count++] = way.row;
        if (way.row / 64 != word) {
            route->routed[word] |= bits;
            bits = 0;
            word = way.row / 64;
        }
        bits |= UINT64_C(1) << (way.row % 64);
    }
    route->routed[word] |= bits;
}

void ps_route_positions(struct ps_route *route, unsigned channel, bool required, const struct ps_lease *lease,
                        uint32_t from, uint32_t to)
{
    size_t number = 2 * (size_t)channel + (required ? 0 : 1);
    struct route_slot *slot = &route->slots[number];
    if (from >= to)
        return;
    PS_ASSERT(number < route->slot_count && to <= lease->count &&
              slot->count + (to - from) <= PS_BATCH_EVENTS_MAX);
    uint16_t *rows = slot->rows + slot->count;
    for (uint32_t position = from; position < to; position++)
        rows[position - from] = ps_lease_row(lease, position);
    slot->count += to - from;
    for (uint32_t i = 0; i < to - from; i++)
        route->routed[rows[i] / 64] |= UINT64_C(1) << (rows[i] % 64);
}

bool ps_route_has(const struct ps_route *route, unsigned channel, bool required, uint16_t row)
{
    size_t number = 2 * (size_t)channel + (required ? 0 : 1);
    PS_ASSERT(number < route->slot_count);
    const struct route_slot *slot = &route->slots[number];
    uint32_t from = 0, to = slot->count; /* rows are in order */
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (slot->rows[middle] < row)
            from = middle + 1;
        else
            to = middle;
    }
    return slot->all || (from < slot->count && slot->rows[from] == row);
}

static uint32_t route_dropped(const struct ps_route *route, const struct ps_lease *chain)
{
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < chain->count; i++) {
        uint16_t row = ps_lease_row(chain, i);
        dropped += ((route->routed[row / 64] >> (row % 64)) & 1) == 0;
    }
    return dropped;
}

/* Makes the leases of one batch, all or none: when memory is short it is tried again from the start. */
static bool chain_split(struct ps_source_runner *runner)
{
    struct ps_route *route = runner->route;
    struct ps_lease *chain = runner->chain;
    uint16_t before = chain->batch->lease_count;
    for (size_t i = 0; i < route->slot_count; i++) {
        struct route_slot *slot = &route->slots[i];
        runner->pending[i] = NULL;
        if (!slot->all && slot->count == 0)
            continue;
        struct ps_lease *lease = ps_lease_split(chain, slot->all ? NULL : slot->rows, slot->count);
        if (lease == NULL) {
            chain->batch->lease_count = before;
            memset(runner->pending, 0, route->slot_count * sizeof(struct ps_lease *));
            return false;
        }
        lease->channel = (uint16_t)runner->plan->spec->channels[i / 2];
        lease->promise = i % 2 == 0;
        runner->pending[i] = lease;
    }
    for (size_t i = 0; i < route->slot_count; i++) {
        if (runner->pending[i] != NULL)
            ps_window_hold(chain->batch, runner->pending[i]->promise);
    }
    return true;
}

static bool run_interceptors(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_spec *spec = runner->plan->spec;
    for (; runner->chain_stage < spec->interceptor_count; runner->chain_stage++) {
        struct ps_link *link = &runner->interceptors[runner->chain_stage];
        uint32_t before = runner->chain->count;
        if (before == 0)
            return true;
        enum ps_result result =
            link->spec->ops->interceptor->work(link->spec->plan, link->state, runner->chain, now);
        if (before > runner->chain->count)
            ps_count(runner->base.counters, PS_COUNTER_dropped, before - runner->chain->count);
        if (result != PS_DONE)
            return false;
    }
    return true;
}

/* Calls the selector once. When there is no memory for the leases, only making them is tried again, because
 * the selector must not count and set things twice. */
static bool run_selector(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_spec *selector = runner->selector.spec;
    if (runner->chain_stage > runner->plan->spec->interceptor_count)
        return true;
    ps_route_clear(runner->route);
    if (selector->ops->selector->work(selector->plan, runner->selector.state, runner->chain, runner->route,
                                      now) != PS_DONE)
        return false;
    runner->chain_stage = runner->plan->spec->interceptor_count + 1;
    return true;
}

bool ps_chain_run(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (!run_interceptors(runner, now))
        return false;
    if (runner->chain->count == 0) {
        ps_route_clear(runner->route);
        return true;
    }
    if (!run_selector(runner, now) || !chain_split(runner))
        return false;
    uint32_t dropped = route_dropped(runner->route, runner->chain);
    if (dropped > 0)
        ps_count(runner->base.counters, PS_COUNTER_dropped, dropped);
    return true;
}
