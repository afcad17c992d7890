#include "tests/support/flow.h"
#include "tests/support/flow_channel.h"

#include "conf/bind.h"
#include "conf/problem.h"
#include "core/arena.h"

#include <stdio.h>

extern const struct ps_stage_ops ps_channel_memory;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9E3779B97F4A7C15);
    x ^= x >> 29;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ (x >> 32);
}

bool flow_chance(uint64_t *random, unsigned of_1000)
{
    return of_1000 > 0 && ps_test_random(random) % 1000 < of_1000;
}

bool flow_drops(const struct flow *flow, unsigned origin, uint64_t number)
{
    return flow->chances.drop > 0 && mix(number + ((uint64_t)origin << 48) + 1) % 1000 < flow->chances.drop;
}

bool flow_dies(const struct flow *flow, unsigned origin, uint64_t number)
{
    return flow->letters > 0 && mix(number + ((uint64_t)origin << 48) + 7) % 1000 < flow->chances.die;
}

unsigned flow_choose(const struct flow *flow, unsigned channels, uint64_t number)
{
    if (!flow->multiplex)
        return channels;
    unsigned nth = (unsigned)(mix(number / 3 + 77) % (unsigned)__builtin_popcount(channels));
    while (nth-- > 0)
        channels &= channels - 1;
    return channels & -channels;
}

static uint8_t *ledger(const struct flow *flow)
{
    uint8_t *numbers = calloc(1, flow->total);
    assert_non_null(numbers);
    return numbers;
}

void flow_init(struct flow *flow)
{
    if (flow->capacity == NULL)
        flow->capacity = "1000";
    if (flow->keep_alive_s == NULL)
        flow->keep_alive_s = "3";
    if (flow->body_max == 0)
        flow->body_max = 200;
    if (flow->work_events_max == 0)
        flow->work_events_max = 100;
    if (flow->options.batch_events == 0)
        flow->options.batch_events = PS_BATCH_EVENTS_MAX;
    if (flow->options.memory_budget == 0)
        flow->options.memory_budget = 32 << 20;
    if (flow->options.drain_timeout_ms == 0)
        flow->options.drain_timeout_ms = 60000;
    if (flow->options.reload_timeout_ms == 0)
        flow->options.reload_timeout_ms = 20;
    for (unsigned i = 0; i < flow->source_count; i++) {
        struct flow_source *source = &flow->sources[i];
        if (source->instances == 0)
            source->instances = 1;
        if (source->channels == 0)
            source->channels = (1U << flow->channel_count) - 1;
        if (flow->letters > 0)
            source->channels &= ~(1U << (flow->letters - 1));
        for (unsigned k = 0; k < source->instances; k++) {
            unsigned origin = flow_origin_number(i, k);
            flow->told[origin] = ledger(flow);
            flow->died[origin] = ledger(flow);
            for (unsigned c = 0; c < flow->channel_count; c++) {
                flow->seen[c][origin] = ledger(flow);
                flow->kept[c][origin] = flow->durable >> c & 1 ? ledger(flow) : NULL;
            }
        }
    }
    for (unsigned c = 0; c < flow->channel_count; c++) {
        if (flow->durable >> c & 1)
            flow->stores[c] = flow_store_create(flow, c);
    }
}

void flow_fini(struct flow *flow)
{
    for (unsigned c = 0; c < FLOW_CHANNELS_MAX; c++) {
        for (unsigned i = 0; i < FLOW_ORIGINS_MAX; i++) {
            free(flow->seen[c][i]);
            free(flow->kept[c][i]);
        }
        flow_store_destroy(flow->stores[c]);
    }
    for (unsigned i = 0; i < FLOW_ORIGINS_MAX; i++) {
        free(flow->told[i]);
        free(flow->routes[i]);
        free(flow->died[i]);
    }
}

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
    spec->stage = stage_spec(flow, arena, kinds[source->kind], "source", "r", number);
    spec->interceptor_count = 2;
    spec->interceptors = ps_arena_alloc(arena, 2 * sizeof *spec->interceptors);
    spec->interceptors[0] = stage_spec(flow, arena, &flow_interceptor, "interceptor", "i", number);
    spec->interceptors[1] = stage_spec(flow, arena, &flow_second_interceptor, "interceptor", "j", number);
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
    struct ps_pairs pairs = {3, items};
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "a1.channels.c."};
    spec.plan = ps_arena_alloc(arena, ps_channel_memory.plan_size);
    assert_int_equal(ps_bind_options(&bind, ps_channel_memory.options, NULL, &pairs, spec.plan), PS_OK);
    ps_problems_fini(&problems);
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
        spec->sinks[i].stage = stage_spec(
            flow, arena, flow->sinks[i].sockets ? &flow_sink_with_sockets : &flow_sink_stage, "sink", "k", i);
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

