/* Chooses the number of workers of a plan, and the worker that runs each unit. In a reload, running units keep their
 * workers, and new workers are started for new units (docs/decisions/0017-workers.md). Thread:
 * control. */
#include "core/engine/plan.h"

#include <string.h>

static unsigned decide_workers(const struct ps_agent_spec *spec, const struct ps_machine *machine)
{
    size_t units = spec->sink_count;
    unsigned widest = 1;
    for (size_t i = 0; i < spec->source_count; i++) {
        unsigned instances = (unsigned)spec->sources[i].common->workers;
        units += instances;
        widest = instances > widest ? instances : widest;
    }
    if (spec->options.workers > 0)
        return (unsigned)spec->options.workers > widest ? (unsigned)spec->options.workers : widest;
    size_t count = machine->cores > 1 ? machine->cores - 1 : 1;
    if (count > units)
        count = units > 0 ? units : 1;
    if (count < widest)
        count = widest;
    return count > PS_WORKERS_MAX ? PS_WORKERS_MAX : (unsigned)count;
}

struct places {
    const struct ps_plan *before; /* the plan that runs; NULL at a start */
    unsigned units[PS_WORKERS_MAX];
};

static bool is_among(const unsigned *workers, unsigned count, unsigned worker)
{
    for (unsigned i = 0; i < count; i++) {
        if (workers[i] == worker)
            return true;
    }
    return false;
}

/* Returns the number of the worker with the fewest units, the lowest of several. It is in `taken` only if all workers
 * are. */
static unsigned least_loaded(const struct ps_plan *plan, const struct places *places, const unsigned *taken,
                             unsigned taken_count)
{
    unsigned best = PS_WORKERS_MAX;
    for (unsigned i = 0; i < plan->worker_count; i++) {
        if (!is_among(taken, taken_count, i) &&
            (best == PS_WORKERS_MAX || places->units[i] < places->units[best]))
            best = i;
    }
    /* There are more instances than workers: ps_topology_check will refuse the plan. */
    return best < PS_WORKERS_MAX ? best : taken_count % plan->worker_count;
}

static void keep_places(struct ps_plan *plan, struct places *places)
{
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        const struct ps_source_plan *old = ps_plan_source_named(places->before, source->spec->stage.name);
        for (unsigned k = 0; old != NULL && k < old->instance_count && k < source->instance_count; k++) {
            source->workers[k] = old->workers[k];
            places->units[old->workers[k]]++;
        }
    }
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        const struct ps_sink_plan *old = ps_plan_sink_named(places->before, plan->sinks[i].spec->stage.name);
        if (old != NULL) {
            plan->sinks[i].worker = old->worker;
            places->units[old->worker]++;
        }
    }
}

static void place_new_instances(struct ps_plan *plan, struct places *places)
{
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        const struct ps_source_plan *old = ps_plan_source_named(places->before, source->spec->stage.name);
        for (unsigned k = old != NULL ? old->instance_count : 0; k < source->instance_count; k++) {
            source->workers[k] = least_loaded(plan, places, source->workers, k);
            places->units[source->workers[k]]++;
        }
    }
}

/* Returns the first sink of this sink's group; the sink itself if it is in no group. */
static const struct ps_sink_plan *first_of_group(const struct ps_plan *plan, size_t sink)
{
    const struct ps_group_spec *group = plan->spec->sinks[sink].group;
    for (size_t i = 0; i < sink && group != NULL; i++) {
        if (plan->spec->sinks[i].group == group)
            return &plan->sinks[i];
    }
    return &plan->sinks[sink];
}

/* Puts a sink on the worker of the first sink of its group (docs/decisions/0025-sinks-that-are-down.md). */
static void follow(struct ps_sink_plan *sink, const struct ps_sink_plan *first, struct places *places)
{
    if (ps_plan_sink_named(places->before, sink->spec->stage.name) != NULL)
        places->units[sink->worker]--;
    sink->worker = first->worker;
    places->units[sink->worker]++;
}

static bool has_same_channel(const struct ps_plan *plan, unsigned channel, const struct ps_plan *before)
{
    for (size_t i = 0; i < before->spec->channel_count; i++) {
        if (ps_stage_is_same(&plan->spec->channels[channel].stage, &before->spec->channels[i].stage))
            return true;
    }
    return false;
}

/* Returns whether a reload closes the sink in any case: its channel is new or changed. A sink whose channel stays,
 * or whose dead letters' channel stays, must not move: that would close the channel, and with it all its sinks. */
static bool is_closed(const struct ps_plan *plan, const struct ps_plan *before,
                      const struct ps_sink_plan *sink)
{
    const struct ps_sink_spec *spec = sink->spec;
    return !has_same_channel(plan, spec->channel, before) &&
           (spec->letters == 0 || !has_same_channel(plan, spec->letters - 1, before));
}

/* Places the sinks. A sink that the reload closes in any case moves if its worker has at least two units more than the
 * least loaded worker. */
static void place_sinks(struct ps_plan *plan, struct places *places)
{
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        struct ps_sink_plan *sink = &plan->sinks[i];
        const struct ps_sink_plan *first = first_of_group(plan, i);
        if (first != sink) {
            follow(sink, first, places);
            continue;
        }
        unsigned best = least_loaded(plan, places, NULL, 0);
        if (ps_plan_sink_named(places->before, sink->spec->stage.name) == NULL) {
            sink->worker = best;
            places->units[best]++;
        } else if (places->units[sink->worker] > places->units[best] + 1 &&
                   is_closed(plan, places->before, sink)) {
            places->units[sink->worker]--;
            places->units[best]++;
            sink->worker = best;
        }
    }
}

/* Places source instances and then sinks and sink groups, each on the worker with the fewest units: at a start on
 * the workers in turn. One worker alone gets all units; if there are more, a source and its sink are on different
 * workers. Running units keep their workers. */
static void place_units(struct ps_plan *plan, const struct ps_plan *before)
{
    struct ps_agent_spec *spec = plan->spec;
    struct places places = {.before = before};
    for (size_t i = 0; i < spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        source->spec = source->stages = source->chain_stages = &spec->sources[i];
        source->instance_count = (unsigned)spec->sources[i].common->workers;
        source->workers = ps_arena_alloc(spec->arena, source->instance_count * sizeof *source->workers);
    }
    for (size_t i = 0; i < spec->sink_count; i++) {
        plan->sinks[i].spec = &spec->sinks[i];
        plan->sinks[i].stage = &spec->sinks[i].stage;
    }
    keep_places(plan, &places);
    place_new_instances(plan, &places);
    place_sinks(plan, &places);
}

void ps_plan_place(struct ps_plan *plan, const struct ps_machine *machine, const struct ps_plan *before)
{
    plan->worker_count = decide_workers(plan->spec, machine);
    if (before != NULL && plan->worker_count < before->worker_count)
        plan->worker_count = before->worker_count; /* a reload never stops a worker */
    place_units(plan, before);
}
