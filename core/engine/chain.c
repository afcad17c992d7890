/* The chain: a closed batch passes interceptors in order and the selector, and gets one lease for each channel
 * chosen. Plain calls on the source's worker. After PS_LATER the chain resumes at the same interceptor. */
#include <stdlib.h>
#include <string.h>

#include "core/engine/runner.h"
#include "core/engine/worker.h"
#include "core/stage_call.h"

/* Memory that a batch may use after its chain. The shares of the budget (core/engine/plan.c) assume about this much. */
#define BATCH_BYTES_MAX (PS_BATCH_FILL_BYTES + 2 * PS_BLOCK_BYTES)
/* Rows of the first batch of a source with interceptors. */
#define ROWS_FIRST 64U
/* The time for which a chain waits for memory before it goes beyond the budget. */
#define CHAIN_WAIT_NS PS_NS_PER_S

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
    /* `bits` has the bits of this word of `routed`: successive rows are mostly in one word */
    uint32_t word = 0;
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
    uint32_t from = 0, to = slot->count; /* binary search: the rows are in ascending order */
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (slot->rows[middle] < row)
            from = middle + 1;
        else
            to = middle;
    }
    return slot->all || (from < slot->count && slot->rows[from] == row);
}

/* Counts the chain's rows that go to no channel. Only rows of the chain are routed. */
static uint32_t route_dropped(const struct ps_route *route, const struct ps_lease *chain)
{
    uint32_t routed = 0;
    for (size_t i = 0; i < route->slot_count; i++) {
        if (route->slots[i].all)
            return 0;
    }
    for (size_t i = 0; i < PS_COUNT_OF(route->routed); i++)
        routed += (uint32_t)__builtin_popcountll(route->routed[i]);
    PS_ASSERT(routed <= chain->count);
    return chain->count - routed;
}

/* Returns whether a sink of this slot's channel commits the batch's positions, so that it gets a lease even
 * without events. */
static bool slot_commits(const struct ps_source_runner *runner, size_t slot)
{
    return slot % 2 == 0 && runner->chain.lease->batch->span_count > 0 &&
           runner->channels[runner->plan->spec->channels[slot / 2]].commits;
}

/* Makes the leases of one batch. When memory is short it keeps the leases already made, and makes the others when it
 * is called again. */
static bool chain_split(struct ps_source_runner *runner)
{
    struct ps_route *route = runner->route;
    struct ps_lease *chain = runner->chain.lease;
    for (size_t i = 0; i < route->slot_count; i++) {
        struct route_slot *slot = &route->slots[i];
        if (runner->pending[i] != NULL || (!slot->all && slot->count == 0 && !slot_commits(runner, i)))
            continue;
        struct ps_lease *lease = ps_lease_split(chain, slot->all ? NULL : slot->rows, slot->count);
        if (lease == NULL)
            return false;
        struct ps_lease_home *home = ps_lease_home(lease);
        home->channel = (uint16_t)runner->plan->spec->channels[i / 2];
        lease->required = i % 2 == 0;
        home->owed = lease->required && ps_source_runner_waits_for(runner, &runner->channels[home->channel]);
        lease->refusable = ps_source_runner_refuses(runner);
        lease->promised = chain->batch->promised;
        runner->pending[i] = lease;
    }
    for (size_t i = 0; i < route->slot_count; i++) {
        if (runner->pending[i] != NULL)
            ps_window_hold(chain->batch, ps_lease_home(runner->pending[i])->owed);
    }
    return true;
}

/* Returns the links through which the current batch goes. */
static struct ps_links *links_of(const struct ps_source_runner *runner)
{
    return PS_UNLIKELY(runner->old_links != NULL) ? runner->old_links : runner->links;
}

/* Notes whether an interceptor cannot handle the batch now, or waits for a process that is down. */
static void note_rest(struct ps_source_runner *runner, bool fails, bool is_down, const struct ps_now *now)
{
    runner->chain.fails = fails;
    runner->chain.rests = fails || is_down;
    if (PS_UNLIKELY(runner->chain.rests) && runner->chain.failed_ns == 0)
        runner->chain.failed_ns = now->mono_ns;
}

static bool run_interceptors(struct ps_source_runner *runner, struct ps_links *links,
                             const struct ps_now *now)
{
    for (; runner->chain.stage < links->interceptor_count; runner->chain.stage++) {
        struct ps_link *link = &links->interceptors[runner->chain.stage];
        if (PS_UNLIKELY(runner->chain.halves) && !ps_source_runner_halve(runner))
            return false;
        uint32_t before = runner->chain.lease->count;
        if (before == 0)
            return true;
        ps_worker_enter(runner->base.worker, link->spec->component);
        enum ps_result result =
            link->spec->ops->interceptor->work(link->spec->plan, link->state, runner->chain.lease, now);
        if (before > runner->chain.lease->count)
            ps_count(runner->base.counters, PS_COUNTER_dropped, before - runner->chain.lease->count);
        note_rest(runner, result == PS_BACKOFF, result == PS_LATER && link->port.is_down, now);
        if (result == PS_DONE)
            runner->chain.failed_ns = 0;
        if (PS_UNLIKELY(link->port.is_too_large))
            ps_source_runner_too_large(runner, &link->port);
        if (result != PS_DONE)
            return false;
        ps_tap_offer(link->tap, runner->chain.lease);
    }
    return true;
}

