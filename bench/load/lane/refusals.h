/* Decides how long to wait when the receiver answers "later" (HTTP 503, Avro's FAILED), and when that is an outage:
 * a full channel is transient back-pressure, a second of refusals is not. Thread: the lane's sender. */
#pragma once

#include "core/clock.h"

#define PS_REFUSAL_NS (10 * PS_NS_PER_MS) /* the first wait; it doubles up to three times */
/* 10 ms doubled to at most 80 ms: longer waits would leave the target idle and its rate measured too low. */
#define PS_REFUSAL_DOUBLINGS_MAX 3U
#define PS_REFUSALS_PERSIST_NS PS_NS_PER_S

struct ps_refusals {
    unsigned count; /* consecutive refusals; 0 after an acceptance */
    uint64_t first_ns;
};

/* Counts a refusal. Returns when to try again. */
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
