/* The specs of tests/support/flow.h: the same agent as its components are now, and what the next one changes. */
#include "tests/support/flow.h"
#include "tests/support/flow_channel.h"

#include "conf/bind.h"
#include "conf/problem.h"
#include "core/arena.h"
#include "stages/table.h"

/* ---- sink groups ---- */

static uint64_t draw(uint64_t *random, uint64_t below)
{
    return ps_test_random(random) % below;
}

void flow_draw_groups(struct flow *flow, uint64_t *random, uint64_t max_ms)
{
    bool apart = draw(random, 3) == 0;
    while (flow->sink_count < FLOW_SINKS_MAX && draw(random, 3) > 0)
        flow->sinks[flow->sink_count++].channel = (unsigned)draw(random, flow->channel_count);
    for (unsigned i = 0; i < FLOW_GROUPS_MAX; i++)
        flow->groups[i] = (struct ps_processor_settings){
            .type = draw(random, 2) == 0 ? PS_PROCESSOR_FAILOVER : PS_PROCESSOR_LOAD_BALANCE,
            .random = draw(random, 3) == 0,
            .backoff = draw(random, 2) == 0,
            .max_ms = 1 + (int64_t)draw(random, max_ms)};
    for (unsigned i = 0; i < flow->sink_count; i++) {
        unsigned nth =
            apart ? (unsigned)draw(random, 3) : 0; /* 0, 1: the first, second group of its channel; 2: none */
        flow->sinks[i].group = nth == 2 ? 0 : 1 + 2 * flow->sinks[i].channel + nth;
        if (flow->sinks[i].group > FLOW_GROUPS_MAX)
            flow->sinks[i].group = 0;
    }
}

/* ---- specs ---- */

static char *text_of(struct ps_arena *arena, const char *kind, const char *letter, unsigned number, bool name)
{
    return name ? ps_arena_format(arena, "%s%u", letter, number)
                : ps_arena_format(arena, "%s %s%u", kind, letter, number);
}

/* Returns a number that changes when the part does. Selectors and interceptors have the number of their source. */
static unsigned version_of(const struct flow *flow, enum ps_kind kind, unsigned number)
{
    return kind == PS_KIND_SINK      ? flow->sinks[number].version
           : kind == PS_KIND_CHANNEL ? flow->version[number]
                                     : flow->sources[number].version +
                                           (kind != PS_KIND_SOURCE) * flow->sources[number].chain_version;
}

static struct ps_stage_spec stage_spec(struct flow *flow, struct ps_arena *arena,
                                       const struct ps_stage_ops *ops, const char *kind, const char *letter,
                                       unsigned number)
{
    struct flow_plan *plan = ps_arena_alloc(arena, sizeof *plan);
    *plan =
        (struct flow_plan){.flow = flow, .number = number, .version = version_of(flow, ops->kind, number)};
    if (ops->kind == PS_KIND_SELECTOR)
        plan->channels = flow->sources[number].channels;
    return (struct ps_stage_spec){
        .name = text_of(arena, kind, letter, number, true),
        .component = text_of(arena, kind, letter, number, false),
        .ops = ops,
        .plan = plan,
        .fingerprint = ps_arena_format(arena, "%u", plan->version),
    };
}

/* Binds the rows of a stage of penstock's own. */
static void bind_plan(struct ps_arena *arena, struct ps_stage_spec *spec, const char *prefix,
                      const struct ps_pairs *pairs)
{
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = prefix};
    spec->plan = ps_arena_alloc(arena, spec->ops->plan_size);
    assert_int_equal(ps_bind_options(&bind, spec->ops->options, NULL, pairs, spec->plan), PS_OK);
    ps_problems_fini(&problems);
}

/* A class in Java, whose name says nothing. */
static struct ps_stage_spec java_spec(struct flow *flow, struct ps_arena *arena,
                                      const struct ps_stage_ops *ops, const char *kind, const char *letter,
                                      unsigned number)
{
    static const struct ps_pair type = {.key = "type", .value = "org.example.Class"};
    struct ps_stage_spec spec = stage_spec(flow, arena, ops, kind, letter, number);
    struct ps_pair *items = ps_arena_alloc(arena, sizeof *items);
    items[0] = type;
    bind_plan(arena, &spec, "a1.java.", &(struct ps_pairs){1, items});
    return spec;
}

static void source_spec(struct flow *flow, struct ps_arena *arena, unsigned number,
                        struct ps_source_spec *spec)
{
    static const struct ps_stage_ops *const kinds[] = {
        [FLOW_STREAM] = &flow_source_stream,
        [FLOW_CALLS] = &flow_source_calls,
        [FLOW_POSITION] = &flow_source_position,
    };
    struct flow_source *source = &flow->sources[number];
    source->version += source->changes;
    source->chain_version += source->chain_changes;
    spec->stage = source->java ? java_spec(flow, arena, &ps_source_java, "source", "r", number)
                               : stage_spec(flow, arena, kinds[source->kind], "source", "r", number);
    spec->interceptors = ps_arena_alloc(arena, 3 * sizeof *spec->interceptors);
    spec->interceptors[spec->interceptor_count++] =
        stage_spec(flow, arena, &flow_interceptor, "interceptor", "i", number);
    if (source->java_chain)
        spec->interceptors[spec->interceptor_count++] =
            java_spec(flow, arena, &ps_interceptor_java, "interceptor", "x", number);
    spec->interceptors[spec->interceptor_count++] =
        stage_spec(flow, arena, &flow_second_interceptor, "interceptor", "j", number);
    spec->selector = stage_spec(flow, arena, &flow_selector, "selector", "s", number);
    spec->channels = ps_arena_alloc(arena, FLOW_CHANNELS_MAX * sizeof *spec->channels);
    for (unsigned c = 0; c < flow->channel_count; c++) {
        if (source->channels >> c & 1)
            spec->channels[spec->channel_count++] = c;
    }
    spec->letters = flow->letters_of_sinks_only ? 0 : flow->letters;
    spec->common = ps_arena_alloc(arena, sizeof *spec->common);
    *spec->common = (struct ps_source_common){
        .backoff_increment_ms = 1, .backoff_max_ms = 5, .workers = (int64_t)source->instances};
}

