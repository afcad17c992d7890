/* Executes a worker's orders: creates the runners of a new plan, adopts sources that stay open, drains, recalls
 * and closes. Thread: the worker's. */
#include <stdlib.h>
#include <string.h>

#include "core/engine/sink/group.h"
#include "core/engine/worker_internal.h"

/* Returns whether this source stays open. In PAUSE all sources stay open, later only those that the next plan adopts.
 */
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

bool ps_worker_reads_on(const struct ps_worker *worker, const struct ps_source_runner *runner)
{
    for (size_t i = 0;
         worker->next != NULL && worker->phase != PS_PHASE_CLOSE && i < worker->next->spec->source_count;
         i++) {
        if (worker->next->sources[i].adopts == runner->plan)
            return worker->next->sources[i].undisturbed;
    }
    return false;
}

/* Returns whether the next plan adopts this sink. */
bool ps_worker_adopts_sink(const struct ps_worker *worker, const struct ps_sink_runner *runner)
{
    for (size_t i = 0; worker->next != NULL && i < worker->next->spec->sink_count; i++) {
        if (worker->next->sinks[i].adopts == runner->plan)
            return true;
    }
    return false;
}

/* Returns the open runner of the previous plan that this source adopts, and removes it from the list; NULL: there is
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

/* The runners of the previous plan. */
struct runners {
    struct ps_source_runner **sources;
    struct ps_sink_runner **sinks;
    size_t source_count, sink_count;
};

/* Returns the closed runner of the same instance in the previous plan; NULL: this worker had none. */
static struct ps_source_runner *predecessor(const struct runners *before,
                                            const struct ps_source_runner *runner)
{
    for (size_t i = 0; i < before->source_count; i++) {
        struct ps_source_runner *old = before->sources[i];
        if (old != NULL && strcmp(old->base.spec->name, runner->base.spec->name) == 0 &&
            old->base.instance == runner->base.instance)
            return old;
    }
    return NULL;
}

static struct ps_source_runner *make_source(struct ps_worker *worker, const struct runners *before,
                                            size_t source, unsigned instance)
{
    struct ps_source_runner *runner =
        take_adopted(before->sources, before->source_count, &worker->plan->sources[source], instance);
    if (runner != NULL) {
        ps_source_runner_adopt(runner, worker->plan, source);
        return runner;
    }
    runner = ps_source_runner_create(worker, worker->plan, source, instance);
    struct ps_source_runner *old = predecessor(before, runner);
    if (old != NULL) {
        ps_source_runner_inherit(runner, old);
        ps_dead_letter_channel_inherit(runner->base.letters, old->base.letters);
    }
    return runner;
}

static struct ps_sink_runner *make_sink(struct ps_worker *worker, const struct runners *before, size_t sink)
{
    const struct ps_sink_plan *adopts = worker->plan->sinks[sink].adopts;
    for (size_t i = 0; adopts != NULL && i < before->sink_count; i++) {
        struct ps_sink_runner *runner = before->sinks[i];
        if (runner == NULL || runner->plan != adopts)
            continue;
        before->sinks[i] = NULL;
        ps_sink_runner_adopt(runner, worker->plan, sink);
        return runner;
    }
    return ps_sink_runner_create(worker, worker->plan, sink);
}

static void make_runners(struct ps_worker *worker, struct ps_plan *plan, const struct runners *before)
{
    size_t sources = 0, sinks = 0;
    worker->plan = plan;
    worker->sources = ps_must_alloc(PS_UNITS_MAX, sizeof(struct ps_source_runner *), "a worker's runners");
    worker->sinks =
        ps_must_alloc(plan->spec->sink_count + 1, sizeof(struct ps_sink_runner *), "a worker's runners");
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        for (unsigned k = 0; k < plan->sources[i].instance_count; k++) {
            if (plan->sources[i].workers[k] == worker->id)
                worker->sources[sources++] = make_source(worker, before, i, k);
        }
    }
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        if (plan->sinks[i].worker != worker->id)
            continue;
        worker->sinks[sinks] = make_sink(worker, before, i);
        if (plan->spec->sinks[i].group != NULL && worker->sinks[sinks]->group == NULL)
            ps_sink_group_join(worker->sinks[sinks], worker->sinks, sinks);
        sinks++;
    }
    worker->sink_count = sinks;
    ps_mark_move(&worker->sinks_seen, sinks);
    worker->source_count = sources;
    ps_mark_move(&worker->sources_seen, sources);
}

