#include "core/engine/plan.h"
#include "core/quantity.h"
#include "core/stage_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_MIN_BYTES (UINT64_C(16) << 20)
/* Percentage of the memory that the process may use; a larger budget gets a warning. */
#define BUDGET_PERCENT_MAX 75U
/* Bytes that one source instance needs: it keeps two blocks, and fills up to six. With fewer bytes, idle instances
 * would starve others for ever. Every channel and every sink may hold as much for one batch. A source's leases in a
 * channel may use more memory than they are charged with (ps_batch_charge). */
#define BUDGET_SOURCE_BYTES (PS_BATCH_FILL_BYTES + UINT64_C(2) * PS_BLOCK_BYTES)
#define BUDGET_PRODUCER_BYTES (UINT64_C(2) * PS_BLOCK_BYTES)
/* Share of the remaining blocks that all channels have together; the rest is for leases in flight in sinks. */
#define CHANNELS_PERCENT 70
#define CLIENT_QUEUE_MIN_BYTES (UINT64_C(1) << 20)
/* Maximum number of bytes that one client library may queue. More than a round trip needs would only cost memory: the
 * library adds some 400 bytes to each message. */
#define CLIENT_QUEUE_MAX_BYTES (UINT64_C(16) << 20)

uint32_t ps_batch_events_limit(uint64_t capacity, uint64_t limit)
{
    uint64_t quarter = capacity / 4;
    if (capacity == 0)
        return (uint32_t)limit;
    if (quarter < 1)
        quarter = 1;
    return (uint32_t)(quarter < limit ? quarter : limit);
}

static bool channel_has_clients(const struct ps_agent_spec *spec, unsigned channel)
{
    return spec->channels[channel].stage.ops->client_holds_events;
}

/* Returns whether the dead letters go to a channel whose client library queues events. `letters`: the number of the
 * channel, plus 1; 0: they go to no channel. */
static bool letters_have_client(const struct ps_agent_spec *spec, unsigned letters)
{
    return letters > 0 && channel_has_clients(spec, letters - 1);
}

/* Counts the clients whose library queues events. Each sink and each instance of a source may have a client of its own,
 * a client at its channel, and a client at the channel of its dead letters. */
static unsigned client_count(const struct ps_agent_spec *spec)
{
    unsigned clients = 0;
    for (size_t i = 0; i < spec->sink_count; i++)
        clients += 0U + spec->sinks[i].stage.ops->client_holds_events +
                   channel_has_clients(spec, spec->sinks[i].channel) +
                   letters_have_client(spec, spec->sinks[i].letters);
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_spec *source = &spec->sources[i];
        unsigned each =
            0U + source->stage.ops->client_holds_events + letters_have_client(spec, source->letters);
        for (size_t k = 0; k < source->channel_count; k++)
            each += channel_has_clients(spec, source->channels[k]);
        clients += each * (unsigned)source->common->workers;
    }
    return clients;
}

/* Returns the bytes that one client may queue: an equal share of a quarter of the budget. */
static uint64_t client_queue_bytes(const struct ps_plan *plan)
{
    unsigned clients = client_count(plan->spec);
    uint64_t share = plan->memory_budget_bytes / 4 / (clients > 0 ? clients : 1);
    return share < CLIENT_QUEUE_MIN_BYTES   ? CLIENT_QUEUE_MIN_BYTES
           : share > CLIENT_QUEUE_MAX_BYTES ? CLIENT_QUEUE_MAX_BYTES
                                            : share;
}

/* Returns the bytes of blocks that are needed so that no component can stop another one for ever. The sink of a
 * channel that makes batches of its own (it has `leave`) fills batches as a source does; so does a component with
 * dead letters. */
static uint64_t blocks_needed(const struct ps_agent_spec *spec)
{
    uint64_t needed = (spec->channel_count + spec->sink_count) * PS_BATCH_FILL_BYTES;
    for (size_t i = 0; i < spec->sink_count; i++) {
        if (spec->channels[spec->sinks[i].channel].stage.ops->channel->leave != NULL)
            needed += BUDGET_SOURCE_BYTES;
        if (spec->sinks[i].letters > 0)
            needed += BUDGET_SOURCE_BYTES + BUDGET_PRODUCER_BYTES;
    }
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct ps_source_spec *source = &spec->sources[i];
        uint64_t each = BUDGET_SOURCE_BYTES + source->channel_count * BUDGET_PRODUCER_BYTES;
        if (source->letters > 0)
            each += BUDGET_SOURCE_BYTES + BUDGET_PRODUCER_BYTES;
        needed += (uint64_t)source->common->workers * each;
    }
    return needed;
}

