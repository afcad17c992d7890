#include "core/engine/processor.h"

#include <stdlib.h>
#include <string.h>

#define FAILURE_PENALTY_MS 1000
/* FailoverSinkProcessor shifts an int without a limit: from the 22nd failure on its penalty is negative, or 0, by
 * overflow. Here it stays at the maximum. */
#define PENALTY_SHIFT_MAX 21U
/* OrderSelector */
#define SEQUENTIAL_RANGE_MS INT64_C(3600000)
#define BACKOFF_SHIFT_MAX 16U
#define BACKOFF_DEFAULT_MS 30000
/* SinkRunner, after an exception: that all sinks failed. */
#define ALL_FAILED_REST_MS 5000U

struct member {
    bool failed; /* failover: it is in the list of failed sinks */
    bool tried;  /* load_balance: it failed since the order was made */
    unsigned failures;
    int64_t until_ms; /* failover: FailedSink.refresh; load_balance: FailureState.restoreTime */
    int64_t last_ms;  /* load_balance: FailureState.lastFail */
};

struct ps_processor {
    struct ps_processor_settings settings;
    struct member *members;
    /* load_balance: */
    unsigned *order; /* members for the lease that is next, first to last */
    unsigned order_count;
    bool has_order;
    unsigned head;          /* RoundRobinOrderSelector.nextHead */
    unsigned late_failures; /* since the last delivery: of leases whose order has ended */
    uint64_t rest_until_ms;
    uint64_t random;
};

const struct ps_option ps_processor_rows[] = {
    {.key = "type",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct ps_processor_options, type),
     .help = "default, failover or load_balance, or its class name"},
    {.key = "maxpenalty",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct ps_processor_options, max_penalty_ms),
     .fallback = "30000",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "ms",
     .flags = PS_OPTION_LENIENT,
     .help = "failover: a failed sink is tried again after 2^failures seconds, at most after this time"},
    {.key = "priority.",
     .type = PS_OPTION_MAP,
     .offset = offsetof(struct ps_processor_options, priorities),
     .help =
         "failover: priority.SINK is a number; the sink of the highest is preferred; without it -1, -2, .."},
    {.key = "selector",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct ps_processor_options, selector),
     .fallback = "round_robin",
     .help = "load_balance: round_robin or random"},
    {.key = "backoff",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct ps_processor_options, backoff),
     .fallback = "false",
     .help = "load_balance: a failed sink is left out for 2, 4, 8 .. seconds"},
    {.key = "selector.maxTimeOut",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct ps_processor_options, max_timeout_ms),
     .fallback = "30000",
     .unit = "ms",
     .help = "load_balance with backoff: the longest time that a failed sink is left out"},
    PS_OPTION_END,
};

struct ps_processor *ps_processor_create(const struct ps_processor_settings *settings, uint64_t seed)
{
    struct ps_processor *processor = ps_must_alloc(1, sizeof *processor, "a sink processor");
    processor->settings = *settings;
    if (settings->type == PS_PROCESSOR_LOAD_BALANCE && settings->max_ms == 0)
        processor->settings.max_ms = BACKOFF_DEFAULT_MS;
    processor->members = ps_must_alloc(settings->count + 1, sizeof *processor->members, "a sink processor");
    processor->order = ps_must_alloc(settings->count + 1, sizeof *processor->order, "a sink processor");
    processor->random = seed | 1;
    return processor;
}

