/* Checks a plan before it runs: bounds of every array, and that going home never blocks. Describes a plan in
 * text. */
#include "core/engine/plan.h"

#include <stdarg.h>
#include <stdio.h>

size_t ps_topology_home_entries(const struct ps_plan *plan)
{
    return (size_t)ps_topology_batches(plan) * plan->leases_max;
}

/* A batch costs at least a few hundred bytes of its blocks; more descriptors than a budget of 4 KiB batches
 * are never needed. */
uint32_t ps_topology_batches(const struct ps_plan *plan)
{
    uint64_t most = plan->memory_budget_bytes / 4096;
    return most < PS_BATCHES_PER_WORKER_MAX ? (uint32_t)most : PS_BATCHES_PER_WORKER_MAX;
}

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
    if (ps_topology_home_entries(plan) >= UINT32_MAX / 4)
        return ps_err_set(
            err,
            "a way-home ring would need %zu entries: lower penstock.memory.budget or the channels per source",
            ps_topology_home_entries(plan));
    return PS_OK;
}

static void write_line(void (*line)(void *argument, const char *text), void *argument, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

static void write_line(void (*line)(void *argument, const char *text), void *argument, const char *format,
                       ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line(argument, text);
}

static void describe_stage(const struct ps_plan *plan, const struct ps_stage_spec *stage,
                           void (*line)(void *argument, const char *text), void *argument)
{
    struct ps_context context = {.agent = plan->spec->name,
                                 .component = stage->component,
                                 .name = stage->name,
                                 .arena = plan->spec->arena,
                                 .system_property = plan->spec->system_property,
                                 .argument = plan->spec->argument,
                                 .program = plan->spec->program};
    if (stage->ops->describe != NULL)
        stage->ops->describe(stage->plan, &context, line, argument);
}

static void describe_chain(const struct ps_plan *plan, const struct ps_source_spec *source,
                           void (*line)(void *argument, const char *text), void *argument)
{
    for (size_t i = 0; i < source->interceptor_count; i++)
        describe_stage(plan, &source->interceptors[i], line, argument);
    describe_stage(plan, &source->selector, line, argument);
}

void ps_plan_describe(const struct ps_plan *plan, void (*line)(void *argument, const char *text),
                      void *argument)
{
    const struct ps_agent_spec *spec = plan->spec;
    write_line(line, argument, "workers: %u; memory budget: %llu MiB; batch descriptors: %u a worker",
               plan->worker_count, (unsigned long long)(plan->memory_budget_bytes >> 20),
               ps_topology_batches(plan));
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_plan *source = &plan->sources[i];
        for (unsigned k = 0; k < source->instance_count; k++)
            write_line(line, argument, "worker %u: %s (%s), instance %u of %u, batches of at most %u events",
                       source->workers[k], source->spec->stage.component, source->spec->stage.ops->name,
                       k + 1, source->instance_count, source->batch_events_max);
    }
    for (size_t i = 0; i < spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &plan->channels[i];
        struct ps_fill fill;
        channel->spec->stage.ops->channel->fill(channel->spec->stage.plan, &fill);
        write_line(
            line, argument, "%s (%s): capacity %llu events, %u producer%s, %u consumer%s, %u %s ring%s",
            channel->spec->stage.component, channel->spec->stage.ops->name, (unsigned long long)fill.capacity,
            channel->producer_count, channel->producer_count == 1 ? "" : "s", channel->consumer_count,
            channel->consumer_count == 1 ? "" : "s", channel->producer_count,
            channel->consumer_count > 1 ? "SPMC" : "SPSC", channel->producer_count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < spec->sink_count; i++)
        write_line(line, argument, "worker %u: %s (%s) from %s", plan->sinks[i].worker,
                   spec->sinks[i].stage.component, spec->sinks[i].stage.ops->name,
                   spec->channels[spec->sinks[i].channel].stage.component);
    for (size_t i = 0; i < spec->source_count; i++)
        describe_chain(plan, &spec->sources[i], line, argument);
    unsigned rings = plan->worker_count * (plan->worker_count - 1);
    write_line(line, argument, "way home: %u ring%s of %zu entries", rings, rings == 1 ? "" : "s",
               ps_topology_home_entries(plan));
}