/* Returns whether no sink of this worker after number `sink` is a member of its consumer. */
static bool is_last_of_consumer(const struct ps_worker *worker, size_t sink)
{
    for (size_t i = sink + 1; i < worker->sink_count; i++) {
        if (worker->sinks[i]->channel == worker->sinks[sink]->channel &&
            worker->sinks[i]->consumer == worker->sinks[sink]->consumer)
            return false;
    }
    return true;
}

static bool is_closing(const struct ps_worker *worker, size_t sink)
{
    return !worker->sinks[sink]->closed && !ps_worker_adopts_sink(worker, worker->sinks[sink]);
}

/* A channel frees a consumer's data when the consumer leaves, so all sinks take out the rest before one leaves. A
 * reload adopts all sinks of a consumer or none. */
static void close_sinks(struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (!is_closing(worker, i))
            continue;
        ps_worker_enter(worker, worker->sinks[i]->base.spec->component);
        while (!ps_sink_runner_recall(worker->sinks[i], &worker->now))
            PS_ASSERT(false); /* RECALL was done before, so the recall returned true */
        ps_sink_runner_take_rest(worker->sinks[i], worker->next, &worker->left, &worker->now);
    }
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (!is_closing(worker, i))
            continue;
        ps_worker_enter(worker, worker->sinks[i]->base.spec->component);
        ps_sink_runner_close(worker->sinks[i], worker->next, is_last_of_consumer(worker, i), &worker->now);
    }
}

static void close_runners(struct ps_worker *worker)
{
    close_sinks(worker);
    for (size_t i = 0; i < worker->source_count; i++) {
        ps_worker_enter(worker, worker->sources[i]->base.spec->component);
        if (!ps_worker_adopts(worker, worker->sources[i]))
            ps_source_runner_close(worker->sources[i], worker->next, &worker->left, &worker->now);
    }
    ps_worker_enter(worker, NULL);
}

/* Frees closed runners. They are freed at the next RUN or with the worker, because metrics read them until
 * then. */
static void free_runners(const struct runners *runners)
{
    for (size_t i = 0; i < runners->source_count; i++) {
        if (runners->sources[i] != NULL)
            ps_source_runner_destroy(runners->sources[i]);
    }
    for (size_t i = 0; i < runners->sink_count; i++) {
        if (runners->sinks[i] != NULL)
            ps_sink_runner_destroy(runners->sinks[i]);
    }
    free(runners->sources);
    free(runners->sinks);
}

/* Replaces the runners by those of `plan` (NULL: none). */
void ps_worker_exchange_runners(struct ps_worker *worker, struct ps_plan *plan)
{
    const struct runners before = {worker->sources, worker->sinks, worker->source_count, worker->sink_count};
    if (plan != NULL) {
        make_runners(worker, plan, &before);
    } else {
        worker->sources = NULL;
        worker->sinks = NULL;
        worker->source_count = worker->sink_count = 0;
        ps_mark_move(&worker->sources_seen, 0);
        ps_mark_move(&worker->sinks_seen, 0);
    }
    free_runners(&before);
}