/* Calls the selector once. When there is no memory for the leases, a later call only makes the leases, because the
 * selector must not count events or set headers twice. */
static bool run_selector(struct ps_source_runner *runner, struct ps_links *links, const struct ps_now *now)
{
    const struct ps_stage_spec *selector = links->selector.spec;
    if (runner->chain.stage > links->interceptor_count)
        return true;
    ps_route_clear(runner->route);
    ps_worker_enter(runner->base.worker, selector->component);
    if (selector->ops->selector->work(selector->plan, links->selector.state, runner->chain.lease,
                                      runner->route, now) != PS_DONE)
        return false;
    runner->chain.stage = links->interceptor_count + 1;
    return true;
}

static bool run_rest(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_links *links = links_of(runner);
    bool routed = run_interceptors(runner, links, now);
    if (routed && runner->chain.lease->count == 0) {
        ps_route_clear(runner->route);
        /* a batch with positions only: its leases go to the sinks that commit the positions */
        return chain_split(runner);
    }
    routed = routed && run_selector(runner, links, now) && chain_split(runner);
    ps_worker_enter(runner->base.worker, runner->base.spec->component);
    if (!routed)
        return false;
    uint32_t dropped = route_dropped(runner->route, runner->chain.lease);
    if (dropped > 0)
        ps_count(runner->base.counters, PS_COUNTER_dropped, dropped);
    return true;
}

uint32_t ps_chain_rows_max(const struct ps_source_runner *runner)
{
    uint32_t rows = runner->rows_max;
    if (rows == 0)
        rows = links_of(runner)->interceptor_count > 0 ? ROWS_FIRST : PS_BATCH_EVENTS_MAX;
    return rows < runner->plan->batch_events_max ? rows : runner->plan->batch_events_max;
}

static void set_rows_max(struct ps_source_runner *runner, uint64_t rows)
{
    runner->rows_max = rows > 0 ? (uint32_t)rows : 1;
}

/* Interceptors may make each event many times longer, or make many events of each. Batches that grow must have fewer
 * events: if several sources fill the budget with batches that are half done, none is ever finished. */
static void adapt_rows(struct ps_source_runner *runner)
{
    const struct ps_batch *batch = runner->chain.lease->batch;
    const struct ps_batch_home *home = ps_batch_home(batch);
    uint64_t bytes = home->meta_bytes + home->bytes_bytes + home->own_bytes;
    uint32_t read = home->read_count;
    if (bytes > BATCH_BYTES_MAX)
        set_rows_max(runner, read * PS_BATCH_FILL_BYTES / bytes);
    else if (batch->count > read && 2 * batch->count > PS_BATCH_EVENTS_MAX)
        set_rows_max(runner, UINT64_C(1) * read * (PS_BATCH_EVENTS_MAX / 2) / batch->count);
    else if (read >= ps_chain_rows_max(runner) && 2 * bytes <= PS_BATCH_FILL_BYTES)
        set_rows_max(runner, UINT64_C(2) * ps_chain_rows_max(runner));
}

void ps_chain_fewer_rows(struct ps_source_runner *runner)
{
    set_rows_max(runner, ps_batch_home(runner->chain.lease->batch)->read_count / 2);
}

uint64_t ps_chain_tick(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_links *const chains[] = {runner->old_links, runner->links};
    uint64_t due_ns = PS_NEVER;
    for (size_t i = 0; i < PS_COUNT_OF(chains); i++) {
        const struct ps_links *links = chains[i];
        if (links == NULL || !links->open || PS_LIKELY(!links->ticks))
            continue;
        for (size_t k = 0; k < links->interceptor_count; k++) {
            const struct ps_link *link = &links->interceptors[k];
            const struct ps_interceptor_ops *ops = link->spec->ops->interceptor;
            uint64_t at_ns = ops->tick != NULL ? ops->tick(link->spec->plan, link->state, now) : PS_NEVER;
            due_ns = at_ns < due_ns ? at_ns : due_ns;
        }
    }
    return due_ns;
}

/* A batch waits for a chain that is not open, as if its first interceptor failed. */
static bool fail_closed(struct ps_source_runner *runner, const struct ps_now *now)
{
    note_rest(runner, true, false, now);
    return false;
}

/* A chain that waits for memory while nothing is freed gets memory beyond the budget, as much as one batch may have:
 * batches that are half done would wait for each other for ever. */
