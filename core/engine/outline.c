/* Describes a plan in text, and calls the probes of its stages. */
#include "core/engine/plan.h"
#include "core/flow/engine_channel.h"

#include "core/quantity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct lines {
    const struct ps_plan *plan;
    void (*line)(void *argument, const char *text);
    void *argument;
};

static void write_line(const struct lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_line(const struct lines *lines, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lines->line(lines->argument, text);
}

static void describe_budget(const struct lines *lines)
{
    const struct ps_plan *plan = lines->plan;
    const char *heap = "";
    if (plan->java_heap_bytes > 0)
        heap = ps_arena_format(plan->spec->arena, " and a heap of %s for Java",
                               ps_quantity_print_bytes(plan->java_heap_bytes).text);
    write_line(lines, "memory budget %s%s, %u worker%s",
               ps_quantity_print_bytes(plan->memory_budget_bytes).text, heap, plan->worker_count,
               plan->worker_count == 1 ? "" : "s");
}

/* ---- components ---- */

static const char *outline_of(const struct ps_plan *plan, const struct ps_stage_spec *stage)
{
    struct ps_context context = ps_plan_context(plan, stage);
    const char *outline = ps_stage_outline(stage->ops, stage->plan, &context);
    return outline != NULL ? ps_arena_format(plan->spec->arena, " %s", outline) : "";
}

static const char *names_of_channels(const struct ps_plan *plan, const struct ps_source_spec *source)
{
    const char *names = "";
    for (size_t i = 0; i < source->channel_count; i++)
        names = ps_arena_format(plan->spec->arena, "%s %s", names,
                                plan->spec->channels[source->channels[i]].stage.name);
    return names;
}

static const char *letters_of(const struct ps_plan *plan, const char *directory)
{
    return directory != NULL ? ps_arena_format(plan->spec->arena, "; dead letters into %s", directory) : "";
}

/* "sink group g1 (failover): k1 k2" */
static void describe_group(const struct lines *lines, const struct ps_group_spec *group)
{
    const struct ps_agent_spec *spec = lines->plan->spec;
    const char *names = "";
    for (unsigned member = 0; member < group->settings.count; member++) {
        for (size_t i = 0; i < spec->sink_count; i++) {
            if (spec->sinks[i].group == group && spec->sinks[i].member == member)
                names = ps_arena_format(spec->arena, "%s %s", names, spec->sinks[i].stage.name);
        }
    }
    write_line(lines, "%s (%s):%s", group->component,
               group->settings.type == PS_PROCESSOR_FAILOVER ? "failover" : "load_balance", names);
}

static void describe_components(const struct lines *lines)
{
    const struct ps_plan *plan = lines->plan;
    const struct ps_agent_spec *spec = plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_spec *source = &spec->sources[i];
        write_line(lines, "%s (%s)%s%s%s%s", source->stage.component, source->stage.ops->name,
                   outline_of(plan, &source->stage), source->channel_count > 0 ? "; into" : "",
                   names_of_channels(plan, source), letters_of(plan, source->common->deadletter));
    }
    for (size_t i = 0; i < spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &spec->channels[i].stage;
        struct ps_fill fill;
        stage->ops->channel->fill(stage->plan, &fill);
        if (fill.capacity == 0) /* the channel has no limit of its own */
            write_line(lines, "%s (%s)%s", stage->component, stage->ops->name, outline_of(plan, stage));
        else
            write_line(lines, "%s (%s) up to %s %s%s", stage->component, stage->ops->name,
                       ps_quantity_print_count(fill.capacity).text,
                       ps_quantity_word(fill.capacity, "event", "events"), outline_of(plan, stage));
    }
    for (size_t i = 0; i < spec->sink_count; i++) {
        const struct ps_stage_spec *stage = &spec->sinks[i].stage;
        write_line(lines, "%s (%s)%s; from %s%s", stage->component, stage->ops->name, outline_of(plan, stage),
                   spec->channels[spec->sinks[i].channel].stage.name,
                   letters_of(plan, spec->sinks[i].common.deadletter));
    }
    for (size_t i = 0; i < spec->group_count; i++)
        describe_group(lines, &spec->groups[i]);
}

/* ---- flows ---- */

