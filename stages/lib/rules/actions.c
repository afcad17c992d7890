/* Runs the actions of rules on an event, in the order written. A call that finds no memory stops and
 * continues at the same step in the next call, so nothing is counted, sampled or limited twice.
 *
 * Thread: the worker. Allocates only from the batch; only the scratch's text buffer grows, for a
 * replacement longer than any before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/rules/set_internal.h"

/* The steps of a rule: begin (count, trace), take the groups, then run the actions. */
#define STEP_BEGIN 0U
#define STEP_CAPTURE 1U
#define STEP_ACTIONS 2U

#define TEXT_ROOM_FIRST 4096U
#define TEXT_ROOM_KEPT (4U << 20)            /* a larger buffer is freed at the end of the lease */
#define TEXT_BYTES_MAX (UINT64_C(256) << 20) /* a replacement that would be longer is not made */

static enum rules_step given_up(struct rules_work *work, uint32_t rule)
{
    ps_rules_count_add(&work->scratch->counted.rare[rule]->failed, 1);
    return RULES_STEP_NEXT;
}

static enum rules_step header_set(struct rules_work *work, struct ps_event *event, const struct ps_name *name,
                                  struct ps_slice value)
{
    const char *bytes = value.length > 0 ? value.data : ""; /* data of an empty body may be NULL */
    bool done = ps_batch_header_set(work->batch, event, name, bytes, value.length);
    return done ? RULES_STEP_NEXT : RULES_STEP_AGAIN;
}

/* ---- routes ---- */

uint32_t ps_rules_route_add(uint32_t *routes, uint32_t count, uint32_t route)
{
    for (uint32_t i = 0; i < count; i++) {
        if (routes[i] / 2 != route / 2)
            continue;
        if (route % 2 == 0)
            routes[i] = route;
        return count;
    }
    routes[count] = route;
    return count + 1;
}

static void routes_add(struct ps_rules_scratch *scratch, const struct rules_action *action)
{
    uint32_t *routes = scratch->routes + scratch->event.route_first;
    uint32_t count = scratch->route_used - scratch->event.route_first;
    for (uint32_t i = 0; i < action->route_count; i++)
        count = ps_rules_route_add(routes, count, action->routes[i]);
    scratch->route_used = scratch->event.route_first + count;
}

static enum rules_step drop(struct ps_rules_scratch *scratch, uint32_t rule)
{
    ps_rules_count_add(&scratch->counted.counts[rule]->dropped, 1);
    scratch->event.dropped = true;
    return RULES_STEP_OVER;
}

/* `drop deadletter`. If there is no room for the letter, this step is repeated later. */
static enum rules_step make_dead_letter(struct rules_work *work, uint32_t rule, const struct ps_event *event)
{
    struct ps_port *port = work->scratch->port;
    char text[256];
    if (port == NULL) /* `penstock rules` */
        return drop(work->scratch, rule);
    if (!ps_port_has_deadletter(port)) {
        ps_log(PS_LOG_WARN, port->component,
               "rule %s gives events to the dead letters, but the source has no penstock.deadletter: they "
               "are dropped",
               work->set->rules->rules[rule].name);
        return drop(work->scratch, rule);
    }
    snprintf(text, sizeof text, "rule %s", work->set->rules->rules[rule].name);
    const struct ps_dead_letter_reason reason = {"rule", text, 0};
    return ps_port_deadletter(port, work->batch, event, &reason) > 0 ? drop(work->scratch, rule)
                                                                     : RULES_STEP_AGAIN;
}

static enum rules_step limit(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                             const struct ps_event *event)
{
    struct ps_rules_scratch *scratch = work->scratch;
    struct ps_slice key = {"", 0};
    if (action->from != NULL)
        (void)ps_event_header(work->batch, event, action->from, &key);
    else
        key = (struct ps_slice){event->body, event->body_length};
    if (ps_rules_meter_take(scratch->counted.meters[action->meter], &key, work->now->mono_ns,
                            &scratch->counted.rare[rule]->keys_replaced))
        return RULES_STEP_NEXT;
    if (action->route_count == 0)
        return drop(scratch, rule);
    scratch->route_used = scratch->event.route_first; /* replaces all routes so far */
    routes_add(scratch, action);
    return RULES_STEP_OVER;
}

/* ---- headers ---- */

