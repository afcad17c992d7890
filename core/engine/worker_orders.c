/* How a worker executes orders: it creates the runners of a new plan, adopts sources that stay open, drains,
 * recalls and closes. Thread: the worker's. */
#include <stdlib.h>

#include "core/engine/sink_group.h"
#include "core/engine/worker_parts.h"

/* Returns whether this source stays open: all do in PAUSE; later those that the next plan adopts. */
bool ps_worker_adopts(const struct ps_worker *worker, const struct ps_source_runner *runner)
{
    if (worker->phase == PS_PHASE_PAUSE)
        return true;
    for (size_t i = 0; worker->next != NULL && i < worker->next->spec->source_count; i++) {
        if (worker->next->sources[i].adopts == runner->plan)
            return true;
    }
    return false;
}

/* Returns the open runner of the previous plan that this source adopts, and removes it from the list; NULL if
 * none. */
static struct ps_source_runner *take_adopted(struct ps_source_runner **runners, size_t count,
                                             const struct ps_source_plan *source, unsigned instance)
{
    for (size_t i = 0; source->adopts != NULL && i < count; i++) {
        struct ps_source_runner *runner = runners[i];
        if (runner != NULL && runner->plan == source->adopts && runner->base.instance == instance) {
            runners[i] = NULL;
            return runner;
        }
    }
    return NULL;
}

static struct ps_source_runner *make_source(struct ps_worker *worker, struct ps_source_runner **before,
                                            size_t count, size_t source, unsigned instance)
{
    struct ps_source_runner *runner = take_adopted(before, count, &worker->plan->sources[source], instance);
    if (runner == NULL)
        return ps_source_runner_create(worker, worker->plan, source, instance);
    ps_source_runner_adopt(runner, worker->plan, source);
    return runner;
}

static void make_runners(struct ps_worker *worker, struct ps_plan *plan, struct ps_source_runner **before,
                         size_t before_count)
{
    size_t sources = 0, sinks = 0;
    worker->plan = plan;
    worker->sources = ps_must_alloc(PS_UNITS_MAX, sizeof(struct ps_source_runner *), "a worker's runners");
    worker->sinks =
        ps_must_alloc(plan->spec->sink_count + 1, sizeof(struct ps_sink_runner *), "a worker's runners");
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        for (unsigned k = 0; k < plan->sources[i].instance_count; k++) {
            if (plan->sources[i].workers[k] == worker->id)
                worker->sources[sources++] = make_source(worker, before, before_count, i, k);
        }
    }
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        if (plan->sinks[i].worker != worker->id)
            continue;
        worker->sinks[sinks] = ps_sink_runner_create(worker, plan, i);
        if (plan->spec->sinks[i].group != NULL)
            ps_sink_group_join(worker->sinks[sinks], worker->sinks, sinks);
        sinks++;
    }
    worker->sink_count = sinks;
    ps_mark_move(&worker->sinks_seen, sinks);
    worker->source_count = sources;
    ps_mark_move(&worker->sources_seen, sources);
}

static void close_runners(struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->sink_count; i++) {
        ps_worker_enter(worker, worker->sinks[i]->base.spec->component);
        while (!ps_sink_runner_recall(worker->sinks[i], &worker->now))
            PS_ASSERT(false); /* RECALL was done before, so this returns true at once */
        ps_sink_runner_close(worker->sinks[i], &worker->now);
    }
    for (size_t i = 0; i < worker->source_count; i++) {
        ps_worker_enter(worker, worker->sources[i]->base.spec->component);
        if (!ps_worker_adopts(worker, worker->sources[i]))
            ps_source_runner_close(worker->sources[i], &worker->left, &worker->now);
    }
    ps_worker_enter(worker, NULL);
}

/* Frees closed runners. They are freed at the next RUN or with the worker, because metrics read them until
 * then. */
static void free_runners(struct ps_source_runner **sources, size_t source_count,
                         struct ps_sink_runner **sinks, size_t sink_count)
{
    for (size_t i = 0; i < source_count; i++) {
        if (sources[i] != NULL)
            ps_source_runner_destroy(sources[i]);
    }
    for (size_t i = 0; i < sink_count; i++)
        ps_sink_runner_destroy(sinks[i]);
    free(sources);
    free(sinks);
}