/* ---- the ledger ---- */

/* Returns the sink under whose number the order of this sink's events is checked: the first sink of its
 * failover group, in which one sink at a time has leases, or itself. */
static unsigned order_of(const struct flow *flow, unsigned sink)
{
    unsigned group = flow->sinks[sink].group;
    if (group == 0 || flow->groups[group - 1].type != PS_PROCESSOR_FAILOVER)
        return sink;
    for (unsigned i = 0; i < sink; i++) {
        if (flow->sinks[i].group == group)
            return i;
    }
    return sink;
}

/* Returns how many sinks or failover groups keep an order of their own in the channel. */
static unsigned orders_of(const struct flow *flow, unsigned channel)
{
    unsigned count = 0;
    for (unsigned i = 0; i < flow->sink_count; i++)
        count += flow->sinks[i].channel == channel && order_of(flow, i) == i;
    return count;
}

static bool body_is_good(const struct ps_lease *lease, const struct ps_event *event,
                         const struct flow_body *body)
{
    char text[32];
    struct ps_slice value;
    if (event->body_length < sizeof *body || body->length != event->body_length ||
        body->check != (uint32_t)mix(body->number ^ body->origin))
        return false;
    for (uint32_t i = sizeof *body; i < event->body_length; i += 1 + event->body_length / 16) {
        if ((uint8_t)event->body[i] != (uint8_t)body->number)
            return false;
    }
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "%llu", (unsigned long long)body->number);
    return ps_event_header(lease->batch, event, ps_name_intern("number"), &value) && value.length == length &&
           memcmp(value.data, text, length) == 0 &&
           ps_event_header(lease->batch, event, ps_name_intern("agent"), &value) && value.length == 2 &&
           memcmp(value.data, "a1", 2) == 0;
}

static bool letter_is_good(const struct ps_lease *lease, const struct ps_event *event)
{
    struct ps_slice component, reason;
    return ps_event_header(lease->batch, event, ps_name_intern("penstock.deadletter.component"),
                           &component) &&
           ps_event_header(lease->batch, event, ps_name_intern("penstock.deadletter.reason"), &reason) &&
           component.length > 5 && reason.length == 5 && memcmp(reason.data, "drawn", 5) == 0;
}

bool flow_body_of(struct flow *flow, unsigned channel, const struct ps_lease *lease, uint32_t position,
                  struct flow_body *body)
{
    const struct ps_event *event = ps_lease_event(lease, position);
    memcpy(body, event->body, sizeof *body);
    bool good =
        body_is_good(lease, event, body) && body->origin < FLOW_ORIGINS_MAX && body->number < flow->total;
    if (good && channel + 1 == flow->letters) /* events in a durable channel lack the headers of a letter */
        good =
            (flow_drops(flow, body->origin, body->number) || flow_dies(flow, body->origin, body->number)) &&
            (flow->durable >> channel & 1 || letter_is_good(lease, event));
    else if (good)
        good = !flow_drops(flow, body->origin, body->number) &&
               (flow_routes_ever(flow, body->origin, body->number) >> channel & 1);
    if (good)
        return true;
    __atomic_fetch_add(&flow->bad, 1, __ATOMIC_RELAXED);
    return false;
}

void flow_dead_letter(struct flow *flow, unsigned number, const struct ps_lease *lease, uint32_t position)
{
    struct flow_body body;
    memcpy(&body, ps_lease_event(lease, position)->body, sizeof body);
    flow_saw(flow, number, lease, position);
    if (!flow->crashed && flow->died[body.origin][body.number] < 255)
        flow->died[body.origin][body.number]++;
}

