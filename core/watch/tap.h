/* A tap: a look at live events as they pass, for `penstock tail`: the events that a sink takes, that a source makes,
 * or that leave an interceptor.
 *
 * Each open instance of a source, interceptor or sink has a byte ring for it. While a reader looks, the worker
 * copies events into the ring as long as there is room; it never waits, and events that do not fit are not shown.
 * When no reader looks, the tap costs one relaxed load for each lease. Up to PS_TAP_LOOKERS readers look at once; each
 * sees every event that was copied since it began. Threads: ps_tap_offer: the instance's worker; start, stop and
 * take: the readers, one call at a time (the metrics server holds a lock). */
#pragma once

#include "core/flow/batch.h"
#include "core/watch/page.h"
#include "rings/flag.h"

#define PS_TAP_BYTES 65536U      /* of the ring; a power of two */
#define PS_TAP_EVENT_BYTES 4096U /* an event is shown up to this length: headers first, then the body */
#define PS_TAP_LEASE_EVENTS 32U  /* maximum number of shown events of one lease, spread evenly over it */
#define PS_TAP_LOOKERS 4U        /* readers at once, numbered from 0 */

struct ps_tap {
    struct ps_flag wanted;
    PS_ALIGNED_GAP struct ps_mark head; /* written by the worker: bytes ever written */
    PS_ALIGNED_GAP struct ps_mark tail; /* written by the readers: bytes that all readers have read */
    unsigned lookers;                   /* bit n: reader n looks. Only readers use it and `next` */
    uint64_t next[PS_TAP_LOOKERS];      /* bytes that reader n has read */
    char bytes[PS_TAP_BYTES];
};

/* Never NULL. Owns: the caller destroys it when neither worker nor reader uses it. */
struct ps_tap *ps_tap_create(void);
void ps_tap_destroy(struct ps_tap *tap);

/* Begin and stop looking as reader number `looker`. The reader sees only events copied after ps_tap_start. */
void ps_tap_start(struct ps_tap *tap, unsigned looker);
void ps_tap_stop(struct ps_tap *tap, unsigned looker);
bool ps_tap_is_looking(const struct ps_tap *tap, unsigned looker);

/* Appends up to `max` events as lines {"headers":{..},"body":"..","bytes":N}. Returns the number of events. `bytes` is
 * the length of the whole body; an event that was cut has "cut":true. */
unsigned ps_tap_take(struct ps_tap *tap, unsigned looker, unsigned max, struct ps_page *page);

/* Thread: the worker. */
void ps_tap_copy(struct ps_tap *tap, const struct ps_lease *lease);

/* Called for each lease that passes. `tap` may be NULL. Thread: the worker. */
static inline void ps_tap_offer(struct ps_tap *tap, const struct ps_lease *lease)
{
    if (PS_UNLIKELY(tap != NULL && ps_flag_get(&tap->wanted)))
        ps_tap_copy(tap, lease);
}