static uint64_t budget_needed(const struct ps_agent_spec *spec)
{
    uint64_t needed = blocks_needed(spec) + client_count(spec) * 2 * CLIENT_QUEUE_MIN_BYTES;
    return needed > BUDGET_MIN_BYTES ? needed : BUDGET_MIN_BYTES;
}

/* Sets the bytes that each channel and each sink may hold. Their sum is at most the budget less the bytes that the
 * sources and the workers' caches of free blocks need, so that no component can stop the others. */
static void share_blocks(struct ps_plan *plan)
{
    const struct ps_agent_spec *spec = plan->spec;
    uint64_t used = blocks_needed(spec) + ps_block_caches_bytes(plan->block_budget_bytes, plan->worker_count);
    uint64_t rest = plan->block_budget_bytes > used ? plan->block_budget_bytes - used : 0;
    uint64_t channels = rest / 100 * CHANNELS_PERCENT;
    plan->channel_quota_bytes =
        PS_BATCH_FILL_BYTES + channels / (spec->channel_count > 0 ? spec->channel_count : 1);
    plan->sink_quota_bytes =
        PS_BATCH_FILL_BYTES + (rest - channels) / (spec->sink_count > 0 ? spec->sink_count : 1);
}

static uint64_t budget_of(const struct ps_agent_spec *spec, const struct ps_machine *machine)
{
    if (spec->options.memory_budget > 0)
        return (uint64_t)spec->options.memory_budget;
    uint64_t budget = machine->memory_bytes / 4;
    if (machine->heap_hint_bytes > 0 && machine->heap_hint_bytes < budget)
        budget = machine->heap_hint_bytes;
    uint64_t needed = budget_needed(spec);
    return budget < needed ? needed : budget;
}

static unsigned number_of(unsigned *count, unsigned *workers, unsigned worker)
{
    workers[*count] = worker;
    return (*count)++;
}

/* Returns a sink before this one that is in the same group and takes from the same channel; NULL: none. */
static const struct ps_sink_plan *same_consumer(const struct ps_plan *plan, size_t sink)
{
    const struct ps_sink_spec *sinks = plan->spec->sinks;
    for (size_t i = 0; i < sink && sinks[sink].group != NULL; i++) {
        if (sinks[i].group == sinks[sink].group && sinks[i].channel == sinks[sink].channel)
            return &plan->sinks[i];
    }
    return NULL;
}

/* Makes a component on this worker a producer of the channel for its dead letters. */
static struct ps_dead_letter_target target_of(struct ps_plan *plan, unsigned letters, unsigned worker)
{
    if (letters == 0)
        return (struct ps_dead_letter_target){.is_channel = false};
    struct ps_channel_plan *channel = &plan->channels[letters - 1];
    unsigned producer = number_of(&channel->producer_count, channel->producer_workers, worker);
    return (struct ps_dead_letter_target){.is_channel = true, .channel = letters - 1, .producer = producer};
}

/* Numbers the producers of letters after the producers of events, whose numbers then do not depend on dead letters. */
static void connect_letters(struct ps_plan *plan)
{
    struct ps_agent_spec *spec = plan->spec;
    for (size_t i = 0; i < spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        source->letters = ps_arena_alloc(spec->arena, source->instance_count * sizeof *source->letters);
        for (unsigned k = 0; k < source->instance_count; k++)
            source->letters[k] = target_of(plan, source->spec->letters, source->workers[k]);
    }
    for (size_t i = 0; i < spec->sink_count; i++)
        plan->sinks[i].letters = target_of(plan, spec->sinks[i].letters, plan->sinks[i].worker);
}

/* Numbers the producers (one per source instance and channel, and one for each runner whose dead letters go there)
 * and the consumers (one per sink, or per group) of each channel. */
