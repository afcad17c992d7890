#include "core/engine/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "rings/tsan.h"

struct ps_engine {
    struct ps_engine_settings settings;
    struct ps_depot *depot;
    unsigned worker_count;
    struct ps_worker *workers[PS_WORKERS_MAX];
    struct ps_pool *pools[PS_WORKERS_MAX];
    pthread_t threads[PS_WORKERS_MAX];
    bool started;
    struct ps_spsc **home;                    /* [from * worker_count + to]; NULL on the diagonal */
    struct ps_orders *orders;                 /* RCU */
    struct ps_lease *discard[PS_WORKERS_MAX]; /* released by their home workers with the next orders */
};

struct ps_engine *ps_engine_create(const struct ps_engine_settings *settings, struct ps_err *err)
{
    PS_ASSERT(settings->worker_count > 0 && settings->worker_count <= PS_WORKERS_MAX);
    struct ps_engine *engine = ps_must_alloc(1, sizeof *engine, "the engine");
    engine->settings = *settings;
    engine->worker_count = settings->worker_count;
    engine->home = ps_must_alloc((size_t)engine->worker_count * engine->worker_count,
                                 sizeof(struct ps_spsc *), "the way-home rings");
    engine->depot = ps_depot_create(settings->memory_budget_bytes, err);
    if (engine->depot == NULL)
        goto failed;
    size_t entries = (size_t)settings->batches_max * settings->leases_max;
    for (unsigned from = 0; from < engine->worker_count; from++) {
        for (unsigned to = 0; to < engine->worker_count; to++) {
            if (from != to)
                engine->home[from * engine->worker_count + to] = ps_spsc_create(entries);
        }
    }
    for (unsigned i = 0; i < engine->worker_count; i++) {
        struct ps_pool_limits limits = {settings->batches_max, settings->leases_max};
        engine->pools[i] = ps_pool_create(engine->depot, limits, (uint16_t)i, err);
        if (engine->pools[i] == NULL)
            goto failed;
        engine->workers[i] =
            ps_worker_create(engine, (uint16_t)i, engine->pools[i], settings->simulated, err);
        if (engine->workers[i] == NULL)
            goto failed;
    }
    return engine;
failed:
    ps_engine_destroy(engine);
    return NULL;
}

void ps_engine_destroy(struct ps_engine *engine)
{
    if (engine == NULL)
        return;
    for (unsigned i = 0; engine->started && i < engine->worker_count; i++)
        ps_worker_stop(engine->workers[i]);
    for (unsigned i = 0; engine->started && i < engine->worker_count; i++)
        pthread_join(engine->threads[i], NULL);
    for (unsigned i = 0; i < engine->worker_count; i++) {
        ps_worker_destroy(engine->workers[i]);
        ps_pool_destroy(engine->pools[i]);
    }
    for (unsigned i = 0; i < engine->worker_count * engine->worker_count; i++)
        ps_spsc_destroy(engine->home[i]);
    ps_depot_destroy(engine->depot);
    free(engine->home);
    free(engine->orders);
    free(engine);
}

static void *thread_main(void *argument)
{
    ps_worker_run(argument);
    return NULL;
}

/* Sets the CPU of each worker: the configured one, or -1 (not pinned). It chooses none itself
 * (docs/decisions/0017-pinned-only-when-told.md). */
static void set_cpus(struct ps_engine *engine)
{
    const struct ps_engine_settings *settings = &engine->settings;
    for (unsigned i = 0; i < engine->worker_count; i++)
        ps_worker_set_cpu(engine->workers[i], i < settings->cpus.count ? atoi(settings->cpus.items[i]) : -1,
                          settings->idle);
}

enum ps_status ps_engine_start(struct ps_engine *engine, struct ps_err *err)
{
    PS_ASSERT(!engine->started && !engine->settings.simulated);
    set_cpus(engine);
    for (unsigned i = 0; i < engine->worker_count; i++) {
        int failed = pthread_create(&engine->threads[i], NULL, thread_main, engine->workers[i]);
        if (failed != 0) {
            for (unsigned k = 0; k < i; k++) {
                ps_worker_stop(engine->workers[k]);
                pthread_join(engine->threads[k], NULL);
            }
            return ps_err_set(
                err, "cannot start worker thread %u: %s; raise the limit of processes (TasksMax, ulimit -u)",
                i, strerror(failed));
        }
    }
    engine->started = true;
    return PS_OK;
}

enum ps_status ps_engine_fits(const struct ps_engine *engine, const struct ps_plan *plan, struct ps_err *err)
{
    if (plan->worker_count > engine->worker_count)
        return ps_err_set(err,
                          "the new configuration needs %u workers, but %u are running: restart the agent",
                          plan->worker_count, engine->worker_count);
    if (plan->leases_max > engine->settings.leases_max)
        return ps_err_set(err, "the new configuration has a source with more channels than the agent was "
                               "started with: restart the agent");
    if (ps_topology_batches(plan) > engine->settings.batches_max ||
        plan->block_budget_bytes > ps_depot_budget_bytes(engine->depot) + PS_BLOCK_BYTES)
        return ps_err_set(err, "the new configuration needs a larger memory budget: restart the agent");
    return PS_OK;
}

