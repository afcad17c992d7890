/* Runs one source on one worker: fills its open batch, closes it when it is full or when a consumer is
 * hungry, sends it down the chain and puts its leases, and answers the source when all required channels took
 * them. One closed batch is under way at a time, which keeps the order in every channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/engine/worker.h"

#define CALLS_PER_CYCLE 8U /* of work; so that sinks on the same worker get their turn */
/* No further call of `work` in a cycle after so long, however expensive a batch is (thousands of rules). */
#define CALLS_NS (PS_NS_PER_MS / 5)
/* When a source that found the budget used up tries again: another worker may have freed blocks. Without a
 * batch it tries sooner at first: after as long as it has waited already. */
#define MEMORY_WAIT_MIN_NS (2 * PS_NS_PER_MS)
#define MEMORY_LOOK_NS (10 * PS_NS_PER_MS)

static const struct ps_source_ops *ops_of(const struct ps_source_runner *runner)
{
    return runner->base.spec->ops->source;
}

static void source_deliver(void *argument, struct ps_batch *batch)
{
    struct ps_source_runner *runner = argument;
    if (ops_of(runner)->delivered != NULL && ps_runner_is_open(&runner->base))
        ops_of(runner)->delivered(runner->base.spec->plan, runner->base.state, batch,
                                  ps_worker_now(runner->base.worker));
}

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

struct ps_source_runner *ps_source_runner_create(struct ps_worker *worker, struct ps_plan *plan,
                                                 size_t source, unsigned instance)
{
    struct ps_source_plan *source_plan = &plan->sources[source];
    const struct ps_source_spec *spec = source_plan->spec;
    struct ps_source_runner *runner = ps_must_alloc(1, sizeof *runner, spec->stage.component);
    ps_runner_init(&runner->base, worker, &spec->stage, instance, source_plan->instance_count);
    runner->plan = source_plan;
    runner->channels = plan->channels;
    runner->producers = &source_plan->producers[instance * spec->channel_count];
    runner->batch_events = ps_must_alloc(1, sizeof *runner->batch_events, spec->stage.component);
    runner->route = ps_route_create(spec->channel_count);
    runner->pending =
        ps_must_alloc(2 * spec->channel_count, sizeof(struct ps_lease *), spec->stage.component);
    runner->interceptors =
        ps_must_alloc(spec->interceptor_count, sizeof *runner->interceptors, spec->stage.component);
    for (size_t i = 0; i < spec->interceptor_count; i++)
        link_init(&runner->interceptors[i], &spec->interceptors[i], &runner->base.port, &runner->chain_share);
    link_init(&runner->selector, &spec->selector, &runner->base.port, &runner->chain_share);
    ps_carver_init(&runner->carver, ps_worker_pool(worker));
    bool replayable = spec->stage.ops->source->needs > PS_LEVEL_ACCEPTED;
    runner->window = ps_window_create(ps_pool_limits(ps_worker_pool(worker))->batches_max,
                                      replayable ? source_deliver : NULL, runner);
    return runner;
}

void ps_source_runner_destroy(struct ps_source_runner *runner)
{
    for (size_t i = 0; i < runner->plan->spec->interceptor_count; i++)
        free(runner->interceptors[i].state);
    free(runner->selector.state);
    free(runner->interceptors);
    free(runner->pending);
    ps_route_destroy(runner->route);
    free(runner->batch_events);
    ps_runner_fini(&runner->base);
    free(runner);
}

/* ---- opening ---- */

/* On failure it sets the error of the source, which then is not opened. */
static bool link_open(struct ps_runner *base, struct ps_link *link, const struct ps_now *now)
{
    struct ps_err err = {0};
    const struct ps_stage_ops *ops = link->spec->ops;
    memset(link->state, 0, ops->state_size);
    if (ops->open == NULL || ops->open(link->spec->plan, link->state, &link->port, &err) == PS_OK)
        return true;
    ps_runner_fail(base, link->spec, &err, now);
    return false;
}

static void link_close(struct ps_link *link)
{
    if (link->spec->ops->close != NULL)
        link->spec->ops->close(link->spec->plan, link->state);
}