static struct ps_stage_spec channel_spec(struct flow *flow, struct ps_arena *arena, unsigned number)
{
    if ((flow->durable & ~flow->as_memory) >> number & 1) {
        struct ps_stage_spec durable = stage_spec(flow, arena, &flow_channel_stage, "channel", "c", number);
        durable.plan = flow_channel_plan(flow, arena, number);
        return durable;
    }
    struct ps_stage_spec spec = stage_spec(flow, arena, &ps_channel_memory, "channel", "c", number);
    struct ps_pair *items = ps_arena_alloc(arena, 3 * sizeof *items);
    items[0] = (struct ps_pair){.key = "capacity", .value = flow->capacity};
    items[1] = (struct ps_pair){.key = "transactionCapacity", .value = "1"};
    items[2] = (struct ps_pair){.key = "keep-alive", .value = flow->keep_alive_s};
    bind_plan(arena, &spec, "a1.channels.c.", &(struct ps_pairs){3, items});
    return spec;
}

static void group_specs(const struct flow *flow, struct ps_agent_spec *spec)
{
    static const int32_t falling[FLOW_SINKS_MAX] = {8, 7, 6, 5, 4, 3, 2, 1};
    spec->groups = ps_arena_alloc(spec->arena, FLOW_GROUPS_MAX * sizeof *spec->groups);
    spec->group_count = FLOW_GROUPS_MAX;
    for (unsigned i = 0; i < FLOW_GROUPS_MAX; i++) {
        spec->groups[i] =
            (struct ps_group_spec){.name = text_of(spec->arena, "sink group", "g", i, true),
                                   .component = text_of(spec->arena, "sink group", "g", i, false),
                                   .settings = flow->groups[i],
                                   .fingerprint = "the same"};
        spec->groups[i].settings.count = 0;
        spec->groups[i].settings.priorities = falling;
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        if (flow->sinks[i].group == 0)
            continue;
        spec->sinks[i].group = &spec->groups[flow->sinks[i].group - 1];
        spec->sinks[i].member = spec->groups[flow->sinks[i].group - 1].settings.count++;
    }
}

struct ps_agent_spec *flow_spec(struct flow *flow)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_agent_spec *spec = ps_arena_alloc(arena, sizeof *spec);
    *spec = (struct ps_agent_spec){
        .name = "a1",
        .arena = arena,
        .options = flow->options,
        .sources = ps_arena_alloc(arena, FLOW_SOURCES_MAX * sizeof *spec->sources),
        .channels = ps_arena_alloc(arena, FLOW_CHANNELS_MAX * sizeof *spec->channels),
        .sinks = ps_arena_alloc(arena, FLOW_SINKS_MAX * sizeof *spec->sinks),
        .source_count = flow->source_count,
        .channel_count = flow->channel_count,
        .sink_count = flow->sink_count,
    };
    for (unsigned i = 0; i < flow->source_count; i++)
        source_spec(flow, arena, i, &spec->sources[i]);
    for (unsigned i = 0; i < flow->channel_count; i++)
        flow->version[i] += !(flow->channels_stay >> i & 1);
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].version += !flow->sinks[i].stays;
    for (unsigned i = 0; i < flow->channel_count; i++) {
        spec->channels[i].stage = channel_spec(flow, arena, i);
        spec->channels[i].stage.name = text_of(arena, "channel", "c", 10 * flow->names[i] + i, true);
        spec->channels[i].stage.component = text_of(arena, "channel", "c", 10 * flow->names[i] + i, false);
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        const struct ps_stage_ops *ops = flow->sinks[i].sockets ? &flow_sink_with_sockets : &flow_sink_stage;
        spec->sinks[i].stage = flow->sinks[i].java ? java_spec(flow, arena, &ps_sink_java, "sink", "k", i)
                                                   : stage_spec(flow, arena, ops, "sink", "k", i);
        spec->sinks[i].channel = flow->sinks[i].channel;
        spec->sinks[i].letters = flow->sinks[i].channel + 1 != flow->letters ? flow->letters : 0;
    }
    group_specs(flow, spec);
    return spec;
}

void flow_draw_changes(struct flow *flow, uint64_t *random)
{
    bool much = draw(random, 2) == 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].changes = (unsigned)draw(random, 2);
        flow->sources[i].chain_changes = (unsigned)draw(random, 2);
    }
    flow->channels_stay = much ? (unsigned)draw(random, 1U << flow->channel_count) : UINT32_MAX;
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].stays = draw(random, much ? 2 : 8) > 0;
}

void flow_take_back(struct flow *flow)
{
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].version -= flow->sources[i].changes;
        flow->sources[i].chain_version -= flow->sources[i].chain_changes;
    }
    for (unsigned i = 0; i < flow->channel_count; i++)
        flow->version[i] -= !(flow->channels_stay >> i & 1);
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].version -= !flow->sinks[i].stays;
}

bool flow_sink_stays(const struct flow *flow, unsigned sink)
{
    const struct flow_sink *one = &flow->sinks[sink];
    for (unsigned i = 0; one->group != 0 && i < flow->sink_count; i++) {
        if (flow->sinks[i].group == one->group && !flow->sinks[i].stays)
            return false;
    }
    return one->stays && (flow->channels_stay >> one->channel & 1);
}
