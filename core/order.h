/* Chooses, at each call, the order in which several members are tried, and leaves members out for a while after
 * failures: Flume's RoundRobinOrderSelector and RandomOrderSelector with OrderSelector's back-off, to the
 * millisecond. Flume's LoadBalancingSinkProcessor (here core/engine/processor.h) and LoadBalancingRpcClient
 * (commands/client) choose by them.
 *
 * Thread: one at a time. Times are monotonic. */
#pragma once

#include "core/base.h"

#define PS_ORDER_BACKOFF_MS 30000 /* OrderSelector.MAX_TIMEOUT: backoff_max_ms when none is given */

struct ps_order_settings {
    unsigned count;
    bool random;            /* true: each call makes a random order; false: the members take turns */
    bool backoff;           /* a member that failed is left out for 2, 4, 8 .. seconds */
    int64_t backoff_max_ms; /* longest time for which a member is left out */
};

struct ps_order;

/* `seed` starts the random order. Ends the process when there is no memory (ps_must_alloc). */
struct ps_order *ps_order_create(const struct ps_order_settings *settings, uint64_t seed);
/* NULL is allowed. */
void ps_order_destroy(struct ps_order *order);

/* Writes the members that are not left out to `members`, which has room for all, in the order in which to try them.
 * Returns their number. */
unsigned ps_order_next(struct ps_order *order, unsigned *members, int64_t now_ms);
/* Notes that the member failed. The caller does not report a success: the count of failures expires by time. */
void ps_order_failed(struct ps_order *order, unsigned member, int64_t now_ms);

/* Returns the time until which the member is left out; 0: it is in use. */
int64_t ps_order_left_out_until_ms(const struct ps_order *order, unsigned member, int64_t now_ms);
/* Returns how often the member failed in a row; 0 without back-off. */
unsigned ps_order_failures(const struct ps_order *order, unsigned member);
