/* Compares plans for a reload: the same agent, the same source. */
#include <stdlib.h>
#include <string.h>

#include "core/engine/plan.h"

static bool same_stage(const struct ps_stage_spec *a, const struct ps_stage_spec *b)
{
    return strcmp(a->name, b->name) == 0 && a->ops == b->ops && a->fingerprint != NULL &&
           b->fingerprint != NULL && strcmp(a->fingerprint, b->fingerprint) == 0;
}

static const char *channel_name(const struct ps_plan *plan, const struct ps_source_spec *source,
                                size_t number)
{
    return plan->spec->channels[source->channels[number]].stage.name;
}

static bool same_source(const struct ps_plan *a_plan, const struct ps_source_spec *a,
                        const struct ps_plan *b_plan, const struct ps_source_spec *b)
{
    if (!same_stage(&a->stage, &b->stage) || !same_stage(&a->selector, &b->selector) ||
        a->interceptor_count != b->interceptor_count || a->channel_count != b->channel_count)
        return false;
    for (size_t i = 0; i < a->interceptor_count; i++) {
        if (!same_stage(&a->interceptors[i], &b->interceptors[i]))
            return false;
    }
    for (size_t i = 0; i < a->channel_count; i++) {
        if (strcmp(channel_name(a_plan, a, i), channel_name(b_plan, b, i)) != 0)
            return false;
    }
    return true;
}

static bool same_group(const struct ps_sink_spec *a, const struct ps_sink_spec *b)
{
    if (a->group == NULL || b->group == NULL)
        return a->group == b->group;
    return a->member == b->member && strcmp(a->group->name, b->group->name) == 0 &&
           a->group->fingerprint != NULL && b->group->fingerprint != NULL &&
           strcmp(a->group->fingerprint, b->group->fingerprint) == 0;
}

/* The agent's own keys that take effect on a reload. */
static bool same_options(const struct ps_agent_options *a, const struct ps_agent_options *b)
{
    return a->batch_events == b->batch_events && a->drain_timeout_ms == b->drain_timeout_ms &&
           a->reload_timeout_ms == b->reload_timeout_ms && a->ready_stall_ms == b->ready_stall_ms;
}

/* "" when the worker is not pinned. */
static const char *cpu_of(const struct ps_agent_options *options, unsigned worker)
{
    return worker < options->cpus.count ? options->cpus.items[worker] : "";
}

bool ps_plan_needs_restart(const struct ps_plan *a, const struct ps_plan *b)
{
    const struct ps_agent_options *x = &a->spec->options, *y = &b->spec->options;
    bool cpus = true, fewer = y->workers != x->workers && y->workers > 0 && y->workers < a->worker_count;
    for (unsigned i = 0; cpus && i < a->worker_count; i++)
        cpus = strcmp(cpu_of(x, i), cpu_of(y, i)) == 0;
    return !cpus || fewer || x->idle != y->idle || x->memory_budget != y->memory_budget;
}

bool ps_plan_is_same(const struct ps_plan *a_plan, const struct ps_plan *b_plan)
{
    const struct ps_agent_spec *a = a_plan->spec, *b = b_plan->spec;
    if (!same_options(&a->options, &b->options) || a_plan->worker_count != b_plan->worker_count ||
        a->source_count != b->source_count || a->channel_count != b->channel_count ||
        a->sink_count != b->sink_count)
        return false;
    for (size_t i = 0; i < a->channel_count; i++) {
        if (!same_stage(&a->channels[i].stage, &b->channels[i].stage))
            return false;
    }
    for (size_t i = 0; i < a->sink_count; i++) {
        if (!same_stage(&a->sinks[i].stage, &b->sinks[i].stage) ||
            a->sinks[i].channel != b->sinks[i].channel || !same_group(&a->sinks[i], &b->sinks[i]))
            return false;
    }
    for (size_t i = 0; i < a->source_count; i++) {
        if (!same_source(a_plan, &a->sources[i], b_plan, &b->sources[i]))
            return false;
    }
    return true;
}

static bool same_place(const struct ps_source_plan *a, const struct ps_source_plan *b)
{
    return a->instance_count == b->instance_count &&
           memcmp(a->workers, b->workers, a->instance_count * sizeof *a->workers) == 0;
}

struct ps_channel_plan *ps_plan_channel_after(struct ps_plan *next, const struct ps_channel_plan *channel)
{
    const struct ps_stage_spec *stage = &channel->spec->stage;
    for (size_t i = 0; next != NULL && i < next->spec->channel_count; i++) {
        const struct ps_stage_spec *after = &next->channels[i].spec->stage;
        if (strcmp(after->name, stage->name) == 0)
            return after->ops == stage->ops && stage->ops->channel->restore != NULL ? &next->channels[i]
                                                                                    : NULL;
    }
    return NULL;
}

static void mark_unchanged(struct ps_agent_spec *next, const struct ps_agent_spec *spec)
{
    for (size_t i = 0; i < next->source_count; i++) {
        for (size_t k = 0; k < spec->source_count; k++)
            next->sources[i].stage.unchanged |= same_stage(&next->sources[i].stage, &spec->sources[k].stage);
    }
    for (size_t i = 0; i < next->channel_count; i++) {
        for (size_t k = 0; k < spec->channel_count; k++)
            next->channels[i].stage.unchanged |=
                same_stage(&next->channels[i].stage, &spec->channels[k].stage);
    }
    for (size_t i = 0; i < next->sink_count; i++) {
        for (size_t k = 0; k < spec->sink_count; k++)
            next->sinks[i].stage.unchanged |= same_stage(&next->sinks[i].stage, &spec->sinks[k].stage);
    }
}

void ps_plan_adopt(struct ps_plan *next, const struct ps_plan *plan)
{
    mark_unchanged(next->spec, plan->spec);
    for (size_t i = 0; i < next->spec->source_count; i++) {
        struct ps_source_plan *source = &next->sources[i];
        for (size_t k = 0; k < plan->spec->source_count && source->adopts == NULL; k++) {
            const struct ps_source_plan *old = &plan->sources[k];
            if (same_source(next, source->spec, plan, old->spec) && same_place(source, old))
                source->adopts = old;
        }
    }
}