static void links_close(struct ps_source_runner *runner, size_t interceptors, bool selector)
{
    if (selector)
        link_close(&runner->selector);
    while (interceptors-- > 0)
        link_close(&runner->interceptors[interceptors]);
    if (runner->chain_share.value != NULL)
        runner->chain_share.destroy(runner->chain_share.value);
    runner->chain_share = (struct ps_chain_share){.value = NULL};
}

/* Opens the chain before the source, because the source may have input at once. */
static bool source_open(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_runner *base = &runner->base;
    if (PS_LIKELY(base->status == PS_RUNNER_OPEN))
        return true;
    if (base->status == PS_RUNNER_FAILED && now->mono_ns < base->retry_ns)
        return false;
    size_t opened = 0, count = runner->plan->spec->interceptor_count;
    while (opened < count && link_open(base, &runner->interceptors[opened], now))
        opened++;
    bool selector = opened == count && link_open(base, &runner->selector, now);
    if (!selector) {
        links_close(runner, opened, false);
        return false;
    }
    if (!ps_runner_open(base, now)) {
        links_close(runner, count, true);
        return false;
    }
    runner->watched = false;
    return true;
}

/* Whether the worker wakes when the source's epoll is readable: not while a channel is full, because the
 * worker would spin. Changing what an epoll waits for cannot fail. */
static void source_watch(struct ps_source_runner *runner, bool watch)
{
    if (runner->watched == watch || runner->base.port.epoll_fd < 0)
        return;
    struct epoll_event event = {.events = watch ? EPOLLIN : 0};
    int changed =
        epoll_ctl(ps_worker_epoll_fd(runner->base.worker), EPOLL_CTL_MOD, runner->base.port.epoll_fd, &event);
    PS_ASSERT(changed == 0);
    runner->watched = watch;
}

static void wake_at(struct ps_source_runner *runner, uint64_t mono_ns)
{
    if (mono_ns < runner->base.deadline_ns)
        runner->base.deadline_ns = mono_ns;
}

/* ---- putting ---- */

static void source_wait(struct ps_source_runner *runner, bool wait, const struct ps_now *now)
{
    if (runner->waiting == wait)
        return;
    if (wait)
        runner->waiting_since_ns = now->mono_ns;
    else
        ps_count(runner->base.counters, PS_COUNTER_blocked_ns, now->mono_ns - runner->waiting_since_ns);
    runner->waiting = wait;
    if (ops_of(runner)->paused != NULL)
        ops_of(runner)->paused(runner->base.spec->plan, runner->base.state, wait, now);
}

static void drop_optional(struct ps_source_runner *runner, struct ps_lease **pending)
{
    ps_count(runner->base.counters, PS_COUNTER_dropped, (*pending)->count);
    ps_window_release(*pending);
    *pending = NULL;
}

/* Tries to put every lease that is not put yet. Returns true when none is left. */
static bool put_pending(struct ps_source_runner *runner, const struct ps_now *now)
{
    size_t slots = 2 * runner->plan->spec->channel_count;
    bool all = true;
    for (size_t i = 0; i < slots; i++) {
        struct ps_lease *lease = runner->pending[i];
        if (lease == NULL)
            continue;
        struct ps_channel_plan *channel = &runner->channels[lease->channel];
        unsigned producer = runner->producers[i / 2];
        struct ps_counters *counters = &channel->counters[producer];
        uint32_t count = lease->count;
        if (!runner->waiting)
            ps_count(counters, PS_COUNTER_EventPutAttemptCount, count);
        if (channel->spec->stage.ops->channel->put(channel->spec->stage.plan, producer, &runner->pending[i],
                                                   now) == PS_PUT_OK) {
            ps_count(counters, PS_COUNTER_EventPutSuccessCount, count);
            for (unsigned k = 0; k < channel->consumer_count; k++)
                ps_worker_touch(runner->base.worker, channel->consumer_workers[k]);
        } else if (!lease->promise) {
            drop_optional(runner, &runner->pending[i]);
        } else {
            all = false;
        }
    }
    return all;
}

