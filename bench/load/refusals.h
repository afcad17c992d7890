/* How long to wait when the far side says "later" (HTTP 503, Avro's FAILED), and when that is an outage: a
 * full channel is passing back-pressure, a second of it is not. Thread: the lane's sender. */
#pragma once

#include "core/clock.h"

#define PS_REFUSAL_NS (10 * PS_NS_PER_MS) /* doubling .. */
#define PS_REFUSAL_DOUBLINGS_MAX 3U       /* .. to 80 ms: an idle target would be measured too low */
#define PS_REFUSALS_PERSIST_NS PS_NS_PER_S

struct ps_refusals {
    unsigned count; /* in a row; 0 when something was taken */
    uint64_t first_ns;
};

/* Another one. Returns when to try again. */
static inline uint64_t ps_refusals_add(struct ps_refusals *refusals, uint64_t now_ns)
{
    if (refusals->count == 0)
        refusals->first_ns = now_ns;
    unsigned doublings =
        refusals->count < PS_REFUSAL_DOUBLINGS_MAX ? refusals->count : PS_REFUSAL_DOUBLINGS_MAX;
    refusals->count++;
    return now_ns + (PS_REFUSAL_NS << doublings);
}

static inline bool ps_refusals_persist(const struct ps_refusals *refusals, uint64_t now_ns)
{
    return refusals->count > 0 && now_ns - refusals->first_ns >= PS_REFUSALS_PERSIST_NS;
}