void ps_worker_take_orders(struct ps_worker *worker)
{
    const struct ps_orders *orders = ps_engine_orders(worker->engine);
    if (PS_LIKELY(orders == NULL || orders->number == worker->orders_number))
        return;
    /* RUN after PAUSE: this worker may not have taken the PAUSE orders before these replaced them. */
    bool resumes = orders->phase == PS_PHASE_RUN && orders->plan != NULL && orders->plan == worker->plan;
    PS_ASSERT(!resumes || worker->phase == PS_PHASE_PAUSE || worker->phase == PS_PHASE_RUN);
    worker->drains_again = worker->phase == PS_PHASE_DRAIN && orders->phase == PS_PHASE_DRAIN &&
                           worker->stops == orders->stops; /* the last drain begins anew */
    worker->orders_number = orders->number;
    worker->phase = orders->phase;
    worker->next = orders->next;
    worker->stops = orders->stops;
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
            ps_source_runner_drain(worker->sources[i], worker->next);
    }
    if (orders->phase == PS_PHASE_CLOSE) {
        /* counts delivered events, which replayable sources then need not read again */
        while (ps_worker_cycle_home(worker)) {
        }
        close_runners(worker);
    }
    ps_mark_move(&worker->taken, orders->number);
}

bool ps_worker_must_empty(const struct ps_worker *worker, const struct ps_channel_plan *channel)
{
    return worker->next != NULL && !channel->spec->stage.ops->shared &&
           ps_plan_channel_after(worker->next, channel) == NULL;
}

bool ps_worker_stops(const struct ps_worker *worker)
{
    return worker->phase == PS_PHASE_DRAIN && (worker->next == NULL || worker->stops);
}

bool ps_worker_leaves(const struct ps_worker *worker, const struct ps_channel_plan *channel)
{
    return ps_plan_rereads(worker->plan, channel) || ps_plan_keeps_channel(worker->next, channel);
}

static bool is_empty(const struct ps_sink_runner *sink)
{
    return ps_sink_runner_holds_nothing(sink) && ps_channel_plan_left(sink->channel) == 0;
}

/* Returns whether the worker has waited long enough for a closing sink: it has nothing left to deliver. If the next
 * plan keeps the channel, events that the sink has not taken stay there. */
static bool sink_is_drained(const struct ps_worker *worker, const struct ps_sink_runner *sink)
{
    if (ps_plan_keeps_channel(worker->next, sink->channel))
        return ps_sink_runner_holds_nothing(sink);
    return ps_worker_must_empty(worker, sink->channel) ? is_empty(sink) : ps_sink_runner_is_idle(sink);
}

/* Returns whether batches of this worker may stay out: in channels and sinks that the next plan takes over, or in
 * channels from which no sink takes. */
static bool batches_stay(const struct ps_worker *worker)
{
    const struct ps_plan *plan = worker->plan;
    for (size_t i = 0; plan != NULL && i < plan->spec->channel_count; i++) {
        if (ps_plan_strands(worker->next, &plan->channels[i]))
            return true;
    }
    for (size_t i = 0; worker->next != NULL && i < worker->next->spec->channel_count; i++) {
        if (worker->next->channels[i].adopts != NULL)
            return true;
    }
    return false;
}

/* Returns whether nothing is left to deliver on this worker: each source that stops has stopped, and all its batches
 * are returned, or in channels that stay, or will be read again; and the sinks that close hold nothing and their
 * channels are empty or stay, or the stop need not wait for them. If nothing stays, every batch of this worker must be
 * home as well, except the batches that sinks gave back to a durable channel. */
static bool all_drained(const struct ps_worker *worker)
{
    bool stays = batches_stay(worker);
    for (size_t i = 0; i < worker->source_count; i++) {
        bool adopted = ps_worker_adopts(worker, worker->sources[i]);
        if (!adopted && !worker->sources[i]->drained && !worker->sources[i]->ending.rereads)
            return false;
        /* A stop does not wait for a source that reads its batches again, but its dead letters would count as lost. */
        if (!adopted && !ps_dead_letter_channel_is_drained(worker->sources[i]->base.letters, worker->next))
            return false;
        stays |= adopted || worker->sources[i]->ending.rereads || worker->sources[i]->ending.gives_up;
        /* its batches from before it failed are in no window */
        stays |= worker->next == NULL && ps_source_runner_is_replayable(worker->sources[i]);
    }
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (ps_worker_adopts_sink(worker, worker->sinks[i]))
            continue;
        bool is_free = ps_sink_runner_need_not_wait(worker->sinks[i], &worker->now);
        const struct ps_dead_letter_channel *letters = worker->sinks[i]->base.letters;
        if (!is_free && !sink_is_drained(worker, worker->sinks[i]))
            return false;
        if (!(is_free && ps_dead_letter_channel_may_leave(letters)) &&
            !ps_dead_letter_channel_is_drained(letters, worker->next))
            return false;
        stays |= is_free || ps_sink_runner_may_leave(worker->sinks[i]);
    }
    return stays || ps_pool_out_count(worker->pool) == 0;
}

