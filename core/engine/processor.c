#include "core/engine/processor.h"

#include "core/backoff.h"
#include "core/order.h"

#include <stdlib.h>
#include <string.h>

/* FailoverSinkProcessor shifts an int without a limit: from the 22nd failure on its penalty is negative, or 0, by
 * overflow. Here it stays at the maximum. */
#define FAILURE_PENALTY_MS 1000
/* The pause of Flume's SinkRunner after the exception that all sinks failed. */
#define ALL_FAILED_REST_MS 5000U

struct member {
    bool failed;       /* failover: it is in the list of failed sinks */
    bool tried;        /* load_balance: it failed since the order was made */
    unsigned failures; /* failover: failures in a row */
    int64_t until_ms;  /* failover: FailedSink.refresh */
};

struct ps_processor {
    struct ps_processor_settings settings;
    struct member *members;
    /* load_balance: */
    struct ps_order *selector;
    unsigned *order; /* members for the next lease, first to last */
    unsigned order_count;
    bool has_order;
    unsigned late_failures; /* failures since the last delivery, of leases whose order has ended */
    uint64_t rest_until_ms;
};

const struct ps_option ps_processor_rows[] = {
    PS_OPTION_ROW("type", TEXT, offsetof(struct ps_processor_options, type),
                  "default, failover or load_balance, or its class name"),
    PS_OPTION_ROW(
        "maxpenalty", INT, offsetof(struct ps_processor_options, max_penalty_ms),
        "failover: the longest time that a failed sink is left out; it is tried again after 2^failures "
        "seconds",
        .fallback = "30000", .min = INT32_MIN, .max = INT32_MAX, .unit = "ms", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "priority.", MAP, offsetof(struct ps_processor_options, priorities),
        "failover: priority.SINK is a number; the sink of the highest is preferred; unset: -1, -2, .."),
    PS_OPTION_ROW("selector", TEXT, offsetof(struct ps_processor_options, selector),
                  "load_balance: round_robin or random", .fallback = "round_robin"),
    PS_OPTION_ROW("backoff", BOOL, offsetof(struct ps_processor_options, backoff),
                  "load_balance: leave a failed sink out for 2, 4, 8 .. seconds", .fallback = "false"),
    PS_OPTION_ROW("selector.maxTimeOut", INT, offsetof(struct ps_processor_options, max_timeout_ms),
                  "load_balance with backoff: the longest time that a failed sink is left out",
                  .fallback = "30000", .unit = "ms"),
    PS_OPTION_END,
};

struct ps_processor *ps_processor_create(const struct ps_processor_settings *settings, uint64_t seed)
{
    struct ps_processor *processor = ps_must_alloc(1, sizeof *processor, "a sink processor");
    processor->settings = *settings;
    processor->members = ps_must_alloc(settings->count + 1, sizeof *processor->members, "a sink processor");
    processor->order = ps_must_alloc(settings->count + 1, sizeof *processor->order, "a sink processor");
    const struct ps_order_settings selector = {.count = settings->count,
                                               .random = settings->random,
                                               .backoff = settings->backoff,
                                               .backoff_max_ms = settings->max_ms == 0 ? PS_ORDER_BACKOFF_MS
                                                                                       : settings->max_ms};
    if (settings->type == PS_PROCESSOR_LOAD_BALANCE)
        processor->selector = ps_order_create(&selector, seed);
    return processor;
}

void ps_processor_destroy(struct ps_processor *processor)
{
    if (processor == NULL)
        return;
    ps_order_destroy(processor->selector);
    free(processor->members);
    free(processor->order);
    free(processor);
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

static void failover_rest(const struct ps_processor *processor, struct member *member, uint64_t now_ms)
{
    int64_t max_ms = processor->settings.max_ms;
    uint64_t rest_ms =
        max_ms > 0 ? ps_backoff_doubled(FAILURE_PENALTY_MS, (uint64_t)max_ms, member->failures) : 0;
    member->until_ms = (int64_t)(now_ms + rest_ms);
}

static void failover_failed(const struct ps_processor *processor, struct member *member, uint64_t now_ms)
{
    member->failures = member->failed ? member->failures + 1 : 1;
    member->failed = true;
    failover_rest(processor, member, now_ms);
}

/* ---- load_balance ---- */

static void make_order(struct ps_processor *processor, uint64_t now_ms)
{
    for (unsigned i = 0; i < processor->settings.count; i++)
        processor->members[i].tried = false;
    processor->order_count = ps_order_next(processor->selector, processor->order, (int64_t)now_ms);
    processor->has_order = true;
}

static void rest(struct ps_processor *processor, uint64_t now_ms)
{
    processor->has_order = false;
    processor->late_failures = 0;
    processor->rest_until_ms = now_ms + ALL_FAILED_REST_MS;
}

/* Called when all sinks of the order have failed: then Flume's processor throws, and its runner backs off. */
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

static void balance_failed(struct ps_processor *processor, unsigned member, uint64_t now_ms)
{
    processor->members[member].tried = true;
    ps_order_failed(processor->selector, member, (int64_t)now_ms);
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

/* Flume's load balancing keeps the count of failures after a success: the count expires by time. */
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
        balance_failed(processor, member, now_ms);
}

void ps_processor_rests_from(struct ps_processor *processor, unsigned member, uint64_t now_ms)
{
    if (processor->settings.type == PS_PROCESSOR_FAILOVER && processor->members[member].failed)
        failover_rest(processor, &processor->members[member], now_ms);
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
    if (processor->settings.type == PS_PROCESSOR_LOAD_BALANCE)
        return (uint64_t)ps_order_left_out_until_ms(processor->selector, number, (int64_t)now_ms);
    return member->failed ? (uint64_t)member->until_ms : 0;
}

unsigned ps_processor_failures(const struct ps_processor *processor, unsigned member)
{
    return processor->settings.type == PS_PROCESSOR_FAILOVER ? processor->members[member].failures
                                                             : ps_order_failures(processor->selector, member);
}

bool ps_processor_is_active(const struct ps_processor *processor, unsigned member, uint64_t now_ms)
{
    return processor->settings.type == PS_PROCESSOR_FAILOVER
               ? highest(processor) == member
               : ps_order_left_out_until_ms(processor->selector, member, (int64_t)now_ms) == 0;
}