static enum rules_step set(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                           struct ps_event *event)
{
    struct ps_slice value;
    if (action->source->unless_exists && ps_event_header(work->batch, event, action->name, &value))
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, 0))
        return given_up(work, rule);
    enum rules_step step = action->constant != RULES_NONE
                               ? ps_rules_constant_make(work, action, &value)
                               : ps_rules_template_make(work, action, event, &value);
    if (step == RULES_STEP_OVER)
        return given_up(work, rule);
    return step == RULES_STEP_NEXT ? header_set(work, event, action->name, value) : step;
}

static enum rules_step copy(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                            struct ps_event *event)
{
    struct ps_slice value;
    if (!ps_event_header(work->batch, event, action->from, &value))
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, 0))
        return given_up(work, rule);
    return header_set(work, event, action->name, value);
}

static enum rules_step take_away(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                                 struct ps_event *event)
{
    struct ps_slice value;
    if (!ps_event_header(work->batch, event, action->name, &value))
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, 0))
        return given_up(work, rule);
    return ps_batch_header_remove(work->batch, event, action->name) ? RULES_STEP_NEXT : RULES_STEP_AGAIN;
}

static bool list_has(struct ps_slice list, struct ps_slice word)
{
    const char *at = list.data, *end = list.data + list.length;
    while (at <= end) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma != NULL ? comma : end;
        if ((size_t)(stop - at) == word.length && memcmp(at, word.data, word.length) == 0)
            return true;
        at = stop + 1;
    }
    return false;
}

/* Adds a word to the header `tags`. */
static enum rules_step tag(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                           struct ps_event *event)
{
    struct ps_slice word = action->pieces[0].text, tags, value;
    bool there = ps_event_header(work->batch, event, work->set->tags, &tags) && tags.length > 0;
    if (there && list_has(tags, word))
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, there ? (uint64_t)tags.length + word.length : 0))
        return given_up(work, rule);
    if (!there) {
        enum rules_step step = ps_rules_constant_make(work, action, &value);
        if (step == RULES_STEP_OVER)
            return given_up(work, rule);
        return step == RULES_STEP_NEXT ? header_set(work, event, work->set->tags, value) : step;
    }
    uint32_t length = tags.length + 1 + word.length;
    char *longer = ps_batch_alloc(work->batch, length);
    if (longer == NULL)
        return RULES_STEP_AGAIN;
    memcpy(longer, tags.data, tags.length);
    longer[tags.length] = ',';
    memcpy(longer + tags.length + 1, word.data, word.length);
    return header_set(work, event, work->set->tags, (struct ps_slice){longer, length});
}

/* Clears the groups of an expression that did not match. */
static void slots_clear(struct ps_rules_scratch *scratch, const struct rules_capture *capture)
{
    memset(&scratch->slots[capture->slot_first], 0, capture->slot_count * sizeof(struct ps_slice));
}

static enum rules_step extract(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                               struct ps_event *event)
{
    const struct rules_capture *capture = &action->capture;
    struct ps_slice subject = {event->body, event->body_length};
    slots_clear(work->scratch, capture);
    if (capture->header != NULL && !ps_event_header(work->batch, event, capture->header, &subject))
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, 0))
        return given_up(work, rule);
    return ps_rules_capture(work, capture, event, subject);
}

/* ---- the body ---- */

/* Makes the replaced body in the scratch's buffer. Returns its length, or SIZE_MAX when it would be too long.
 * Sets *again when there is no memory. */
static size_t text_make(struct ps_rules_scratch *scratch, const struct ps_action *source,
                        const struct ps_event *event, uint32_t *count, bool *again)
{
    for (;;) {
        size_t length = SIZE_MAX;
        if (scratch->text_room > 0)
            length = ps_regex_replace_all(source->regex, scratch->regex, source->replacement, event->body,
                                          event->body_length, scratch->text, scratch->text_room, count);
        if (length != SIZE_MAX || scratch->text_room >= TEXT_BYTES_MAX)
            return length;
        size_t room = scratch->text_room == 0 ? TEXT_ROOM_FIRST : 2 * scratch->text_room;
        while (room < event->body_length)
            room *= 2;
        char *text = realloc(scratch->text, room);
        *again = text == NULL;
        if (text == NULL)
            return SIZE_MAX;
        scratch->text = text;
        scratch->text_room = room;
    }
}