uint64_t ps_engine_order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan,
                         struct ps_plan *next)
{
    struct ps_orders *orders = ps_must_alloc(1, sizeof *orders, "the workers' orders");
    struct ps_orders *old = engine->orders;
    *orders = (struct ps_orders){
        .number = old != NULL ? old->number + 1 : 1, .phase = phase, .plan = plan, .next = next};
    memcpy(orders->discard, engine->discard, sizeof orders->discard);
    memset(engine->discard, 0, sizeof engine->discard);
    if (plan != NULL && phase == PS_PHASE_RUN)
        plan->epoch = orders->number;
    PS_TSAN_RELEASE(orders);
    rcu_assign_pointer(engine->orders, orders);
    for (unsigned i = 0; i < engine->worker_count; i++)
        ps_worker_wake(engine->workers[i]);
    urcu_qsbr_synchronize_rcu(); /* returns at once when simulated: there are no registered readers */
    PS_TSAN_ACQUIRE(engine);
    free(old);
    return orders->number;
}

bool ps_engine_reached(const struct ps_engine *engine, uint64_t number)
{
    for (unsigned i = 0; i < engine->worker_count; i++) {
        if (ps_worker_done_number(engine->workers[i]) < number)
            return false;
    }
    return true;
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

/* Moves the leases of one channel from the list of those never put to *end. */
static void append_left(struct ps_lease **left, uint16_t channel, struct ps_lease **end)
{
    while (*end != NULL)
        end = &(*end)->next;
    while (*left != NULL) {
        struct ps_lease *lease = *left;
        if (lease->channel != channel) {
            left = &lease->next;
            continue;
        }
        *left = lease->next;
        lease->next = NULL;
        *end = lease;
        end = &lease->next;
    }
}

/* Returns whether the next plan's source reads these events again. The position of a replayable source that
 * was closed has not moved past them, so carrying them over would duplicate them. A source that stayed open
 * does not read them again. */
static bool will_be_replayed(const struct ps_lease *lease)
{
    return lease->promise && lease->batch->span_count > 0 && ps_window_is_detached(lease->batch->window);
}

/* Hands the lease to its batch's home worker, which releases it with the next orders: only that worker may
 * count it. Marks it failed, because it was not delivered: the position of a source that stayed open must not
 * move past it. */
static void discard(struct ps_engine *engine, struct ps_lease *lease)
{
    lease->failed = true;
    unsigned home = ps_pool_worker(lease->batch->home);
    lease->next = engine->discard[home];
    engine->discard[home] = lease;
}

static void count_left(struct ps_left *left, const struct ps_lease *lease)
{
    left->events += lease->count - lease->settled;
    left->settled += lease->settled;
    left->batches++;
}

void ps_engine_carry_over(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next,
                          struct ps_left *carried, struct ps_left *lost)
{
    struct ps_lease *left = NULL, **end = &left;
    *carried = *lost = (struct ps_left){0};
    for (unsigned i = 0; i < engine->worker_count; i++) {
        *end = ps_worker_take_left(engine->workers[i]);
        while (*end != NULL)
            end = &(*end)->next;
    }
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        struct ps_channel_plan *to = ps_plan_channel_after(next, &plan->channels[i]);
        struct ps_lease *list =
            stage->ops->channel->strip != NULL ? stage->ops->channel->strip(stage->plan) : NULL;
        append_left(&left, (uint16_t)i, &list);
        struct ps_lease *keep = NULL, **keep_end = &keep;
        while (list != NULL) {
            struct ps_lease *lease = list;
            list = lease->next;
            lease->next = NULL;
            if (next != NULL && will_be_replayed(lease)) {
                discard(engine, lease);
            } else if (to != NULL) {
                count_left(carried, lease);
                *keep_end = lease;
                keep_end = &lease->next;
            } else {
                /* The window of a source that stays open would stop at this batch for ever. */
                PS_ASSERT(next == NULL || ps_window_is_detached(lease->batch->window));
                count_left(lost, lease);
                discard(engine, lease);
            }
        }
        if (keep != NULL)
            to->spec->stage.ops->channel->restore(to->spec->stage.plan, keep);
    }
}

unsigned ps_engine_worker_count(const struct ps_engine *engine)
{
    return engine->worker_count;
}

struct ps_worker *ps_engine_worker(struct ps_engine *engine, unsigned id)
{
    return engine->workers[id];
}

struct ps_depot *ps_engine_depot(struct ps_engine *engine)
{
    return engine->depot;
}

uint64_t ps_engine_batches_out(const struct ps_engine *engine)
{
    uint64_t out = 0;
    for (unsigned i = 0; i < engine->worker_count; i++)
        out += ps_pool_out_count(engine->pools[i]);
    return out;
}

const struct ps_orders *ps_engine_orders(const struct ps_engine *engine)
{
    const struct ps_orders *orders = rcu_dereference(engine->orders);
    PS_TSAN_ACQUIRE(orders);
    return orders;
}

struct ps_spsc *ps_engine_home_ring(struct ps_engine *engine, unsigned from, unsigned to)
{
    return engine->home[from * engine->worker_count + to];
}
