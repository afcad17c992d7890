#include "core/flow/engine_channel.h"
#include "core/engine/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "core/thread.h"
#include "rings/flag.h"
#include "rings/tsan.h"

struct ps_engine {
    struct ps_engine_settings settings;
    struct ps_depot *depot;
    struct ps_dead_letters *letters;
    /* Only grows; the first `worker_count` entries of `workers` do not change. Workers read it. */
    struct ps_mark worker_count;
    struct ps_worker *workers[PS_WORKERS_MAX];
    struct ps_pool *pools[PS_WORKERS_MAX];
    pthread_t threads[PS_WORKERS_MAX];
    bool started;
    struct ps_orders *orders; /* the last orders; workers read the pointer under RCU */
    /* by home worker: leases that this worker releases with the next orders */
    struct ps_lease *discard[PS_WORKERS_MAX];
};

/* Makes one more worker, without its thread. After a failure its parts are freed with the engine. */
static enum ps_status worker_add(struct ps_engine *engine, struct ps_err *err)
{
    const struct ps_engine_settings *settings = &engine->settings;
    unsigned id = ps_engine_worker_count(engine);
    if (engine->pools[id] == NULL)
        engine->pools[id] = ps_pool_create(engine->depot, (uint16_t)id);
    engine->workers[id] = ps_worker_create(engine, (uint16_t)id, engine->pools[id], settings, err);
    return engine->workers[id] != NULL ? PS_OK : PS_FAIL;
}

struct ps_engine *ps_engine_create(const struct ps_engine_settings *settings, struct ps_err *err)
{
    PS_ASSERT(settings->worker_count > 0 && settings->worker_count <= PS_WORKERS_MAX);
    struct ps_engine *engine = ps_must_alloc(1, sizeof *engine, "the engine");
    engine->settings = *settings;
    engine->letters = ps_dead_letters_create(settings->simulated);
    engine->depot = ps_depot_create(settings->memory_budget_bytes, err);
    if (engine->depot == NULL)
        goto failed;
    for (unsigned i = 0; i < settings->worker_count; i++) {
        if (worker_add(engine, err) != PS_OK)
            goto failed;
        ps_mark_move(&engine->worker_count, i + 1);
    }
    return engine;
failed:
    ps_engine_destroy(engine);
    return NULL;
}

static void orders_free(struct ps_orders *orders)
{
    while (orders != NULL) {
        struct ps_orders *older = orders->older;
        free(orders);
        orders = older;
    }
}

static void stop_threads(struct ps_engine *engine, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ps_worker_stop(engine->workers[i]);
    for (unsigned i = 0; i < count; i++)
        (void)ps_thread_join(engine->threads[i], PS_THREAD_PATIENT);
}

void ps_engine_destroy(struct ps_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->started)
        stop_threads(engine, ps_engine_worker_count(engine));
    for (unsigned i = 0; i < PS_WORKERS_MAX; i++) {
        ps_worker_destroy(engine->workers[i]);
        ps_pool_destroy(engine->pools[i]);
    }
    ps_dead_letters_destroy(engine->letters);
    ps_depot_destroy(engine->depot);
    orders_free(engine->orders);
    free(engine);
}

static void *thread_main(void *argument)
{
    ps_worker_run(argument);
    return NULL;
}

/* Starts a worker's thread on its CPU, if `cpus` names one: the engine itself chooses none (docs/decisions/0017-workers.md). */
static enum ps_status thread_start(struct ps_engine *engine, unsigned id, struct ps_texts cpus,
                                   struct ps_err *err)
{
    ps_worker_set_cpu(engine->workers[id], id < cpus.count ? atoi(cpus.items[id]) : -1,
                      engine->settings.idle);
    char name[sizeof "worker-4294967295"];
    snprintf(name, sizeof name, "worker-%u", id);
    int failed = ps_thread_start(&engine->threads[id], name, thread_main, engine->workers[id]);
    if (failed == 0)
        return PS_OK;
    return ps_err_set(err,
                      "cannot start worker thread %u: %s; raise the limit of processes (TasksMax, ulimit -u)",
                      id, strerror(failed));
}