static enum rules_step replace(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                               struct ps_event *event)
{
    struct ps_rules_scratch *scratch = work->scratch;
    uint32_t count = 0;
    bool again = false;
    size_t length = text_make(scratch, action->source, event, &count, &again);
    if (length == SIZE_MAX)
        return again ? RULES_STEP_AGAIN : given_up(work, rule);
    if (count == 0)
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, length))
        return given_up(work, rule);
    char *body = ps_batch_alloc(work->batch, length > 0 ? (uint32_t)length : 1);
    if (body == NULL)
        return RULES_STEP_AGAIN;
    if (length > 0)
        memcpy(body, scratch->text, length);
    ps_lease_body_set(work->lease, event, body, (uint32_t)length);
    return RULES_STEP_NEXT;
}

/* ---- a rule ---- */

static enum rules_step action_run(struct rules_work *work, uint32_t rule, const struct rules_action *action,
                                  struct ps_event *event)
{
    switch (action->source->kind) {
    case PS_ACTION_ROUTE:
        routes_add(work->scratch, action);
        return RULES_STEP_NEXT;
    case PS_ACTION_SET:
        return set(work, rule, action, event);
    case PS_ACTION_COPY:
        return copy(work, rule, action, event);
    case PS_ACTION_REMOVE:
        return take_away(work, rule, action, event);
    case PS_ACTION_EXTRACT:
        return extract(work, rule, action, event);
    case PS_ACTION_REPLACE:
        return replace(work, rule, action, event);
    case PS_ACTION_TAG:
        return tag(work, rule, action, event);
    case PS_ACTION_DROP:
        return action->source->deadletter ? make_dead_letter(work, rule, event) : drop(work->scratch, rule);
    case PS_ACTION_SAMPLE:
        return ps_rules_meter_sample(work->scratch->counted.meters[action->meter])
                   ? RULES_STEP_NEXT
                   : drop(work->scratch, rule);
    case PS_ACTION_LIMIT:
        return limit(work, rule, action, event);
    case PS_ACTION_STOP:
    case PS_ACTION_CONTINUE: /* handled by the evaluation */
        break;
    }
    return RULES_STEP_NEXT;
}

static inline void rule_count(struct rules_work *work, uint32_t rule, uint32_t length)
{
    struct rules_counts *counts = work->scratch->counted.counts[rule];
    ps_rules_count_add(&counts->hits, 1);
    ps_rules_count_add(&counts->bytes, length);
    __atomic_store_n(&counts->last_hit_ms, work->now->wall_ms, __ATOMIC_RELAXED);
}

/* Takes the groups of the condition's expressions from the event as it was received. */
static enum rules_step captures_run(struct rules_work *work, uint32_t number, const struct rules_rule *rule,
                                    struct ps_event *event)
{
    struct ps_rules_scratch *scratch = work->scratch;
    bool room = ps_batch_has_room(work->batch, 0);
    for (uint32_t i = 0; i < rule->capture_count; i++) {
        const struct rules_capture *capture = &rule->captures[i];
        struct ps_slice subject =
            capture->header != NULL ? scratch->saved[capture->saved] : scratch->event.body;
        slots_clear(scratch, capture);
        if (!room || (capture->header != NULL && subject.data == NULL))
            continue;
        enum rules_step step = ps_rules_capture(work, capture, event, subject);
        if (step != RULES_STEP_NEXT)
            return step;
    }
    return room ? RULES_STEP_NEXT : given_up(work, number);
}

static enum rules_step rule_run(struct rules_work *work, uint32_t number, struct ps_event *event,
                                uint16_t row)
{
    struct ps_rules_scratch *scratch = work->scratch;
    const struct rules_rule *rule = &work->set->rule[number];
    enum rules_step step = RULES_STEP_NEXT;
    if (scratch->next.step == STEP_BEGIN) {
        rule_count(work, number, event->body_length);
        if (work->trace != NULL)
            work->trace(work->argument, row, &work->set->rules->rules[number]);
        scratch->next.step = STEP_CAPTURE;
    }
    if (scratch->next.step == STEP_CAPTURE) {
        if (rule->capture_count > 0)
            step = captures_run(work, number, rule, event);
        if (step == RULES_STEP_AGAIN)
            return step;
        scratch->next.step = STEP_ACTIONS;
    }
    while (scratch->next.step - STEP_ACTIONS < rule->action_count) {
        step = action_run(work, number, &rule->actions[scratch->next.step - STEP_ACTIONS], event);
        if (step != RULES_STEP_NEXT)
            return step;
        scratch->next.step++;
    }
    return RULES_STEP_NEXT;
}

/* ---- an event ---- */