void flow_saw(struct flow *flow, unsigned number, const struct ps_lease *lease, uint32_t position)
{
    struct flow_sink *sink = &flow->sinks[order_of(flow, number)];
    struct flow_body body;
    if (flow->crashed || !flow_body_of(flow, sink->channel, lease, position, &body))
        return;
    if (body.generation != sink->generation[body.origin] &&
        flow->sources[body.origin / FLOW_INSTANCES_MAX].kind == FLOW_POSITION) {
        if (body.generation < sink->generation[body.origin])
            sink->disorder++;
        sink->last[body.origin] = 0;
    }
    sink->generation[body.origin] = body.generation;
    if (body.number + 1 <= sink->last[body.origin] &&
        flow->sources[body.origin / FLOW_INSTANCES_MAX].kind != FLOW_CALLS) /* a call may be repeated */
        sink->disorder++;
    sink->last[body.origin] = body.number + 1;
    flow->sinks[number].settled++;
    uint8_t *seen = &flow->seen[sink->channel][body.origin][body.number];
    if (__atomic_load_n(seen, __ATOMIC_RELAXED) < 255)
        __atomic_fetch_add(seen, 1, __ATOMIC_RELAXED);
}

bool flow_was_seen(const struct flow *flow, unsigned origin, uint64_t number)
{
    if (flow_drops(flow, origin, number))
        return true;
    unsigned route = flow_route(flow, origin, number) & ~flow->optional;
    for (; route != 0; route &= route - 1) {
        unsigned channel = (unsigned)__builtin_ctz(route);
        if (__atomic_load_n(&flow->seen[channel][origin][number], __ATOMIC_RELAXED) == 0)
            return false;
    }
    return true;
}

void flow_told(struct flow *flow, unsigned origin, uint64_t number, bool delivered)
{
    unsigned route =
        flow_drops(flow, origin, number) ? 0 : flow_route(flow, origin, number) & ~flow->optional;
    if (flow->crashed)
        return;
    flow->told[origin][number] = 1;
    for (; route != 0; route &= route - 1) {
        unsigned channel = (unsigned)__builtin_ctz(route);
        bool durable = flow->durable >> channel & 1;
        bool promised = durable && flow->kept[channel][origin][number];
        if (durable && !(flow->retyped >> channel & 1)
                ? !promised
                : !promised && delivered &&
                      __atomic_load_n(&flow->seen[channel][origin][number], __ATOMIC_RELAXED) == 0)
            fail_msg(
                "the source of origin %u is told of event %llu, which channel c%u has not %s (seed %llu)",
                origin, (unsigned long long)number, channel, durable ? "promised" : "delivered",
                (unsigned long long)flow->seed);
    }
}

bool flow_is_made(const struct flow *flow)
{
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (unsigned k = 0; k < flow->sources[i].instances; k++) {
            const struct flow_origin *origin = &flow->sources[i].origins[k];
            if (__atomic_load_n(flow->sources[i].kind == FLOW_POSITION ? &origin->committed : &origin->next,
                                __ATOMIC_RELAXED) < flow->total)
                return false;
        }
    }
    return true;
}

static uint64_t made_by(const struct flow *flow, unsigned source, unsigned instance)
{
    const struct flow_origin *origin = &flow->sources[source].origins[instance];
    return flow->sources[source].kind == FLOW_POSITION ? origin->committed : origin->next;
}

uint64_t flow_seen(const struct flow *flow)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < flow->sink_count; i++) {
        if (!(flow->optional >> flow->sinks[i].channel & 1) && flow->sinks[i].channel + 1 != flow->letters)
            seen += flow->sinks[i].settled;
    }
    return seen;
}

uint64_t flow_expected(const struct flow *flow)
{
    uint64_t expected = 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (unsigned k = 0; k < flow->sources[i].instances; k++) {
            unsigned origin = flow_origin_number(i, k);
            for (uint64_t n = 0; n < made_by(flow, i, k); n++) {
                if (!flow_drops(flow, origin, n))
                    expected += (unsigned)__builtin_popcount(flow_route(flow, origin, n) & ~flow->optional);
            }
        }
    }
    return expected;
}

uint64_t flow_dropped(const struct flow *flow)
{
    uint64_t dropped = 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (unsigned k = 0; flow->sources[i].kind == FLOW_STREAM && k < flow->sources[i].instances; k++)
            dropped += flow->sources[i].origins[k].dropped;
    }
    return dropped;
}

/* For a run with crashes: returns whether the event was seen, if the source got an answer for it or a durable
 * channel promised it; an event in a memory channel need be seen only if it was reported as delivered. */