/* The batch has left the chain: the chain's own lease goes home. */
static void chain_end(struct ps_source_runner *runner)
{
    struct ps_lease *chain = runner->chain;
    runner->chain = NULL;
    ps_window_release(chain);
}

static void chain_accepted(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_batch *batch = runner->chain->batch;
    ps_count(runner->base.counters, PS_COUNTER_EventAcceptedCount, batch->count);
    ps_count(runner->base.counters, PS_COUNTER_AppendBatchAcceptedCount, 1);
    ps_count(runner->base.counters, PS_COUNTER_batches, 1);
    if (ops_of(runner)->accepted != NULL)
        ops_of(runner)->accepted(runner->base.spec->plan, runner->base.state, batch, now);
    chain_end(runner);
}

/* Withdraws what was not put, and calls `refused`. */
static void chain_refuse(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_batch *batch = runner->chain->batch;
    const char *channel = "";
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        struct ps_lease *lease = runner->pending[i];
        if (lease == NULL)
            continue;
        channel = runner->channels[lease->channel].spec->stage.name;
        lease->failed = true;
        ps_window_release(lease);
        runner->pending[i] = NULL;
    }
    char reason[256];
    snprintf(reason, sizeof reason, "channel %s is full", channel);
    ps_count(runner->base.counters, PS_COUNTER_ChannelWriteFail, 1);
    ops_of(runner)->refused(runner->base.spec->plan, runner->base.state, batch, reason, now);
    chain_end(runner);
}

static uint64_t keep_alive_ns(const struct ps_source_runner *runner)
{
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        if (runner->pending[i] == NULL)
            continue;
        const struct ps_stage_spec *channel = &runner->channels[runner->pending[i]->channel].spec->stage;
        uint64_t ms = channel->ops->channel->keep_alive_ms != NULL
                          ? channel->ops->channel->keep_alive_ms(channel->plan)
                          : 0;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms * PS_NS_PER_MS;
}

/* Continues with the closed batch. Returns true when there is none any more. */
static bool chain_advance(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->chain == NULL)
        return true;
    if (!runner->routed) {
        runner->routed = ps_chain_run(runner, now);
        if (!runner->routed) {
            wake_at(runner, now->mono_ns + PS_NS_PER_MS);
            return false;
        }
    }
    if (put_pending(runner, now)) {
        source_wait(runner, false, now);
        chain_accepted(runner, now);
        return true;
    }
    source_wait(runner, true, now);
    if (ops_of(runner)->when_full == PS_REFUSE) {
        uint64_t until = runner->waiting_since_ns + keep_alive_ns(runner);
        if (now->mono_ns >= until) {
            chain_refuse(runner, now);
            source_wait(runner, false, now);
            return true;
        }
        wake_at(runner, until);
    }
    return false;
}

/* ---- filling ---- */

/* Whether any consumer is hungry: its events in the open batch must not wait for a consumer that is stuck. */
static bool source_hungry(const struct ps_source_runner *runner)
{
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++) {
        const struct ps_stage_spec *channel = &runner->channels[runner->plan->spec->channels[i]].spec->stage;
        if (channel->ops->channel->hungry(channel->plan, runner->producers[i]))
            return true;
    }
    return false;
}

static void batch_discard(struct ps_source_runner *runner)
{
    if (runner->batch != NULL)
        ps_batch_give(runner->batch);
    runner->batch = NULL;
}

/* Closes the open batch and sends it into the chain. */
static bool batch_close(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_batch *batch = runner->batch;
    runner->batch = NULL;
    ps_histogram_record(runner->batch_events, batch->count, 1);
    ps_batch_close(batch);
    ps_window_enter(runner->window, batch);
    runner->chain = &batch->leases[0];
    runner->chain_stage = 0;
    runner->routed = false;
    return chain_advance(runner, now);
}