static void event_begin(struct rules_work *work, const struct ps_event *event)
{
    struct ps_rules_scratch *scratch = work->scratch;
    scratch->event.open = true;
    scratch->event.dropped = false;
    scratch->event.body = (struct ps_slice){event->body, event->body_length};
    scratch->event.route_first = scratch->route_used;
    scratch->next.rule = 0;
    scratch->next.step = STEP_BEGIN;
    for (uint32_t i = 0; i < work->set->saved_count; i++) {
        if (!ps_event_header(work->batch, event, work->set->saved[i], &scratch->saved[i]))
            scratch->saved[i] = (struct ps_slice){NULL, 0};
        else if (scratch->saved[i].data == NULL)
            scratch->saved[i].data = "";
    }
}

static void event_end(struct ps_rules_scratch *scratch, uint32_t position, uint16_t row)
{
    scratch->event.open = false;
    if (scratch->event.dropped) {
        scratch->route_used = scratch->event.route_first;
        scratch->keep[row / 64] &= ~(UINT64_C(1) << (row % 64));
        scratch->any_dropped = true;
    }
    uint32_t count = scratch->route_used - scratch->event.route_first;
    if (count == 0 && !scratch->event.dropped)
        return; /* goes to the default channels */
    scratch->outcomes[scratch->outcome_count++] = (struct rules_outcome){
        scratch->routes + scratch->event.route_first, (uint16_t)count, (uint16_t)position};
}

/* Handles an event on which only one rule acts, and that rule only routes. */
static inline void act_plain(struct rules_work *work, const struct rules_hit *hit, uint32_t number)
{
    struct ps_rules_scratch *scratch = work->scratch;
    const struct rules_rule *rule = &work->set->rule[number];
    rule_count(work, number, ps_lease_event(work->lease, hit->position)->body_length);
    if (rule->route_count > 0)
        scratch->outcomes[scratch->outcome_count++] =
            (struct rules_outcome){rule->routes, (uint16_t)rule->route_count, (uint16_t)hit->position};
}

/* Runs all rules that act on an event. Returns false when there is no memory. */
static bool act_event(struct rules_work *work, const struct rules_hit *hit)
{
    struct ps_rules_scratch *scratch = work->scratch;
    struct ps_event *event = ps_lease_event(work->lease, hit->position);
    uint16_t row = (uint16_t)(event - work->batch->events);
    if (!scratch->event.open)
        event_begin(work, event);
    for (; scratch->next.rule < hit->count; scratch->next.rule++, scratch->next.step = STEP_BEGIN) {
        enum rules_step step = rule_run(work, scratch->store[hit->first + scratch->next.rule], event, row);
        if (step == RULES_STEP_AGAIN)
            return false;
        if (step == RULES_STEP_OVER)
            break;
    }
    event_end(scratch, hit->position, row);
    return true;
}

bool ps_rules_act(struct rules_work *work)
{
    struct ps_rules_scratch *scratch = work->scratch;
    for (; scratch->next.hit < scratch->hit_count; scratch->next.hit++) {
        const struct rules_hit *hit = &scratch->hits[scratch->next.hit];
        uint32_t rule = scratch->store[hit->first];
        if (hit->count == 1 && work->set->rule[rule].plain && work->trace == NULL)
            act_plain(work, hit, rule);
        else if (!act_event(work, hit))
            return false;
    }
    if (scratch->text_room > TEXT_ROOM_KEPT) {
        free(scratch->text);
        scratch->text = NULL;
        scratch->text_room = 0;
    }
    return true;
}

/* ---- all events ---- */

void ps_rules_route(const struct ps_rules_set *rules, const struct ps_rules_scratch *scratch,
                    const struct ps_lease *lease, struct ps_route *route)
{
    if (scratch->outcome_count == 0) {
        for (uint32_t i = 0; i < rules->default_count; i++)
            ps_route_all(route, rules->defaults[i] / 2, true);
        return;
    }
    uint32_t next = 0; /* position */
    for (uint32_t i = 0; i < scratch->outcome_count; i++) {
        const struct rules_outcome *outcome = &scratch->outcomes[i];
        if (next < outcome->position) {
            for (uint32_t k = 0; k < rules->default_count; k++)
                ps_route_positions(route, rules->defaults[k] / 2, true, lease, next, outcome->position);
        }
        uint16_t row = ps_lease_row(lease, outcome->position);
        for (uint32_t k = 0; k < outcome->count; k++) {
            uint32_t to = outcome->routes[k];
            ps_route_row(route, to / 2, to % 2 == 0, row);
        }
        next = outcome->position + 1U;
    }
    for (uint32_t k = 0; k < rules->default_count; k++)
        ps_route_positions(route, rules->defaults[k] / 2, true, lease, next, lease->count);
}