static void connect_channels(struct ps_plan *plan)
{
    struct ps_agent_spec *spec = plan->spec;
    size_t producers_max = 1 + spec->sink_count;
    for (size_t i = 0; i < spec->source_count; i++)
        producers_max += 2 * plan->sources[i].instance_count;
    for (size_t i = 0; i < spec->channel_count; i++) {
        struct ps_channel_plan *channel = &plan->channels[i];
        channel->spec = &spec->channels[i];
        channel->producer_workers = ps_arena_alloc(spec->arena, producers_max * sizeof(unsigned));
        channel->consumer_workers = ps_arena_alloc(spec->arena, (spec->sink_count + 1) * sizeof(unsigned));
    }
    for (size_t i = 0; i < spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        size_t count = source->spec->channel_count;
        source->producers =
            ps_arena_alloc(spec->arena, (source->instance_count * count + 1) * sizeof(unsigned));
        source->batch_events_max = (uint32_t)spec->options.batch_events;
        for (size_t c = 0; c < count; c++) {
            struct ps_channel_plan *channel = &plan->channels[source->spec->channels[c]];
            struct ps_fill fill;
            channel->spec->stage.ops->channel->fill(channel->spec->stage.plan, &fill);
            source->batch_events_max = ps_batch_events_limit(fill.capacity, source->batch_events_max);
            for (unsigned k = 0; k < source->instance_count; k++)
                source->producers[k * count + c] =
                    number_of(&channel->producer_count, channel->producer_workers, source->workers[k]);
        }
    }
    connect_letters(plan);
    for (size_t i = 0; i < spec->sink_count; i++) {
        struct ps_channel_plan *channel = &plan->channels[spec->sinks[i].channel];
        const struct ps_sink_plan *other = same_consumer(plan, i);
        if (spec->sinks[i].stage.ops->sink->commits)
            channel->commits = !ps_channel_is_durable(channel->spec->stage.ops->channel);
        plan->sinks[i].consumer = other != NULL ? other->consumer
                                                : number_of(&channel->consumer_count,
                                                            channel->consumer_workers, plan->sinks[i].worker);
    }
}

/* Code, compiled rules, the process that compiles them, TLS, threads and children of exec sources also need memory:
 * when the process reaches its cgroup's limit, the kernel kills it. */
static const char *memory_warning(const struct ps_plan *plan, const struct ps_machine *machine)
{
    uint64_t needed = budget_needed(plan->spec);
    if (plan->spec->options.memory_budget <= 0 && machine->heap_hint_bytes > 0 &&
        machine->heap_hint_bytes < needed)
        return ps_arena_format(plan->spec->arena,
                               "-Xmx asks for %s of memory, and these components need at least %s, which is "
                               "used: raise -Xmx, or set penstock.memory.budget",
                               ps_quantity_print_bytes(machine->heap_hint_bytes).text,
                               ps_quantity_print_bytes(needed).text);
    uint64_t limit_bytes = machine->memory_bytes / 100 * BUDGET_PERCENT_MAX;
    if (plan->memory_budget_bytes <= limit_bytes &&
        plan->java_heap_bytes <= limit_bytes - plan->memory_budget_bytes)
        return NULL;
    const char *heap = plan->java_heap_bytes > 0
                           ? ps_arena_format(plan->spec->arena, " and the heap of Java components is %s",
                                             ps_quantity_print_bytes(plan->java_heap_bytes).text)
                           : "";
    return ps_arena_format(plan->spec->arena,
                           "the memory budget is %s%s, more than %u %% of the %s that this process may use "
                           "(RAM, or its cgroup's "
                           "limit): lower penstock.memory.budget%s, or raise the limit (systemd: MemoryMax=)",
                           ps_quantity_print_bytes(plan->memory_budget_bytes).text, heap, BUDGET_PERCENT_MAX,
                           ps_quantity_print_bytes(machine->memory_bytes).text,
                           *heap != '\0' ? " or -Xmx" : "");
}