static bool batch_open(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->batch != NULL)
        return true;
    runner->batch = ps_batch_take(&runner->carver, *now);
    if (runner->batch == NULL) {
        if (!runner->waiting)
            ps_worker_count_memory_wait(runner->base.worker);
        source_wait(runner, true, now);
        /* Another worker may free blocks, and it does not wake this one. */
        uint64_t wait_ns = now->mono_ns - runner->waiting_since_ns;
        wait_ns = wait_ns < MEMORY_WAIT_MIN_NS ? MEMORY_WAIT_MIN_NS
                  : wait_ns > MEMORY_LOOK_NS   ? MEMORY_LOOK_NS
                                               : wait_ns;
        wake_at(runner, now->mono_ns + wait_ns);
        return false;
    }
    source_wait(runner, false, now);
    if (runner->plan->batch_events_max < runner->batch->capacity)
        runner->batch->capacity = runner->plan->batch_events_max;
    return true;
}

/* A batch with a position or a ticket is not empty, even without events. */
static bool batch_is_empty(const struct ps_batch *batch)
{
    return batch == NULL || (batch->count == 0 && batch->span_count == 0 && batch->tickets == NULL);
}

/* It is full, or somebody waits for an answer. */
static bool batch_is_finished(const struct ps_batch *batch)
{
    return !batch_is_empty(batch) && (batch->full || batch->flush || batch->count == batch->capacity);
}

static bool batch_is_due(const struct ps_source_runner *runner)
{
    return !batch_is_empty(runner->batch) &&
           (batch_is_finished(runner->batch) || runner->draining || source_hungry(runner));
}

static void source_back_off(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_common *common = runner->plan->spec->common;
    uint64_t rest_ms = (uint64_t)common->backoff_increment_ms * ++runner->backoff_count;
    if (rest_ms > (uint64_t)common->backoff_max_ms)
        rest_ms = (uint64_t)common->backoff_max_ms;
    runner->backoff_until_ns = now->mono_ns + rest_ms * PS_NS_PER_MS;
}

static bool turn_is_over(const struct ps_source_runner *runner, const struct ps_now *now)
{
    return !ps_worker_is_simulated(runner->base.worker) && ps_clock_now().mono_ns - now->mono_ns > CALLS_NS;
}

/* Calls `work` until there is nothing more, its budget is used up, or a batch must wait for a channel. */
static bool source_fill(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool moved = false;
    for (unsigned call = 0; call < CALLS_PER_CYCLE; call++) {
        if (now->mono_ns < runner->backoff_until_ns || !batch_open(runner, now))
            break;
        enum ps_result result =
            ops_of(runner)->work(runner->base.spec->plan, runner->base.state, runner->batch, now);
        if (result == PS_DONE) {
            moved = true;
            runner->backoff_count = 0;
        } else if (result != PS_IDLE) {
            source_back_off(runner, now);
        }
        struct ps_batch *batch = runner->batch;
        if (batch->full && batch_is_empty(batch))
            batch_discard(runner); /* its blocks are used up by an earlier rest: a new one has room */
        else if (batch_is_finished(batch) && !batch_close(runner, now))
            break;
        if (result != PS_DONE || turn_is_over(runner, now))
            break;
    }
    if (runner->chain == NULL && batch_is_due(runner)) {
        moved = true;
        batch_close(runner, now);
    }
    return moved;
}

/* Stopping: `work` is called until `drain` returns true; then the last batches are put and come home. */
static void source_drain(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_ops *ops = ops_of(runner);
    if (runner->chain != NULL || !batch_is_empty(runner->batch))
        return;
    bool stopped = !ps_runner_is_open(&runner->base) || ops->drain == NULL ||
                   ops->drain(runner->base.spec->plan, runner->base.state, now);
    if (!stopped)
        return;
    /* `work` is not called any more, so readable sockets must not wake the worker. */
    source_watch(runner, false);
    batch_discard(runner);
    if (!ps_runner_is_open(&runner->base))
        runner->base.deadline_ns = PS_NEVER; /* it is not opened any more */
    if (ps_window_outstanding(runner->window) == 0) {
        runner->drained = true;
        runner->base.deadline_ns = PS_NEVER;
    }
}

/* Whether `work` may still be called. */
static bool source_may_read(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_ops *ops = ops_of(runner);
    return !runner->draining ||
           (ops->drain != NULL && !ops->drain(runner->base.spec->plan, runner->base.state, now));
}

