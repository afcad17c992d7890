/* Checks a plan before it runs: bounds of every array. */
#include "core/engine/plan.h"

enum ps_status ps_topology_check(const struct ps_plan *plan, struct ps_err *err)
{
    const struct ps_agent_spec *spec = plan->spec;
    size_t units = spec->sink_count;
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_plan *source = &plan->sources[i];
        units += source->instance_count;
        if (source->spec->channel_count > PS_CHANNELS_PER_SOURCE_MAX)
            return ps_err_set(err, "%s writes to %zu channels: at most %u are possible; split the source",
                              source->spec->stage.component, source->spec->channel_count,
                              PS_CHANNELS_PER_SOURCE_MAX);
        if (source->instance_count > plan->worker_count)
            return ps_err_set(
                err, "%s: penstock.workers = %u, but the agent has %u workers: raise %s.penstock.workers",
                source->spec->stage.component, source->instance_count, plan->worker_count, spec->name);
        if (source->instance_count > 1 && source->spec->stage.ops->exclusive)
            return ps_err_set(
                err, "%s: a source of type %s cannot run on several workers: remove penstock.workers",
                source->spec->stage.component, source->spec->stage.ops->name);
    }
    if (units > PS_UNITS_MAX)
        return ps_err_set(err, "agent %s has %zu sources and sinks: at most %u are possible; split the agent",
                          spec->name, units, PS_UNITS_MAX);
    if (plan->worker_count == 0 || plan->worker_count > PS_WORKERS_MAX)
        return ps_err_set(err, "%s.penstock.workers: %u workers: 1 to %u are possible", spec->name,
                          plan->worker_count, PS_WORKERS_MAX);
    if (spec->options.cpus.count > 0 && spec->options.cpus.count < plan->worker_count)
        return ps_err_set(err, "%s.penstock.cpus names %zu CPUs for %u workers: name one for each",
                          spec->name, spec->options.cpus.count, plan->worker_count);
    return PS_OK;
}
