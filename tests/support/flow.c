#include "tests/support/flow.h"
#include "tests/support/flow_channel.h"

#include <stdio.h>

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

static struct ps_slice header_of(const struct ps_lease *lease, const struct ps_event *event, const char *name)
{
    struct ps_slice value = {.data = NULL};
    (void)ps_event_header(lease->batch, event, ps_name_intern(name), &value);
    return value;
}

static struct flow_event event_of(const struct ps_lease *lease, uint32_t position)
{
    const struct ps_event *event = ps_lease_event(lease, position);
    return (struct flow_event){.body = {event->body, event->body_length},
                               .number = header_of(lease, event, "number"),
                               .agent = header_of(lease, event, "agent"),
                               .component = header_of(lease, event, "penstock.deadletter.component"),
                               .reason = header_of(lease, event, "penstock.deadletter.reason")};
}

static bool is_text(const struct ps_slice *slice, const char *text)
{
    size_t length = strlen(text);
    return slice->data != NULL && slice->length == length && memcmp(slice->data, text, length) == 0;
}

static bool body_is_good(const struct flow_event *event, const struct flow_body *body)
{
    char text[32];
    if (event->body.length < sizeof *body || body->length != event->body.length ||
        body->check != (uint32_t)mix(body->number ^ body->origin))
        return false;
    for (uint32_t i = sizeof *body; i < event->body.length; i += 1 + event->body.length / 16) {
        if ((uint8_t)event->body.data[i] != (uint8_t)body->number)
            return false;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)body->number);
    return is_text(&event->number, text) && is_text(&event->agent, "a1");
}

void flow_make_body(char *to, const struct flow_body *body)
{
    struct flow_body head = *body;
    head.check = (uint32_t)mix(body->number ^ body->origin);
    memset(to, (int)(body->number & 0xFF), body->length);
    memcpy(to, &head, sizeof head);
}

static bool letter_is_good(const struct flow_event *event)
{
    return event->component.length > 5 && is_text(&event->reason, "drawn");
}

static bool take_body(struct flow *flow, unsigned channel, const struct flow_event *event,
                      struct flow_body *body)
{
    bool good = event->body.length >= sizeof *body;
    if (good)
        memcpy(body, event->body.data, sizeof *body);
    good = good && body_is_good(event, body) && body->origin < FLOW_ORIGINS_MAX && body->number < flow->total;
    if (good && channel + 1 == flow->letters) /* events in a durable channel lack the headers of a letter */
        good =
            (flow_drops(flow, body->origin, body->number) || flow_dies(flow, body->origin, body->number)) &&
            (flow->durable >> channel & 1 || letter_is_good(event));
    else if (good)
        good = !flow_drops(flow, body->origin, body->number) &&
               (flow_routes_ever(flow, body->origin, body->number) >> channel & 1);
    if (good)
        return true;
    __atomic_fetch_add(&flow->bad, 1, __ATOMIC_RELAXED);
    return false;
}

bool flow_body_of(struct flow *flow, unsigned channel, const struct ps_lease *lease, uint32_t position,
                  struct flow_body *body)
{
    struct flow_event event = event_of(lease, position);
    return take_body(flow, channel, &event, body);
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
    struct flow_event event = event_of(lease, position);
    flow_saw_event(flow, number, &event);
}

void flow_saw_event(struct flow *flow, unsigned number, const struct flow_event *event)
{
    struct flow_sink *sink = &flow->sinks[order_of(flow, number)];
    struct flow_body body;
    if (flow->crashed || !take_body(flow, sink->channel, event, &body))
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

enum ps_status ps_test_agent_reload(struct ps_agent *agent, struct ps_agent_spec *spec,
                                    const struct ps_machine *machine, struct ps_err *err)
{
    struct ps_plan *next;
    if (ps_agent_reload_begin(agent, spec, machine, &next, err) != PS_OK)
        return PS_FAIL;
    if (next == NULL)
        return PS_OK;
    if (ps_plan_build(next, err) != PS_OK) {
        ps_plan_destroy(next);
        ps_agent_reload_failed(agent, err->text);
        return PS_FAIL;
    }
    return ps_agent_reload_end(agent, next, NULL, NULL, err);
}