bool ps_source_runner_cycle(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->drained)
        return false;
    if (!runner->draining && !source_open(runner, now))
        return false;
    bool moved = false;
    if (ps_runner_is_open(&runner->base)) {
        runner->base.deadline_ns = PS_NEVER;
        if (ops_of(runner)->tick != NULL)
            runner->base.deadline_ns = ops_of(runner)->tick(runner->base.spec->plan, runner->base.state, now);
        const struct ps_block_cache *cache = runner->base.port.blocks;
        uint64_t refused = cache->refused_count;
        bool was_waiting = runner->chain != NULL, reads = false;
        if (chain_advance(runner, now)) {
            moved = was_waiting;
            reads = source_may_read(runner, now);
            if (reads)
                moved |= source_fill(runner, now);
            else if (batch_is_due(runner))
                moved |= batch_close(runner, now);
        }
        if (now->mono_ns < runner->backoff_until_ns)
            wake_at(runner, runner->backoff_until_ns);
        if (cache->refused_count != refused) {
            wake_at(runner, now->mono_ns + MEMORY_LOOK_NS);
            reads = false;
        }
        source_watch(runner, reads && !runner->waiting && now->mono_ns >= runner->backoff_until_ns);
    }
    if (runner->draining)
        source_drain(runner, now);
    return moved;
}

void ps_source_runner_drain(struct ps_source_runner *runner)
{
    runner->draining = true;
    runner->backoff_until_ns = 0;
}

void ps_source_runner_pause(struct ps_source_runner *runner, const struct ps_now *now)
{
    source_watch(runner, false);
    runner->base.deadline_ns = PS_NEVER;
    if (ps_runner_is_open(&runner->base) && ops_of(runner)->tick != NULL)
        runner->base.deadline_ns = ops_of(runner)->tick(runner->base.spec->plan, runner->base.state, now);
}

void ps_source_runner_adopt(struct ps_source_runner *runner, struct ps_plan *plan, size_t source)
{
    struct ps_source_plan *source_plan = &plan->sources[source];
    size_t count = source_plan->spec->channel_count;
    PS_ASSERT(source_plan->adopts == runner->plan);
    runner->plan = source_plan;
    runner->channels = plan->channels;
    runner->producers = &source_plan->producers[runner->base.instance * count];
    for (size_t i = 0; i < 2 * count; i++) {
        if (runner->pending[i] != NULL)
            runner->pending[i]->channel = (uint16_t)source_plan->spec->channels[i / 2];
    }
}

void ps_source_runner_close(struct ps_source_runner *runner, struct ps_lease **left, const struct ps_now *now)
{
    struct ps_lease **end = left;
    if (runner->window == NULL) /* closed before */
        return;
    while (*end != NULL)
        end = &(*end)->next;
    if (!batch_is_empty(runner->batch)) {
        if (runner->chain == NULL)
            batch_close(runner, now);
        else
            ps_log(PS_LOG_WARN, runner->base.spec->component,
                   "%u events that were read are given up: the channel is full", runner->batch->count);
    }
    if (runner->chain != NULL && !runner->routed)
        runner->routed = ps_chain_run(runner, now);
    if (runner->chain != NULL && !runner->routed) {
        ps_log(PS_LOG_WARN, runner->base.spec->component,
               "%u events are given up: an interceptor is not done with them", runner->chain->count);
        ps_count(runner->base.counters, PS_COUNTER_dropped, runner->chain->count);
    }
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        if (runner->pending[i] == NULL)
            continue;
        *end = runner->pending[i];
        end = &(*end)->next;
        *end = NULL;
        runner->pending[i] = NULL;
    }
    source_watch(runner, false);
    if (ps_runner_is_open(&runner->base))
        links_close(runner, runner->plan->spec->interceptor_count, true);
    ps_runner_close(&runner->base, now);
    if (runner->chain != NULL) {
        if (runner->routed)
            ps_count(runner->base.counters, PS_COUNTER_EventAcceptedCount, runner->chain->batch->count);
        chain_end(runner);
    }
    batch_discard(runner);
    ps_window_detach(runner->window);
    runner->window = NULL;
    ps_carver_fini(&runner->carver);
}
