/* Detects when a CPU was not available: a thread on that CPU repeatedly sleeps for a fifth of a millisecond,
 * with priority over all others where permitted (SCHED_FIFO). When it wakes late, the hypervisor or the
 * kernel had the CPU, and a delay of other threads on this CPU in that time is not their fault.
 *
 * Thread: the bench's main one. */
#pragma once

#include "core/base.h"

struct ps_cpu_watch;

struct ps_cpu_watch *ps_cpu_watch_start(int cpu);
/* Returns the nanoseconds of [from, to] (monotonic) in which the thread had to wait. Only gaps above 0.2 ms
 * count, and only the last 4,096. */
uint64_t ps_cpu_watch_gap_ns(const struct ps_cpu_watch *watch, uint64_t from_ns, uint64_t to_ns);
void ps_cpu_watch_stop(struct ps_cpu_watch *watch);