static bool survived(const struct flow *flow, unsigned source, unsigned origin, uint64_t number)
{
    unsigned route =
        flow_drops(flow, origin, number) ? 0 : flow_route(flow, origin, number) & ~flow->optional;
    for (; route != 0; route &= route - 1) {
        unsigned channel = (unsigned)__builtin_ctz(route);
        bool durable = flow->durable >> channel & 1;
        bool told = flow->told[origin][number] && (durable || flow->sources[source].kind == FLOW_POSITION);
        if ((told || (durable && flow->kept[channel][origin][number])) &&
            flow->seen[channel][origin][number] == 0)
            return false;
    }
    return true;
}

/* Returns how many events are missing; fails the test when more are missing than may be. */
static uint64_t verify_origin(const struct flow *flow, unsigned source, unsigned instance,
                              enum flow_doubles doubles)
{
    unsigned origin = flow_origin_number(source, instance);
    uint64_t made = made_by(flow, source, instance), missing = 0;
    for (uint64_t n = 0; n < flow->total; n++) {
        bool here =
            flow->crashes ? survived(flow, source, origin, n) : n >= made || flow_was_seen(flow, origin, n);
        missing += !here;
        if (!here && (flow->crashes || flow->sources[source].kind != FLOW_STREAM || missing > flow->given_up))
            fail_msg("lost: source r%u instance %u, event %llu of %llu (seed %llu)", source, instance,
                     (unsigned long long)n, (unsigned long long)made, (unsigned long long)flow->seed);
        for (unsigned c = 0; c < flow->channel_count; c++) {
            if (c + 1 != flow->letters && flow->seen[c][origin][n] > 1 && doubles == FLOW_EXACTLY_ONCE)
                fail_msg("seen %u times: channel c%u, source r%u instance %u, event %llu (seed %llu)",
                         flow->seen[c][origin][n], c, source, instance, (unsigned long long)n,
                         (unsigned long long)flow->seed);
        }
    }
    return missing;
}

bool flow_order_counts(const struct flow *flow, unsigned channel)
{
    return channel + 1 != flow->letters && /* several sinks give events up, each in its own order */
           orders_of(flow, channel) == 1;
}

void flow_verify(const struct flow *flow, enum flow_doubles doubles)
{
    if (flow->bad > 0)
        fail_msg("%llu events differ from what was made (seed %llu)", (unsigned long long)flow->bad,
                 (unsigned long long)flow->seed);
    uint64_t missing = 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (unsigned k = 0; k < flow->sources[i].instances; k++)
            missing += verify_origin(flow, i, k, doubles);
    }
    if (missing > flow->given_up)
        fail_msg("%llu events are missing, %llu were given up (seed %llu)", (unsigned long long)missing,
                 (unsigned long long)flow->given_up, (unsigned long long)flow->seed);
    for (unsigned i = 0; i < flow->sink_count; i++) {
        if (flow_order_counts(flow, flow->sinks[i].channel) && flow->sinks[i].disorder > 0)
            fail_msg("sink k%u: %llu times out of order (seed %llu)", i,
                     (unsigned long long)flow->sinks[i].disorder, (unsigned long long)flow->seed);
    }
}

static void verify_letters_of(const struct flow *flow, unsigned source, unsigned instance,
                              enum flow_doubles doubles)
{
    unsigned origin = flow_origin_number(source, instance);
    uint64_t made = made_by(flow, source, instance);
    bool given_up = flow->sources[source].kind == FLOW_STREAM && flow->given_up > 0;
    for (uint64_t n = 0; n < made; n++) {
        unsigned letters = flow->seen[flow->letters - 1][origin][n];
        unsigned least = flow_drops(flow, origin, n) ? (given_up ? 0 : 1) : flow->died[origin][n];
        if (letters < least || (letters > least && doubles == FLOW_EXACTLY_ONCE && !given_up))
            fail_msg("%u dead letters of %u: source r%u instance %u, event %llu (seed %llu)", letters, least,
                     source, instance, (unsigned long long)n, (unsigned long long)flow->seed);
    }
}

void flow_verify_letters(const struct flow *flow, enum flow_doubles doubles)
{
    for (unsigned i = 0; flow->letters > 0 && i < flow->source_count; i++) {
        for (unsigned k = 0; k < flow->sources[i].instances; k++)
            verify_letters_of(flow, i, k, doubles);
    }
}