void ps_processor_destroy(struct ps_processor *processor)
{
    if (processor == NULL)
        return;
    free(processor->members);
    free(processor->order);
    free(processor);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- failover ---- */

/* Returns the live member of the highest priority. */
static unsigned highest(const struct ps_processor *processor)
{
    unsigned best = PS_PROCESSOR_NOBODY;
    for (unsigned i = 0; i < processor->settings.count; i++) {
        if (!processor->members[i].failed &&
            (best == PS_PROCESSOR_NOBODY ||
             processor->settings.priorities[i] > processor->settings.priorities[best]))
            best = i;
    }
    return best;
}

/* Returns the failed member whose penalty ends first. */
static unsigned next_failed(const struct ps_processor *processor)
{
    unsigned first = PS_PROCESSOR_NOBODY;
    for (unsigned i = 0; i < processor->settings.count; i++) {
        const struct member *member = &processor->members[i];
        if (member->failed &&
            (first == PS_PROCESSOR_NOBODY || member->until_ms < processor->members[first].until_ms))
            first = i;
    }
    return first;
}

static unsigned failover_next(const struct ps_processor *processor, uint64_t now_ms)
{
    unsigned failed = next_failed(processor);
    if (failed != PS_PROCESSOR_NOBODY && processor->members[failed].until_ms < (int64_t)now_ms)
        return failed;
    return highest(processor);
}

static void failover_failed(struct ps_processor *processor, struct member *member, uint64_t now_ms)
{
    member->failures = member->failed ? member->failures + 1 : 1;
    member->failed = true;
    unsigned shift = member->failures < PENALTY_SHIFT_MAX ? member->failures : PENALTY_SHIFT_MAX;
    member->until_ms =
        (int64_t)now_ms + least(processor->settings.max_ms, (INT64_C(1) << shift) * FAILURE_PENALTY_MS);
}

/* ---- load_balance ---- */

static bool is_left_out(const struct ps_processor *processor, const struct member *member, uint64_t now_ms)
{
    return processor->settings.backoff && member->failures > 0 && member->until_ms >= (int64_t)now_ms;
}

static unsigned draw(struct ps_processor *processor, unsigned below)
{
    processor->random ^= processor->random << 13;
    processor->random ^= processor->random >> 7;
    processor->random ^= processor->random << 17;
    return (unsigned)((processor->random >> 32) % below);
}

/* RandomOrderSelector.createIterator, with other random numbers. */
static void order_randomly(struct ps_processor *processor)
{
    for (unsigned left = processor->order_count; left > 1; left--) {
        unsigned pick = draw(processor, left), last = processor->order[pick];
        memmove(&processor->order[pick], &processor->order[pick + 1],
                (left - 1 - pick) * sizeof *processor->order);
        processor->order[left - 1] = last;
    }
}

/* RoundRobinOrderSelector.createIterator: its head counts in the list of those that are not left out, so it may jump
 * when this list changes. */
static void order_in_turn(struct ps_processor *processor)
{
    unsigned count = processor->order_count;
    if (processor->head >= count)
        processor->head = 0;
    unsigned begin = processor->head++;
    if (processor->head == count)
        processor->head = 0;
    for (unsigned moved = 0; moved < begin; moved++) {
        unsigned first = processor->order[0];
        memmove(&processor->order[0], &processor->order[1], (count - 1) * sizeof *processor->order);
        processor->order[count - 1] = first;
    }
}

static void make_order(struct ps_processor *processor, uint64_t now_ms)
{
    processor->order_count = 0;
    for (unsigned i = 0; i < processor->settings.count; i++) {
        processor->members[i].tried = false;
        if (!is_left_out(processor, &processor->members[i], now_ms))
            processor->order[processor->order_count++] = i;
    }
    if (processor->settings.random)
        order_randomly(processor);
    else
        order_in_turn(processor);
    processor->has_order = true;
}

static void rest(struct ps_processor *processor, uint64_t now_ms)
{
    processor->has_order = false;
    processor->late_failures = 0;
    processor->rest_until_ms = now_ms + ALL_FAILED_REST_MS;
}

/* All sinks of the order have failed: Flume's processor throws, and its runner rests. */
static bool ends_order(struct ps_processor *processor, uint64_t now_ms)
{
    for (unsigned i = 0; i < processor->order_count; i++) {
        if (!processor->members[processor->order[i]].tried)
            return false;
    }
    rest(processor, now_ms);
    return true;
}

static unsigned balance_next(struct ps_processor *processor, const bool *busy, uint64_t now_ms)
{
    if (now_ms < processor->rest_until_ms)
        return PS_PROCESSOR_NOBODY;
    if (!processor->has_order) {
        make_order(processor, now_ms);
        if (ends_order(processor, now_ms))
            return PS_PROCESSOR_NOBODY;
    }
    for (unsigned i = 0; i < processor->order_count; i++) {
        unsigned member = processor->order[i];
        if (!processor->members[member].tried && !busy[member])
            return member;
    }
    return PS_PROCESSOR_NOBODY;
}

static void balance_failed(struct ps_processor *processor, struct member *member, uint64_t now_ms)
{
    int64_t now = (int64_t)now_ms, max_ms = processor->settings.max_ms;
    member->tried = true;
    if (processor->settings.backoff) {
        int64_t last_ms = least(max_ms, INT64_C(1000) << member->failures);
        bool sequential = member->failures > 0 && last_ms + SEQUENTIAL_RANGE_MS > now - member->last_ms;
        if (!sequential)
            member->failures = 1;
        else if (member->failures < BACKOFF_SHIFT_MAX)
            member->failures++;
        member->last_ms = now;
        member->until_ms = now + least(max_ms, INT64_C(1000) << member->failures);
    }
    if (processor->has_order)
        (void)ends_order(processor, now_ms);
    else if (++processor->late_failures >= processor->settings.count)
        rest(processor, now_ms);
}

/* ---- both ---- */

unsigned ps_processor_next(struct ps_processor *processor, const bool *busy, uint64_t now_ms)
{
    return processor->settings.type == PS_PROCESSOR_FAILOVER ? failover_next(processor, now_ms)
                                                             : balance_next(processor, busy, now_ms);
}

void ps_processor_taken(struct ps_processor *processor, unsigned member)
{
    PS_ASSERT(member < processor->settings.count);
    processor->has_order = false;
}

/* Flume's load balancing keeps the count of failures after a success: it ends by time. */
void ps_processor_delivered(struct ps_processor *processor, unsigned member)
{
    processor->late_failures = 0;
    if (processor->settings.type == PS_PROCESSOR_FAILOVER)
        processor->members[member] = (struct member){0};
}

void ps_processor_failed(struct ps_processor *processor, unsigned member, uint64_t now_ms)
{
    if (processor->settings.type == PS_PROCESSOR_FAILOVER)
        failover_failed(processor, &processor->members[member], now_ms);
    else
        balance_failed(processor, &processor->members[member], now_ms);
}

uint64_t ps_processor_wake_ms(const struct ps_processor *processor, uint64_t now_ms)
{
    if (processor->settings.type == PS_PROCESSOR_LOAD_BALANCE)
        return now_ms < processor->rest_until_ms ? processor->rest_until_ms : UINT64_MAX;
    if (highest(processor) != PS_PROCESSOR_NOBODY)
        return UINT64_MAX;
    int64_t until_ms = processor->members[next_failed(processor)].until_ms;
    return until_ms < (int64_t)now_ms ? UINT64_MAX : (uint64_t)until_ms + 1;
}

uint64_t ps_processor_penalised_until_ms(const struct ps_processor *processor, unsigned number,
                                         uint64_t now_ms)
{
    const struct member *member = &processor->members[number];
    bool failover = processor->settings.type == PS_PROCESSOR_FAILOVER;
    bool out = failover ? member->failed : is_left_out(processor, member, now_ms);
    return out ? (uint64_t)member->until_ms : 0;
}

unsigned ps_processor_failures(const struct ps_processor *processor, unsigned member)
{
    return processor->members[member].failures;
}

bool ps_processor_is_active(const struct ps_processor *processor, unsigned member, uint64_t now_ms)
{
    return processor->settings.type == PS_PROCESSOR_FAILOVER
               ? highest(processor) == member
               : !is_left_out(processor, &processor->members[member], now_ms);
}