/* Returns what happens to an event of this source in this channel when the process is killed, and when the channel
 * is full. */
static const char *promise_of(struct ps_arena *arena, const struct ps_source_ops *source,
                              const struct ps_channel_ops *channel, const struct ps_stage_spec *sink)
{
    const struct ps_sink_ops *ops = sink->ops->sink;
    bool transactional = ops->transactional != NULL && ops->transactional(sink->plan);
    bool refuses = source->needs == PS_LEVEL_ACCEPTED && source->when_full != PS_WAIT;
    const char *full = refuses ? "the sender is refused" : "the source waits";
    if (transactional && ps_channel_is_durable(channel))
        return ps_arena_format(
            arena,
            "at least once up to the channel (while it is full, %s), exactly once from the "
            "channel on: the sink commits events and the channel's progress in one "
            "transaction",
            full);
    if (transactional)
        return "exactly once: the sink commits events and positions in one transaction; after a crash the "
               "source reads the uncommitted events again";
    if (ps_channel_is_durable(channel))
        return ps_arena_format(
            arena, "at least once: acknowledged events survive a crash in the channel; while it is full, %s",
            full);
    if (source->needs != PS_LEVEL_ACCEPTED)
        return "at least once: after a crash the source reads the events again that the sink has not "
               "confirmed";
    return ps_arena_format(arena, "delivered unless the process is killed; while the channel is full %s",
                           full);
}

/* Returns what must be changed so that the flow delivers exactly once, if its sink can (conf/validate/guarantee.c). */
static const char *cure_of(const struct ps_stage_spec *source, const struct ps_stage_spec *channel,
                           const struct ps_stage_spec *sink)
{
    const struct ps_sink_ops *ops = sink->ops->sink;
    if (ops->transactional == NULL || ops->transactional(sink->plan))
        return "";
    bool yields = source->ops->source->yields_positions != NULL && strcmp(channel->ops->name, "memory") == 0;
    bool kept = ps_engine_channel(channel->ops->channel)->identifies && ops->keep_positions != NULL;
    if (yields)
        return "; exactly once with penstock.guarantee = exactly-once at the sink";
    return kept ? "; exactly once from the channel on with penstock.guarantee = exactly-once at the sink"
                : "; exactly once is possible with a channel of type file";
}

/* Returns what the settings of channel and sink take from the promise, or "": the weakness of the channel if both do,
 * because the sink gets only what the channel has kept. */
static const char *weakness_of(const struct ps_stage_spec *channel, const struct ps_stage_spec *sink)
{
    const struct ps_channel_ops *channel_ops = channel->ops->channel;
    const struct ps_sink_ops *ops = sink->ops->sink;
    const char *weakness = channel_ops->weakness != NULL ? channel_ops->weakness(channel->plan) : NULL;
    if (weakness == NULL && ops->weakness != NULL)
        weakness = ops->weakness(sink->plan);
    return weakness != NULL ? weakness : "";
}

static void describe_flow(const struct lines *lines, const struct ps_stage_spec *source,
                          const struct ps_stage_spec *channel, const struct ps_stage_spec *sink)
{
    const char *weakness = weakness_of(channel, sink);
    write_line(lines, "flow %s -> %s -> %s: %s%s%s%s", source->name, channel->name, sink->name,
               promise_of(lines->plan->spec->arena, source->ops->source, channel->ops->channel, sink),
               weakness[0] != '\0' ? "; but " : "", weakness, cure_of(source, channel, sink));
}

static void describe_flows(const struct lines *lines)
{
    const struct ps_agent_spec *spec = lines->plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_spec *source = &spec->sources[i];
        for (size_t c = 0; c < source->channel_count; c++) {
            for (size_t k = 0; k < spec->sink_count; k++) {
                if (spec->sinks[k].channel == source->channels[c])
                    describe_flow(lines, &source->stage, &spec->channels[source->channels[c]].stage,
                                  &spec->sinks[k].stage);
            }
        }
    }
}

/* ---- expressions ---- */

static void describe_stage(const struct lines *lines, const struct ps_stage_spec *stage)
{
    struct ps_context context = ps_plan_context(lines->plan, stage);
    if (stage->ops->describe != NULL)
        stage->ops->describe(stage->plan, &context, lines->line, lines->argument);
}

