/* Decides how long to wait when the receiver answers "later" (HTTP 503, Avro's FAILED), and when that is an outage:
 * a full channel is transient back-pressure, a second of refusals is not. Thread: the lane's sender. */
#pragma once

#include "core/backoff.h"
#include "core/clock.h"

/* The first wait, and the longest: longer waits would leave the target idle and its rate measured too low. */
#define PS_REFUSAL_NS (10 * PS_NS_PER_MS)
#define PS_REFUSAL_MAX_NS (80 * PS_NS_PER_MS)
#define PS_REFUSALS_PERSIST_NS PS_NS_PER_S

struct ps_refusals {
    unsigned count; /* consecutive refusals; 0 after an acceptance */
    uint64_t first_ns;
};

/* Counts a refusal. Returns the time (monotonic) at which to try again. */
static inline uint64_t ps_refusals_add(struct ps_refusals *refusals, uint64_t now_ns)
{
    if (refusals->count == 0)
        refusals->first_ns = now_ns;
    return now_ns + ps_backoff_doubled(PS_REFUSAL_NS, PS_REFUSAL_MAX_NS, refusals->count++);
}

static inline bool ps_refusals_persist(const struct ps_refusals *refusals, uint64_t now_ns)
{
    return refusals->count > 0 && now_ns - refusals->first_ns >= PS_REFUSALS_PERSIST_NS;
}
