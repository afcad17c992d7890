/* A fast path for most sets: the first matching rule acts, rules only match bodies and only route. Nothing
 * can fail, wait or change an event there, so the callbacks of the scan do all the work, without lists of
 * hits and without a second pass. Thread: the worker. */
#include "stages/lib/rules/set_internal.h"

#define WAYS_MAX 512U

struct plain {
    const struct ps_rules_set *set;
    struct ps_rules_scratch *scratch;
    const struct ps_lease *lease;
    struct ps_route *route; /* NULL: an interceptor, which only counts */
    int64_t wall_ms;
    uint32_t next; /* position after the last one with a route */
    uint32_t way_count;
    struct ps_way ways[WAYS_MAX]; /* not handed over yet */
};

static void ways_flush(struct plain *plain)
{
    ps_route_ways(plain->route, plain->ways, plain->way_count);
    plain->way_count = 0;
}

/* Routes the events up to `to` by default: no rule acted on them, or none that routes. */
static void by_default(struct plain *plain, uint32_t to)
{
    ways_flush(plain); /* rows of a channel must be added in order */
    for (uint32_t i = 0; i < plain->set->default_count; i++)
        ps_route_positions(plain->route, plain->set->defaults[i] / 2, true, plain->lease, plain->next, to);
}

static void plain_hit(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    struct plain *plain = argument;
    const uint32_t *first_rules = plain->set->first_rules;
    uint32_t number = first_rules[patterns[0]];
    for (uint32_t i = 1; i < pattern_count; i++) {
        uint32_t other = first_rules[patterns[i]];
        number = other < number ? other : number;
    }
    if (PS_UNLIKELY(number == RULES_NONE))
        return;
    const struct rules_quick *quick = &plain->scratch->counted.quick[number];
    struct rules_counts *counts = quick->counts;
    ps_rules_count_add(&counts->hits, 1);
    ps_rules_count_add(&counts->bytes, plain->scratch->subjects[subject].length);
    __atomic_store_n(&counts->last_hit_ms, plain->wall_ms, __ATOMIC_RELAXED);
    if (quick->route_count == 0 || plain->route == NULL)
        return;
    if (plain->next < subject)
        by_default(plain, subject);
    uint16_t row = ps_lease_row(plain->lease, subject);
    for (uint32_t i = 0; i < quick->route_count; i++) {
        if (plain->way_count == WAYS_MAX)
            ways_flush(plain);
        plain->ways[plain->way_count++] = (struct ps_way){(uint16_t)quick->routes[i], row};
    }
    plain->next = subject + 1;
}

void ps_rules_plain_work(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                         const struct ps_lease *lease, struct ps_route *route, const struct ps_now *now)
{
    struct plain plain;
    plain.set = set;
    plain.scratch = scratch;
    plain.lease = lease;
    plain.route = route;
    plain.wall_ms = now->wall_ms;
    plain.next = plain.way_count = 0;
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        scratch->subjects[i] = (struct ps_slice){event->body, event->body_length};
    }
    ps_matcher_scan_each(set->body, scratch->body, scratch->subjects, lease->count, plain_hit, &plain);
    if (route == NULL)
        return;
    if (plain.next > 0) {
        by_default(&plain, lease->count);
        return;
    }
    for (uint32_t i = 0; i < set->default_count; i++)
        ps_route_all(route, set->defaults[i] / 2, true);
}