struct ps_plan *ps_plan_create(struct ps_agent_spec *spec, const struct ps_machine *machine,
                               const struct ps_plan *before, struct ps_err *err)
{
    struct ps_plan *plan = ps_must_alloc(1, sizeof *plan, "a plan");
    plan->spec = spec;
    plan->memory_budget_bytes = budget_of(spec, machine);
    plan->java_heap_bytes = machine->java_heap_bytes;
    plan->memory_warning = memory_warning(plan, machine);
    plan->sources = ps_arena_alloc(spec->arena, (spec->source_count + 1) * sizeof *plan->sources);
    plan->channels = ps_arena_alloc(spec->arena, (spec->channel_count + 1) * sizeof *plan->channels);
    plan->sinks = ps_arena_alloc(spec->arena, (spec->sink_count + 1) * sizeof *plan->sinks);
    if (plan->memory_budget_bytes < budget_needed(spec)) {
        ps_err_set(err, "penstock.memory.budget is %s: at least %s are needed",
                   ps_quantity_print_bytes(plan->memory_budget_bytes).text,
                   ps_quantity_print_bytes(budget_needed(spec)).text);
        ps_plan_destroy(plan);
        return NULL;
    }
    plan->client_queue_bytes = client_queue_bytes(plan);
    plan->block_budget_bytes = plan->memory_budget_bytes - client_count(spec) * plan->client_queue_bytes;
    plan->reserved_bytes = before != NULL ? before->reserved_bytes : plan->block_budget_bytes;
    /* The new plan has fewer client libraries, or a larger budget. */
    if (plan->block_budget_bytes > plan->reserved_bytes)
        plan->block_budget_bytes = plan->reserved_bytes;
    if (plan->block_budget_bytes < blocks_needed(spec)) {
        ps_err_set(err,
                   "the new configuration needs %s of memory for its batches, and the agent has reserved %s: "
                   "restart the agent",
                   ps_quantity_print_bytes(blocks_needed(spec)).text,
                   ps_quantity_print_bytes(plan->block_budget_bytes).text);
        ps_plan_destroy(plan);
        return NULL;
    }
    ps_plan_place(plan, machine, before);
    share_blocks(plan);
    connect_channels(plan);
    if (ps_topology_check(plan, err) != PS_OK) {
        ps_plan_destroy(plan);
        return NULL;
    }
    return plan;
}

/* ---- build ---- */

static void report_to_log(const struct ps_context *context, enum ps_log_level severity, const char *key,
                          const char *message)
{
    ps_log(severity, context->component, "%s: %s", key, message);
}

struct ps_context ps_plan_context(const struct ps_plan *plan, const struct ps_stage_spec *stage)
{
    const struct ps_agent_spec *spec = plan->spec;
    return (struct ps_context){
        .agent = spec->name,
        .component = stage->component,
        .name = stage->name,
        .arena = spec->arena,
        .system_property = spec->system_property,
        .read_properties = spec->read_properties,
        .sub_stage = spec->sub_stage,
        .argument = spec->argument,
        .instances = 1,
        .batch_events_max = (uint32_t)spec->options.batch_events,
        .memory_budget_bytes = plan->memory_budget_bytes,
        .channel_quota_bytes = plan->channel_quota_bytes,
        .client_queue_bytes = plan->client_queue_bytes,
        .program = spec->program,
        .running = plan->running,
        .class_path = spec->class_path,
    };
}

static enum ps_status build_stage(const struct ps_stage_spec *stage, struct ps_context *context,
                                  struct ps_err *err)
{
    context->report = report_to_log;
    if (ps_stage_build(stage->ops, stage->plan, context, err) == PS_OK)
        return PS_OK;
    return ps_err_append(err, "while building %s", stage->component);
}

static void teardown_stage(const struct ps_stage_spec *stage)
{
    if (stage->ops->teardown != NULL)
        stage->ops->teardown(stage->plan);
}

static void teardown_chain(const struct ps_source_spec *source, size_t interceptors, bool selector)
{
    if (selector)
        teardown_stage(&source->selector);
    while (interceptors-- > 0)
        teardown_stage(&source->interceptors[interceptors]);
}

static void chain_share_end(struct ps_chain_share *share)
{
    if (share->value != NULL)
        share->destroy(share->value);
    *share = (struct ps_chain_share){.value = NULL};
}

/* Makes the context of a source or of its selector: the two contexts that have the source's channels. */
static struct ps_context context_with_channels(struct ps_plan *plan, const struct ps_source_plan *source,
                                               const struct ps_stage_spec *stage)
{
    const struct ps_source_spec *spec = source->spec;
    struct ps_context context = ps_plan_context(plan, stage);
    const char **names = ps_arena_alloc(plan->spec->arena, (spec->channel_count + 1) * sizeof *names);
    for (size_t i = 0; i < spec->channel_count; i++)
        names[i] = plan->channels[spec->channels[i]].spec->stage.name;
    context.channels = (struct ps_texts){spec->channel_count, names};
    context.instances = source->instance_count;
    context.batch_events_max = source->batch_events_max;
    return context;
}