enum ps_status ps_engine_start(struct ps_engine *engine, struct ps_err *err)
{
    PS_ASSERT(!engine->started && !engine->settings.simulated);
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++) {
        if (thread_start(engine, i, engine->settings.cpus, err) != PS_OK) {
            stop_threads(engine, i);
            return PS_FAIL;
        }
    }
    engine->started = true;
    /* the texts are in the first plan's arena, which a reload may free */
    engine->settings.cpus = (struct ps_texts){0};
    return PS_OK;
}

enum ps_status ps_engine_grow(struct ps_engine *engine, unsigned worker_count, struct ps_texts cpus,
                              struct ps_err *err)
{
    PS_ASSERT(worker_count <= PS_WORKERS_MAX);
    for (unsigned id; (id = ps_engine_worker_count(engine)) < worker_count;) {
        if (engine->workers[id] == NULL && worker_add(engine, err) != PS_OK)
            return PS_FAIL;
        if (engine->started && thread_start(engine, id, cpus, err) != PS_OK)
            return PS_FAIL;
        ps_mark_move(&engine->worker_count, id + 1);
    }
    return PS_OK;
}

/* Frees the orders before the last ones that every worker has taken: each worker reads the pointer again in every cycle. Does not wait: a
 * worker that is stuck, or opens its stages for seconds, must not keep control from signals and the watchdog. */
static void orders_free_old(struct ps_engine *engine)
{
    struct ps_orders *kept = engine->orders;
    while (kept != NULL && !ps_engine_taken(engine, kept->number))
        kept = kept->older;
    if (kept == NULL)
        return;
    orders_free(kept->older);
    kept->older = NULL;
}

static uint64_t publish(struct ps_engine *engine, const struct ps_orders *wanted)
{
    struct ps_orders *orders = ps_must_alloc(1, sizeof *orders, "the workers' orders");
    struct ps_orders *old = engine->orders;
    orders_free_old(engine);
    *orders = *wanted;
    orders->number = old != NULL ? old->number + 1 : 1;
    orders->older = old;
    memcpy(orders->discard, engine->discard, sizeof orders->discard);
    memset(engine->discard, 0, sizeof engine->discard);
    if (orders->plan != NULL && orders->phase == PS_PHASE_RUN)
        orders->plan->epoch = orders->number;
    PS_TSAN_RELEASE(orders);
    rcu_assign_pointer(engine->orders, orders);
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++)
        ps_worker_wake(engine->workers[i]);
    return orders->number;
}

uint64_t ps_engine_order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan,
                         struct ps_plan *next)
{
    return publish(engine, &(struct ps_orders){.phase = phase, .plan = plan, .next = next});
}

uint64_t ps_engine_order_last_drain(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next)
{
    return publish(engine,
                   &(struct ps_orders){.phase = PS_PHASE_DRAIN, .plan = plan, .next = next, .stops = true});
}

bool ps_engine_taken(const struct ps_engine *engine, uint64_t number)
{
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++) {
        if (ps_worker_taken_number(engine->workers[i]) < number)
            return false;
    }
    return true;
}

bool ps_engine_reached(const struct ps_engine *engine, uint64_t number)
{
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++) {
        if (ps_worker_done_number(engine->workers[i]) < number)
            return false;
    }
    return true;
}

uint64_t ps_engine_ordered(const struct ps_engine *engine, enum ps_phase *phase)
{
    *phase = engine->orders->phase;
    return engine->orders->number;
}

