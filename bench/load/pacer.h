/* Waits for the next due time without being late: sleeps until shortly before it and then spins, because a sleep
 * alone sometimes ends milliseconds late. When due times are less than a millisecond apart it spins from one to the next. When
 * they are further apart it sleeps, and spins only for as long as sleeps ended late before, at most an eighth of the time: 200
 * events/s take some 2 % of a CPU.
 *
 * While it spins it also detects when the thread loses its core: two consecutive readings of the clock that
 * lie further apart than spinning explains mean that the hypervisor or another process had the core. While
 * the sender works, the gap is wall time that was not CPU time of the thread. The net schedule error does not
 * include these gaps; the raw schedule error does.
 *
 * Thread: the sender's. */
#pragma once

#include "core/watch/histogram.h"

#include <sys/epoll.h>

#define PS_PACER_SPIN_NS UINT64_C(3000000) /* the pacer spins for no longer than this before a due time */
#define PS_PACER_GAP_NS UINT64_C(20000)    /* shorter gaps cannot be told from the loop itself */
#define PS_PACER_GAPS 512U                 /* gaps that are remembered */
#define PS_PACER_READY_MAX 64

struct ps_pacer {
    int epoll; /* -1: nothing is polled */
    /* False: sleeps in steps of a millisecond, for shared cores, and detects no gaps while idle. */
    bool spin;
    uint64_t late_ns;   /* how late sleeps ended; falls slowly */
    uint64_t polled_ns; /* when the descriptors were last polled */
    uint64_t seen_ns;   /* the last reading of the clock while running */
    /* Wall time and thread CPU time, taken together after the last sleep. */
    uint64_t mark_ns, mark_cpu_ns;
    uint32_t gap_count;
    struct ps_pacer_gap {
        uint64_t from_ns, to_ns;
    } gaps[PS_PACER_GAPS];       /* a ring */
    struct ps_histogram *gap_ns; /* the caller's */
    struct epoll_event ready[PS_PACER_READY_MAX];
};

/* `gap_ns`: only the pacer's thread writes to it. */
void ps_pacer_init(struct ps_pacer *pacer, int epoll, bool spin, struct ps_histogram *gap_ns);

/* Returns the time when one of these happens:
 *
 * - `due_ns` has come: the only time for which the function spins
 * - `until_ns` has come, less exactly
 * - a descriptor is ready: ready[0 .. *ready_count)
 * - 20 ms have passed, so that the caller sees orders
 *
 * Polls the descriptors now and then even when `due_ns` has already passed. */
uint64_t ps_pacer_wait(struct ps_pacer *pacer, uint64_t due_ns, uint64_t until_ns, int *ready_count);

/* Called after the sender has worked: finds out whether the thread lost its core since the last reading. */
void ps_pacer_worked(struct ps_pacer *pacer, uint64_t now_ns);

/* Call with two consecutive readings of the clock that have no call in between. */
void ps_pacer_saw(struct ps_pacer *pacer, uint64_t now_ns);

/* Computes how much of the time from a given moment to `to_ns` lies in gaps, for moments in ascending order:
 * a few nanoseconds per event, for any number of gaps. */
struct ps_pacer_overlap {
    const struct ps_pacer *pacer;
    uint64_t to_ns;
    uint32_t oldest;    /* the oldest gap that ends after the moment; gap_count: none */
    uint64_t behind_ns; /* total length of the gaps after `oldest` */
};
void ps_pacer_overlap_begin(struct ps_pacer_overlap *overlap, const struct ps_pacer *pacer, uint64_t from_ns,
                            uint64_t to_ns);
uint64_t ps_pacer_overlap(struct ps_pacer_overlap *overlap, uint64_t from_ns);

uint64_t ps_pacer_now(void);
