/* Waiting for the next due time without being late: sleep until 3 ms before it, then spin, since a sleep
 * alone ends milliseconds late now and then. While it spins it is also the witness of the core: when two
 * readings of the clock in a row lie further apart than spinning explains, the core was somebody else's (the
 * hypervisor's, another process's). While the sender works, the same is told by wall time that was no CPU
 * time of the thread. These gaps are what the schedule error is told net of; the raw error is told too.
 *
 * Thread: the sender's. */
#pragma once

#include "core/watch/histogram.h"

#include <sys/epoll.h>

#define PS_PACER_SPIN_NS UINT64_C(3000000) /* before the due time */
#define PS_PACER_GAP_NS UINT64_C(20000)    /* shorter ones are not told from the loop itself */
#define PS_PACER_GAPS 512U                 /* remembered */
#define PS_PACER_READY_MAX 64

struct ps_pacer {
    int epoll; /* -1: nothing is polled */
    bool spin; /* false: sleeps in steps of a millisecond, for shared cores, and witnesses nothing while idle
                */
    uint64_t polled_ns;            /* when the descriptors were looked at last */
    uint64_t seen_ns;              /* the last reading of the clock on the core */
    uint64_t mark_ns, mark_cpu_ns; /* wall and thread CPU time at one moment after the last sleep */
    uint32_t gap_count;
    struct ps_pacer_gap {
        uint64_t from_ns, to_ns;
    } gaps[PS_PACER_GAPS];       /* in turn */
    struct ps_histogram *gap_ns; /* the caller's */
    struct epoll_event ready[PS_PACER_READY_MAX];
};

/* `gap_ns` is written to by this thread only. */
void ps_pacer_init(struct ps_pacer *pacer, int epoll, bool spin, struct ps_histogram *gap_ns);

/* Returns when it is `due_ns` or, less exactly, `until_ns`, or a descriptor is ready (ready[0 ..
 * *ready_count)), or after 20 ms, so that orders are seen. Only for due_ns does it spin. Looks at the
 * descriptors now and then even when it is late already. Returns the time. */
uint64_t ps_pacer_wait(struct ps_pacer *pacer, uint64_t due_ns, uint64_t until_ns, int *ready_count);

/* The sender worked since the last reading and now reads the clock: was it away in between? */
void ps_pacer_worked(struct ps_pacer *pacer, uint64_t now_ns);

/* Two readings of the clock in a row without a call in between. */
void ps_pacer_saw(struct ps_pacer *pacer, uint64_t now_ns);

/* How much of the time from this or that moment to `to_ns` lies in gaps, for moments that rise: a few
 * nanoseconds an event, however many gaps there were. */
struct ps_pacer_overlap {
    const struct ps_pacer *pacer;
    uint64_t to_ns;
    uint32_t oldest;    /* the oldest gap that is not over by the moment; gap_count: none */
    uint64_t behind_ns; /* time in the gaps after that one */
};
void ps_pacer_overlap_begin(struct ps_pacer_overlap *overlap, const struct ps_pacer *pacer, uint64_t from_ns,
                            uint64_t to_ns);
uint64_t ps_pacer_overlap(struct ps_pacer_overlap *overlap, uint64_t from_ns);

uint64_t ps_pacer_now(void);