static enum ps_status build_chain(struct ps_plan *plan, struct ps_source_plan *source, struct ps_err *err)
{
    const struct ps_source_spec *spec = source->spec;
    size_t interceptors = 0;
    bool selector = false;
    for (; interceptors < spec->interceptor_count; interceptors++) {
        struct ps_context context = ps_plan_context(plan, &spec->interceptors[interceptors]);
        context.instances = source->instance_count;
        context.chain = &source->chain;
        context.source_type = spec->stage.ops->name;
        if (build_stage(&spec->interceptors[interceptors], &context, err) != PS_OK)
            goto failed;
    }
    struct ps_context context = context_with_channels(plan, source, &spec->selector);
    context.chain = &source->chain;
    if (build_stage(&spec->selector, &context, err) != PS_OK)
        goto failed;
    selector = true;
    if (source->chain.value != NULL && source->chain.finish(source->chain.value, err) != PS_OK) {
        ps_err_append(err, "while building the chain of %s", spec->stage.component);
        goto failed;
    }
    return PS_OK;
failed:
    chain_share_end(&source->chain); /* the share refers to memory of the stages, so it ends before they do */
    teardown_chain(spec, interceptors, selector);
    return PS_FAIL;
}

static enum ps_status build_source(struct ps_plan *plan, struct ps_source_plan *source, struct ps_err *err)
{
    struct ps_context context = context_with_channels(plan, source, &source->spec->stage);
    return build_stage(&source->spec->stage, &context, err);
}

/* ---- teardown: in reverse order ---- */

static void unbuild_source(struct ps_source_plan *source)
{
    if (source->built.here)
        teardown_stage(&source->stages->stage);
    source->built.here = false;
    if (!source->chain_built.here)
        return;
    chain_share_end(&source->chain);
    teardown_chain(source->chain_stages, source->chain_stages->interceptor_count, true);
    source->chain_built.here = false;
}

static void unbuild_channel(struct ps_channel_plan *channel)
{
    teardown_stage(&channel->spec->stage);
    free(channel->counters);
    channel->counters = NULL;
    free(channel->waiters);
    channel->waiters = NULL;
    free(channel->held_back);
    channel->held_back = NULL;
}

/* Tears down the stages built here that do not stay in another plan. */
static void plan_unbuild(struct ps_plan *plan)
{
    const struct ps_agent_spec *spec = plan->spec;
    for (size_t i = spec->source_count; i-- > 0;)
        unbuild_source(&plan->sources[i]);
    for (size_t i = spec->sink_count; i-- > 0; plan->sinks[i].built.here = false) {
        if (plan->sinks[i].built.here)
            teardown_stage(plan->sinks[i].stage);
    }
    for (size_t i = spec->channel_count; i-- > 0; plan->channels[i].built.here = false) {
        if (plan->channels[i].built.here)
            unbuild_channel(&plan->channels[i]);
    }
}

static void plan_free(struct ps_plan *plan)
{
    plan_unbuild(plan);
    ps_arena_destroy(plan->spec->arena);
    free(plan);
}

/* Destroys the newest plan first: its stages may be in the memory of the older ones. */
void ps_plan_destroy(struct ps_plan *plan)
{
    while (plan != NULL) {
        struct ps_plan *older = plan->older;
        plan_free(plan);
        plan = older;
    }
}

/* ---- build ---- */

static enum ps_status build_channel(struct ps_plan *plan, struct ps_channel_plan *channel, struct ps_err *err)
{
    struct ps_context context = ps_plan_context(plan, &channel->spec->stage);
    context.producers = channel->producer_count;
    context.consumers = channel->consumer_count;
    size_t sides = channel->producer_count + channel->consumer_count + 1;
    channel->counters = ps_must_alloc_aligned(sides * sizeof *channel->counters, "a channel's counters");
    context.counters = channel->counters;
    if (build_stage(&channel->spec->stage, &context, err) != PS_OK) {
        free(channel->counters);
        channel->counters = NULL;
        return PS_FAIL;
    }
    channel->waiters = ps_must_alloc_aligned(sizeof *channel->waiters, "a channel's waiters");
    channel->held_back =
        ps_must_alloc(channel->producer_count + 1, sizeof *channel->held_back, "a channel's producers");
    return PS_OK;
}