static bool cycle_recall(struct ps_worker *worker)
{
    bool all = true;
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (ps_worker_adopts_sink(worker, worker->sinks[i]))
            continue;
        ps_worker_enter(worker, worker->sinks[i]->base.spec->component);
        worker->sinks[i]->base.port.ends = worker->next == NULL;
        all &= ps_sink_runner_recall(worker->sinks[i], &worker->now) &&
               ps_sink_runner_part(worker->sinks[i], worker->next, &worker->now);
    }
    ps_worker_enter(worker, NULL);
    return all;
}

/* Returns whether the channels that the reload removes are empty, and their sinks hold no lease. A channel that is a
 * topic counts as empty when all events put are in the topic: its sinks may still deliver, because a topic has no
 * end. The sources of this worker put nothing meanwhile; sources of other workers may not have paused yet. */
static bool all_paused(const struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->sink_count; i++) {
        const struct ps_sink_runner *sink = worker->sinks[i];
        if (ps_worker_must_empty(worker, sink->channel) && !is_empty(sink))
            return false;
    }
    for (size_t i = 0; worker->plan != NULL && i < worker->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &worker->plan->channels[i];
        if (channel->spec->stage.ops->shared && ps_plan_channel_after(worker->next, channel) == NULL &&
            ps_channel_plan_left(channel) > 0)
            return false;
    }
    return true;
}

/* A closing sink may write dead letters in DRAIN, while closing sources put their last events. When this worker has
 * carried out the second DRAIN order, the sink writes no more letters into a channel in memory, because the worker of
 * that channel may have found it empty already. The sink itself continues until RECALL if the stop does not wait for
 * it. It must not cease earlier, because during the first DRAIN another worker may wait for the letter. The events of
 * letters that were not written return to the sink's channel. */
bool ps_worker_sink_may_write_dead_letters(const struct ps_worker *worker,
                                           const struct ps_sink_runner *runner)
{
    const struct ps_channel_plan *channel = ps_dead_letter_channel_target(runner->base.letters);
    if (PS_LIKELY(channel == NULL || worker->phase == PS_PHASE_RUN) ||
        ps_plan_channel_after(worker->next, channel) != NULL)
        return true;
    if (worker->drains_again && ps_mark_own(&worker->done) == worker->orders_number &&
        !ps_dead_letter_channel_may_leave(runner->base.letters))
        return false;
    if (worker->next == NULL)
        return true;
    return worker->phase != PS_PHASE_PAUSE && !ps_worker_adopts_sink(worker, runner);
}

bool ps_worker_sink_rests(const struct ps_worker *worker, const struct ps_sink_runner *sink)
{
    return worker->phase == PS_PHASE_PAUSE && ps_mark_own(&worker->done) == worker->orders_number &&
           ps_plan_channel_after(worker->next, sink->channel) == NULL;
}

/* Returns whether no source still uses the chain of the previous plan, which is freed when all workers run the new
 * one. */
static bool all_chains_exchanged(const struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->source_count; i++) {
        if (worker->sources[i]->old_links != NULL)
            return false;
    }
    return true;
}

bool ps_worker_orders_done(struct ps_worker *worker)
{
    switch (worker->phase) {
    case PS_PHASE_RUN:
        return worker->opened_once && all_chains_exchanged(worker);
    case PS_PHASE_PAUSE:
        return all_paused(worker);
    case PS_PHASE_DRAIN:
        return all_drained(worker);
    case PS_PHASE_RECALL:
        return cycle_recall(worker);
    case PS_PHASE_CLOSE: /* no worker returns leases now: receives the leases in this worker's inbox */
        while (ps_worker_cycle_home(worker)) {
        }
        return true;
    }
    return false;
}