static void describe_expressions(const struct lines *lines)
{
    const struct ps_agent_spec *spec = lines->plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        for (size_t k = 0; k < spec->sources[i].interceptor_count; k++)
            describe_stage(lines, &spec->sources[i].interceptors[k]);
        describe_stage(lines, &spec->sources[i].selector);
    }
}

/* ---- the engine ---- */

static void describe_engine(const struct lines *lines)
{
    const struct ps_plan *plan = lines->plan;
    const struct ps_agent_spec *spec = plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_plan *source = &plan->sources[i];
        for (unsigned k = 0; k < source->instance_count; k++)
            write_line(lines, "worker %u: %s (%s), instance %u of %u, batches of at most %s %s",
                       source->workers[k], source->spec->stage.component, source->spec->stage.ops->name,
                       k + 1, source->instance_count, ps_quantity_print_count(source->batch_events_max).text,
                       ps_quantity_word(source->batch_events_max, "event", "events"));
    }
    for (size_t i = 0; i < spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &plan->channels[i];
        write_line(lines, "%s (%s): %u producer%s, %u consumer%s, %u %s ring%s",
                   channel->spec->stage.component, channel->spec->stage.ops->name, channel->producer_count,
                   channel->producer_count == 1 ? "" : "s", channel->consumer_count,
                   channel->consumer_count == 1 ? "" : "s", channel->producer_count,
                   channel->consumer_count > 1 ? "SPMC" : "SPSC", channel->producer_count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < spec->sink_count; i++)
        write_line(lines, "worker %u: %s (%s) from %s", plan->sinks[i].worker, spec->sinks[i].stage.component,
                   spec->sinks[i].stage.ops->name, spec->channels[spec->sinks[i].channel].stage.component);
}

void ps_plan_describe(const struct ps_plan *plan, unsigned parts,
                      void (*line)(void *argument, const char *text), void *argument)
{
    const struct lines lines = {.plan = plan, .line = line, .argument = argument};
    if (parts & PS_PLAN_BUDGET)
        describe_budget(&lines);
    if (parts & PS_PLAN_COMPONENTS)
        describe_components(&lines);
    if (parts & PS_PLAN_FLOWS)
        describe_flows(&lines);
    if (parts & PS_PLAN_EXPRESSIONS)
        describe_expressions(&lines);
    if (parts & PS_PLAN_ENGINE)
        describe_engine(&lines);
}

/* ---- probes ---- */

static void probe_stage(const struct ps_plan *plan, const struct ps_stage_spec *stage, struct ps_probe *probe)
{
    struct ps_context context = ps_plan_context(plan, stage);
    probe->component = stage->component;
    if (stage->ops->probe != NULL && !stage->unchanged)
        stage->ops->probe(stage->plan, &context, probe);
}

/* Probes the directory of a stage's dead letters; `letters` is not 0 if they go to a channel. */
static void probe_letters(const char *directory, unsigned letters, const struct ps_stage_spec *stage,
                          const struct ps_probe *probe)
{
    if (directory != NULL && letters == 0 && !stage->unchanged)
        ps_probe_directory_to_make_last(probe, "penstock.deadletter", directory);
}

void ps_plan_probe(const struct ps_plan *plan, struct ps_probe *probe)
{
    const struct ps_agent_spec *spec = plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        probe_stage(plan, &spec->sources[i].stage, probe);
        probe_letters(spec->sources[i].common->deadletter, spec->sources[i].letters, &spec->sources[i].stage,
                      probe);
        for (size_t k = 0; k < spec->sources[i].interceptor_count; k++)
            probe_stage(plan, &spec->sources[i].interceptors[k], probe);
        probe_stage(plan, &spec->sources[i].selector, probe);
    }
    for (size_t i = 0; i < spec->channel_count; i++)
        probe_stage(plan, &spec->channels[i].stage, probe);
    for (size_t i = 0; i < spec->sink_count; i++) {
        probe_stage(plan, &spec->sinks[i].stage, probe);
        probe_letters(spec->sinks[i].common.deadletter, spec->sinks[i].letters, &spec->sinks[i].stage, probe);
    }
}