static enum ps_status build_sink(struct ps_plan *plan, struct ps_sink_plan *sink, struct ps_err *err)
{
    struct ps_context context = ps_plan_context(plan, sink->stage);
    return build_stage(sink->stage, &context, err);
}

static enum ps_status build_all(struct ps_plan *plan, struct ps_err *err)
{
    const struct ps_agent_spec *spec = plan->spec;
    const struct ps_built mine = {plan, true};
    for (size_t i = 0; i < spec->channel_count; i++) {
        if (plan->channels[i].adopts != NULL)
            continue;
        if (build_channel(plan, &plan->channels[i], err) != PS_OK)
            return PS_FAIL;
        plan->channels[i].built = mine;
    }
    for (size_t i = 0; i < spec->sink_count; i++) {
        if (plan->sinks[i].adopts != NULL)
            continue;
        if (build_sink(plan, &plan->sinks[i], err) != PS_OK)
            return PS_FAIL;
        plan->sinks[i].built = mine;
    }
    for (size_t i = 0; i < spec->source_count; i++) {
        struct ps_source_plan *source = &plan->sources[i];
        if (!source->adopts_chain) {
            if (build_chain(plan, source, err) != PS_OK)
                return PS_FAIL;
            source->chain_built = mine;
        }
        if (source->adopts == NULL) {
            if (build_source(plan, source, err) != PS_OK)
                return PS_FAIL;
            source->built = mine;
        }
    }
    return PS_OK;
}

enum ps_status ps_plan_build(struct ps_plan *plan, struct ps_err *err)
{
    if (build_all(plan, err) == PS_OK)
        return PS_OK;
    plan_unbuild(plan);
    return PS_FAIL;
}

void ps_plan_start(struct ps_plan *plan)
{
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        if (plan->channels[i].adopts == NULL && stage->ops->channel->start != NULL)
            stage->ops->channel->start(stage->plan);
    }
}

/* ---- from plan to plan ---- */

/* Makes the next plan the owner of the stages that it adopted. */
static void hand_over(struct ps_plan *next)
{
    for (size_t i = 0; i < next->spec->source_count; i++) {
        struct ps_source_plan *source = &next->sources[i], *old = source->adopts;
        if (old == NULL)
            continue;
        source->built.here = true;
        old->built.here = false;
        if (!source->adopts_chain)
            continue;
        source->chain = old->chain;
        old->chain = (struct ps_chain_share){.value = NULL};
        source->chain_built.here = true;
        old->chain_built.here = false;
    }
    for (size_t i = 0; i < next->spec->channel_count; i++) {
        if (next->channels[i].adopts == NULL)
            continue;
        next->channels[i].built.here = true;
        next->channels[i].adopts->built.here = false;
    }
    for (size_t i = 0; i < next->spec->sink_count; i++) {
        if (next->sinks[i].adopts == NULL)
            continue;
        next->sinks[i].built.here = true;
        next->sinks[i].adopts->built.here = false;
    }
}

static bool has_stages_in(const struct ps_plan *plan, const struct ps_plan *earlier)
{
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        if (plan->sources[i].built.by == earlier || plan->sources[i].chain_built.by == earlier)
            return true;
    }
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        if (plan->channels[i].built.by == earlier)
            return true;
    }
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        if (plan->sinks[i].built.by == earlier)
            return true;
    }
    return false;
}

void ps_plan_retire(struct ps_plan *plan, struct ps_plan *next)
{
    hand_over(next);
    plan_unbuild(plan);
    /* Unloads the plan's plug-ins even if its memory is kept for adopted stages: `next` has loaded them again. */
    ps_arena_end(plan->spec->arena);
    struct ps_plan **kept = &next->older;
    while (plan != NULL) {
        struct ps_plan *older = plan->older;
        plan->older = NULL;
        if (has_stages_in(next, plan)) {
            *kept = plan;
            kept = &plan->older;
        } else {
            plan_free(plan);
        }
        plan = older;
    }
}