bool ps_chain_run(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (PS_UNLIKELY(!links_of(runner)->open)) /* a reload could not open it */
        return fail_closed(runner, now);
    struct ps_block_cache *cache = runner->base.port.blocks;
    uint64_t refused = cache->refused_count;
    bool overdraft = runner->chain.wait_ns > 0 && now->mono_ns - runner->chain.wait_ns >= CHAIN_WAIT_NS;
    cache->overdraft = overdraft;
    bool done = run_rest(runner, now);
    if (overdraft)
        ps_log(PS_LOG_WARN, runner->base.spec->component,
               "the interceptors use memory beyond the budget: raise penstock.memory.budget or -Xmx");
    cache->overdraft = false;
    bool refused_now = cache->refused_count != refused;
    if (done || (!overdraft && !refused_now))
        runner->chain.wait_ns = 0;
    else if (runner->chain.wait_ns == 0)
        runner->chain.wait_ns = now->mono_ns;
    if (done)
        adapt_rows(runner);
    return done;
}

/* ---- the links ---- */

static void link_init(struct ps_link *link, const struct ps_stage_spec *spec, const struct ps_port *port,
                      struct ps_chain_share *chain)
{
    link->spec = spec;
    link->port = *port;
    link->port.component = spec->component;
    link->port.name = spec->name;
    link->port.epoll_fd = -1;
    link->port.chain = chain;
    link->state = ps_must_alloc(1, spec->ops->state_size, spec->component);
}

struct ps_links *ps_links_create(struct ps_source_runner *runner, const struct ps_source_spec *spec)
{
    const char *component = runner->base.spec->component;
    struct ps_links *links = ps_must_alloc(1, sizeof *links, component);
    links->interceptor_count = spec->interceptor_count;
    links->interceptors = ps_must_alloc(spec->interceptor_count, sizeof *links->interceptors, component);
    for (size_t i = 0; i < spec->interceptor_count; i++) {
        link_init(&links->interceptors[i], &spec->interceptors[i], &runner->base.port, &links->share);
        links->interceptors[i].tap = ps_tap_create();
        links->ticks |= spec->interceptors[i].ops->interceptor->tick != NULL;
    }
    link_init(&links->selector, &spec->selector, &runner->base.port, &links->share);
    return links;
}

void ps_links_destroy(struct ps_links *links)
{
    if (links == NULL)
        return;
    for (size_t i = 0; i < links->interceptor_count; i++) {
        free(links->interceptors[i].state);
        ps_tap_destroy(links->interceptors[i].tap);
    }
    free(links->interceptors);
    free(links->selector.state);
    free(links);
}

/* ---- opening ---- */

/* On failure the source has failed: the engine does not open it, or closes an open one at its next turn. */
static bool link_open(struct ps_runner *base, struct ps_link *link, const struct ps_now *now)
{
    struct ps_err err = {0};
    const struct ps_stage_ops *ops = link->spec->ops;
    memset(link->state, 0, ops->state_size);
    link->port.dead_letter_queue = base->port.dead_letter_queue;
    if (ps_stage_open(ops, link->spec->plan, link->state, &link->port, &err) == PS_OK)
        return true;
    if (ps_runner_has_stage(base))
        ps_port_failed(&link->port, &err);
    else
        ps_runner_fail(base, link->spec, &err, now);
    return false;
}

static void link_close(struct ps_link *link)
{
    if (link->spec->ops->close != NULL)
        link->spec->ops->close(link->spec->plan, link->state);
}

/* Closes the selector and the first `interceptors` of the interceptors. */
static void links_close(struct ps_links *links, size_t interceptors, bool selector)
{
    if (selector)
        link_close(&links->selector);
    while (interceptors-- > 0)
        link_close(&links->interceptors[interceptors]);
    if (links->share.value != NULL)
        links->share.destroy(links->share.value);
    links->share = (struct ps_chain_share){.value = NULL};
    links->open = false;
}

bool ps_chain_open(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_links *links = runner->links;
    size_t opened = 0;
    while (opened < links->interceptor_count && link_open(&runner->base, &links->interceptors[opened], now))
        opened++;
    links->open = opened == links->interceptor_count && link_open(&runner->base, &links->selector, now);
    if (!links->open)
        links_close(links, opened, false);
    return links->open;
}

void ps_chain_close(struct ps_source_runner *runner)
{
    struct ps_links *const chains[] = {runner->old_links, runner->links};
    for (size_t i = 0; i < PS_COUNT_OF(chains); i++) {
        if (chains[i] != NULL && chains[i]->open)
            links_close(chains[i], chains[i]->interceptor_count, true);
    }
}

void ps_chain_exchange(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_links *old = runner->old_links;
    bool was_open = old->open;
    ps_chain_close(runner);
    runner->old_links = NULL;
    ps_links_destroy(old);
    runner->rows_max = 0;
    if (was_open && !ps_chain_open(runner, now))
        runner->reopen_ns = now->mono_ns + PS_OPEN_RETRY_NS;
}