bool ps_engine_wait(const struct ps_engine *engine, uint64_t number, uint64_t timeout_ms)
{
    uint64_t until_ns = ps_clock_now().mono_ns + timeout_ms * PS_NS_PER_MS;
    while (!ps_engine_reached(engine, number)) {
        if (ps_clock_now().mono_ns >= until_ns)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

/* ---- events left of a plan ---- */

/* Appends the leases for one channel, of those in *left that were never put, to the list *end. */
static void append_left(struct ps_lease **left, uint16_t channel, struct ps_lease **end)
{
    while (*end != NULL)
        end = &(*end)->next;
    while (*left != NULL) {
        struct ps_lease *lease = *left;
        if (ps_lease_home(lease)->channel != channel) {
            left = &lease->next;
            continue;
        }
        *left = lease->next;
        lease->next = NULL;
        *end = lease;
        end = &lease->next;
    }
}

/* Hands the lease to its batch's home worker, which releases it with the next orders: only that worker may count the lease. Marks the lease
 * failed, unless it was delivered or promised: the position of a source that stays open must not move past it. */
static void discard(struct ps_engine *engine, struct ps_lease *lease)
{
    lease->failed |= lease->settled < lease->count;
    unsigned home = ps_batch_worker(lease->batch);
    lease->next = engine->discard[home];
    engine->discard[home] = lease;
}

static void count_left(struct ps_left *left, const struct ps_lease *lease)
{
    left->events += lease->count - lease->settled;
    left->settled += lease->settled - lease->dead;
    left->batches++;
}

/* Counts the events of a lease that are lost. Does not count dead letters that a durable channel has not promised: the sink that wrote these
 * letters gave their events back to its own channel, and the events are counted there if that channel does not keep them. */
static void count_lost(struct ps_left *lost, struct ps_lease *lease)
{
    if (ps_batch_home(lease->batch)->is_copy && ps_lease_home(lease)->owed)
        return;
    uint64_t before = lost->events;
    count_left(lost, lease);
    if (!ps_batch_will_be_replayed(lease->batch))
        return;
    lost->reread += lost->events - before;
    lost->doubled += lease->settled;
    lost->events = before;
}

/* Counts the events of a lease that a reload releases because their source reads them again: what a sink has settled is delivered, and
 * comes again. The rest of a batch counts once, however many of its channels had it. */
static void count_taken_back(struct ps_left *lost, const struct ps_lease *lease)
{
    struct ps_batch_home *batch = ps_batch_home(lease->batch);
    uint32_t events = lease->count - lease->settled;
    if (events > batch->taken_back) {
        lost->reread += events - batch->taken_back;
        batch->taken_back = events;
    }
    lost->settled += lease->settled - lease->dead;
    lost->doubled += lease->settled;
}

static bool is_replayed(const struct ps_lease *lease)
{
    return ps_batch_will_be_replayed(lease->batch);
}

/* For a channel that continues in `next`: takes out only the leases with events that their source will read again. */
static void keep_channel(struct ps_engine *engine, const struct ps_plan *plan, size_t number,
                         const struct ps_plan *next, struct ps_left *lost)
{
    const struct ps_stage_spec *stage = &plan->channels[number].spec->stage;
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    if (ops->set_quota != NULL)
        ops->set_quota(stage->plan, next->channel_quota_bytes);
    if (ops->withdraw == NULL || !ps_plan_closes_replayable(next, plan, number))
        return;
    for (struct ps_lease *lease = ops->withdraw(stage->plan, is_replayed), *after; lease != NULL;
         lease = after) {
        after = lease->next;
        count_taken_back(lost, lease);
        discard(engine, lease);
    }
}

/* Calls `forsake` of a channel that is removed and leaves events outside of the agent, unless a channel of `next` takes them from there. */
static void forsake_unless_continued(const struct ps_stage_spec *stage, const struct ps_plan *next)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    bool goes_on = next == NULL || ops->goes_on == NULL;
    for (size_t i = 0; !goes_on && i < next->spec->channel_count; i++) {
        const struct ps_stage_spec *after = &next->channels[i].spec->stage;
        goes_on = after->ops == stage->ops && ops->goes_on(stage->plan, after->plan);
    }
    if (!goes_on)
        ops->forsake(stage->plan);
}

/* Counts the events in a channel in memory that cannot be stripped, and from which no sink takes. (In such channels
 * with a sink, the sink has taken out the rest.) A shared channel does not count: only this agent's use of it ends. */
static void count_stranded(struct ps_left *lost, const struct ps_plan *plan,
                           const struct ps_channel_plan *channel)
{
    const struct ps_stage_ops *stage = channel->spec->stage.ops;
    if (ps_engine_channel(stage->channel)->strip != NULL || channel->consumer_count > 0 || stage->shared ||
        ps_channel_is_durable(stage->channel))
        return;
    uint64_t *count = ps_plan_rereads(plan, channel) ? &lost->reread : &lost->events;
    *count += ps_channel_plan_left(channel);
}

void ps_engine_save_channels(struct ps_plan *plan)
{
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
        if (ops->save != NULL)
            ops->save(stage->plan);
    }
}

