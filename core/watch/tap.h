/* A tap: a look at live events as they pass, for `penstock tail`.
 *
 * A byte ring of its own in each open instance that can be looked at. The worker copies events into it while
 * somebody looks and there is room, and else does nothing: it never waits, and what does not fit is not
 * shown. When nobody looks the price is one relaxed load a lease. Threads: ps_tap_offer is the worker's the
 * instance lives on; start, stop and take are the looker's, one at a time (the metrics server sees to that).
 */
#pragma once

#include "core/flow/batch.h"
#include "core/watch/page.h"
#include "rings/flag.h"

#define PS_TAP_BYTES 65536U      /* of the ring; a power of two */
#define PS_TAP_EVENT_BYTES 4096U /* an event is shown up to here: headers first, then the body */
#define PS_TAP_LEASE_EVENTS 32U  /* at most so many of one lease, spread over it */

struct ps_tap {
    struct ps_flag wanted;
    PS_ALIGNED_GAP struct ps_mark head; /* the worker's: bytes ever written */
    PS_ALIGNED_GAP struct ps_mark tail; /* the looker's: bytes ever read */
    char bytes[PS_TAP_BYTES];
};

struct ps_tap *ps_tap_create(void);
void ps_tap_destroy(struct ps_tap *tap);

/* Begin and stop looking. What is in the ring from an earlier look is thrown away at the beginning. */
void ps_tap_start(struct ps_tap *tap);
void ps_tap_stop(struct ps_tap *tap);

/* Appends up to `max` events as lines {"headers":{..},"body":"..","bytes":N}, and returns how many. `bytes`
 * is the length of the whole body; what was cut has "cut":true. */
unsigned ps_tap_take(struct ps_tap *tap, unsigned max, struct ps_page *page);

/* Thread: the worker. */
void ps_tap_copy(struct ps_tap *tap, const struct ps_lease *lease);

/* A lease passes here. `tap` may be NULL. Thread: the worker. */
static inline void ps_tap_offer(struct ps_tap *tap, const struct ps_lease *lease)
{
    if (PS_UNLIKELY(tap != NULL && ps_flag_get(&tap->wanted)))
        ps_tap_copy(tap, lease);
}
