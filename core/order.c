#include "core/order.h"

#include "core/backoff.h"

#include <stdlib.h>
#include <string.h>

/* OrderSelector.CONSIDER_SEQUENTIAL_RANGE, EXP_BACKOFF_COUNTER_LIMIT */
#define SEQUENTIAL_RANGE_MS INT64_C(3600000)
#define BACKOFF_SHIFT_MAX 16U

struct member {
    unsigned failures;
    int64_t until_ms; /* FailureState.restoreTime */
    int64_t last_ms;  /* FailureState.lastFail */
};

struct ps_order {
    struct ps_order_settings settings;
    unsigned head; /* RoundRobinOrderSelector.nextHead */
    uint64_t random;
    struct member members[];
};

struct ps_order *ps_order_create(const struct ps_order_settings *settings, uint64_t seed)
{
    struct ps_order *order =
        ps_must_alloc(1, sizeof *order + settings->count * sizeof order->members[0], "an order");
    order->settings = *settings;
    order->random = seed | 1;
    return order;
}

void ps_order_destroy(struct ps_order *order)
{
    free(order);
}

static int64_t backoff_ms(const struct ps_order *order, const struct member *member)
{
    int64_t max_ms = order->settings.backoff_max_ms;
    return max_ms > 0 ? (int64_t)ps_backoff_doubled(1000, (uint64_t)max_ms, member->failures) : max_ms;
}

static bool is_left_out(const struct ps_order *order, const struct member *member, int64_t now_ms)
{
    return order->settings.backoff && member->failures > 0 && member->until_ms >= now_ms;
}

static unsigned draw(struct ps_order *order, unsigned below)
{
    order->random ^= order->random << 13;
    order->random ^= order->random >> 7;
    order->random ^= order->random << 17;
    return (unsigned)((order->random >> 32) % below);
}

/* RandomOrderSelector.createIterator, with other random numbers. */
static void shuffle(struct ps_order *order, unsigned *members, unsigned count)
{
    for (unsigned left = count; left > 1; left--) {
        unsigned pick = draw(order, left), last = members[pick];
        memmove(&members[pick], &members[pick + 1], (left - 1 - pick) * sizeof *members);
        members[left - 1] = last;
    }
}

/* RoundRobinOrderSelector.createIterator: its head is an index into the list of members that are not left out, so it
 * may jump when this list changes. */
static void turn(struct ps_order *order, unsigned *members, unsigned count)
{
    if (order->head >= count)
        order->head = 0;
    unsigned begin = order->head++;
    if (order->head == count)
        order->head = 0;
    for (unsigned moved = 0; moved < begin; moved++) {
        unsigned first = members[0];
        memmove(&members[0], &members[1], (count - 1) * sizeof *members);
        members[count - 1] = first;
    }
}

unsigned ps_order_next(struct ps_order *order, unsigned *members, int64_t now_ms)
{
    unsigned count = 0;
    for (unsigned i = 0; i < order->settings.count; i++) {
        if (!is_left_out(order, &order->members[i], now_ms))
            members[count++] = i;
    }
    if (order->settings.random)
        shuffle(order, members, count);
    else
        turn(order, members, count);
    return count;
}

void ps_order_failed(struct ps_order *order, unsigned number, int64_t now_ms)
{
    struct member *member = &order->members[number];
    if (!order->settings.backoff)
        return;
    bool sequential =
        member->failures > 0 && backoff_ms(order, member) + SEQUENTIAL_RANGE_MS > now_ms - member->last_ms;
    if (!sequential)
        member->failures = 1;
    else if (member->failures < BACKOFF_SHIFT_MAX)
        member->failures++;
    member->last_ms = now_ms;
    member->until_ms = now_ms + backoff_ms(order, member);
}

int64_t ps_order_left_out_until_ms(const struct ps_order *order, unsigned member, int64_t now_ms)
{
    return is_left_out(order, &order->members[member], now_ms) ? order->members[member].until_ms : 0;
}

unsigned ps_order_failures(const struct ps_order *order, unsigned member)
{
    return order->members[member].failures;
}