/* Replaces the runners by those of `plan` (NULL: none). */
void ps_worker_exchange_runners(struct ps_worker *worker, struct ps_plan *plan)
{
    struct ps_source_runner **sources = worker->sources;
    struct ps_sink_runner **sinks = worker->sinks;
    size_t source_count = worker->source_count, sink_count = worker->sink_count;
    if (plan != NULL) {
        make_runners(worker, plan, sources, source_count);
    } else {
        worker->sources = NULL;
        worker->sinks = NULL;
        worker->source_count = worker->sink_count = 0;
        ps_mark_move(&worker->sources_seen, 0);
        ps_mark_move(&worker->sinks_seen, 0);
    }
    free_runners(sources, source_count, sinks, sink_count);
}

void ps_worker_take_orders(struct ps_worker *worker)
{
    const struct ps_orders *orders = ps_engine_orders(worker->engine);
    if (PS_LIKELY(orders == NULL || orders->number == worker->orders_number))
        return;
    /* After PAUSE; this worker may not have seen those orders before these replaced them. */
    bool resumes = orders->phase == PS_PHASE_RUN && orders->plan != NULL && orders->plan == worker->plan;
    PS_ASSERT(!resumes || worker->phase == PS_PHASE_PAUSE || worker->phase == PS_PHASE_RUN);
    worker->orders_number = orders->number;
    worker->phase = orders->phase;
    worker->next = orders->next;
    for (struct ps_lease *lease = orders->discard[worker->id], *after; lease != NULL; lease = after) {
        after = lease->next;
        ps_window_release(lease);
    }
    if (orders->phase == PS_PHASE_RUN && orders->plan != NULL && !resumes) {
        ps_worker_exchange_runners(worker, orders->plan);
        worker->opened_once = false;
    }
    for (size_t i = 0; i < worker->source_count && orders->phase != PS_PHASE_RUN; i++) {
        if (!ps_worker_adopts(worker, worker->sources[i]))
            ps_source_runner_drain(worker->sources[i]);
    }
    if (orders->phase == PS_PHASE_CLOSE) {
        while (ps_worker_cycle_home(worker)) { /* delivered: replayable sources need not read it again */
        }
        close_runners(worker);
    }
    ps_mark_move(&worker->taken, orders->number);
}

/* Returns whether nothing is left to deliver on this worker: each source that stops has stopped and all its
 * batches are home, and the sinks hold nothing and their channels are empty. If no source stays open, every
 * batch of this worker must be home, too, except what sinks gave back to a durable channel. */
static bool all_drained(const struct ps_worker *worker)
{
    bool adopted = false, durable = false;
    for (size_t i = 0; i < worker->source_count; i++) {
        bool stays = ps_worker_adopts(worker, worker->sources[i]);
        if (!stays && !worker->sources[i]->drained)
            return false;
        adopted |= stays;
    }
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (!ps_sink_runner_is_idle(worker->sinks[i]))
            return false;
        durable |= ps_sink_runner_may_leave(worker->sinks[i]);
    }
    return adopted || durable || ps_pool_out_count(worker->pool) == 0;
}

static bool cycle_recall(struct ps_worker *worker)
{
    bool all = true;
    for (size_t i = 0; i < worker->sink_count; i++) {
        ps_worker_enter(worker, worker->sinks[i]->base.spec->component);
        all &= ps_sink_runner_recall(worker->sinks[i], &worker->now);
    }
    ps_worker_enter(worker, NULL);
    return all;
}

/* No source puts anything meanwhile on this worker; those of others may not have paused yet. */
static bool all_paused(const struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->sink_count; i++) {
        const struct ps_sink_runner *sink = worker->sinks[i];
        if (ps_plan_channel_after(worker->next, sink->channel) == NULL && !ps_sink_runner_is_idle(sink))
            return false;
    }
    return true;
}

bool ps_worker_sink_rests(const struct ps_worker *worker, const struct ps_sink_runner *sink)
{
    return worker->phase == PS_PHASE_PAUSE && ps_mark_own(&worker->done) == worker->orders_number &&
           ps_plan_channel_after(worker->next, sink->channel) == NULL;
}

bool ps_worker_orders_done(struct ps_worker *worker)
{
    switch (worker->phase) {
    case PS_PHASE_RUN:
        return worker->opened_once;
    case PS_PHASE_PAUSE:
        return all_paused(worker);
    case PS_PHASE_DRAIN:
        return all_drained(worker);
    case PS_PHASE_RECALL:
        return cycle_recall(worker);
    case PS_PHASE_CLOSE: /* no worker sends leases home any more: receives those in its inbox */
        while (ps_worker_cycle_home(worker)) {
        }
        return true;
    }
    return false;
}