bool ps_engine_halt_channels(struct ps_plan *plan, const struct ps_plan *next)
{
    bool ended = true;
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
        if (!ps_plan_keeps_channel(next, &plan->channels[i]) && ops->halt != NULL)
            ended &= ops->halt(stage->plan);
    }
    return ended;
}

void ps_engine_carry_over(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next,
                          struct ps_left *carried, struct ps_left *lost)
{
    struct ps_lease *left = NULL, **end = &left;
    *carried = *lost = (struct ps_left){0};
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++) {
        *end = ps_worker_take_left(engine->workers[i]);
        while (*end != NULL)
            end = &(*end)->next;
    }
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        struct ps_channel_plan *to = ps_plan_channel_after(next, &plan->channels[i]);
        const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
        if (ps_plan_keeps_channel(next, &plan->channels[i])) {
            keep_channel(engine, plan, i, next, lost);
            continue;
        }
        forsake_unless_continued(stage, next);
        struct ps_lease *list = ops->strip != NULL ? ops->strip(stage->plan) : NULL;
        append_left(&left, (uint16_t)i, &list);
        count_stranded(lost, plan, &plan->channels[i]);
        struct ps_lease *keep = NULL, **keep_end = &keep;
        while (list != NULL) {
            struct ps_lease *lease = list;
            list = lease->next;
            lease->next = NULL;
            /* All events of the lease are on disk, and the lease was not returned yet. */
            bool durable = lease->settled == lease->count;
            if (durable || (next != NULL && ps_batch_will_be_replayed(lease->batch))) {
                if (!durable)
                    count_taken_back(lost, lease);
                discard(engine, lease);
            } else if (to != NULL) {
                count_left(carried, lease);
                *keep_end = lease;
                keep_end = &lease->next;
            } else {
                /* The window of a source that stays open would stop at this batch for ever. */
                PS_ASSERT(next == NULL || ps_window_is_detached(ps_batch_home(lease->batch)->window));
                count_lost(lost, lease);
                discard(engine, lease);
            }
        }
        if (keep != NULL)
            ps_engine_channel(to->spec->stage.ops->channel)->restore(to->spec->stage.plan, keep);
    }
}

unsigned ps_engine_worker_count(const struct ps_engine *engine)
{
    return (unsigned)ps_mark_read(&engine->worker_count);
}

struct ps_worker *ps_engine_worker(struct ps_engine *engine, unsigned id)
{
    return engine->workers[id];
}

struct ps_dead_letters *ps_engine_letters(struct ps_engine *engine)
{
    return engine->letters;
}

struct ps_depot *ps_engine_depot(struct ps_engine *engine)
{
    return engine->depot;
}

uint64_t ps_engine_batches_out(const struct ps_engine *engine)
{
    uint64_t out = 0;
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++)
        out += ps_pool_out_count(engine->pools[i]);
    return out;
}

const struct ps_orders *ps_engine_orders(const struct ps_engine *engine)
{
    const struct ps_orders *orders = rcu_dereference(engine->orders);
    PS_TSAN_ACQUIRE(orders);
    return orders;
}
