/* Who else had a CPU: a thread there that sleeps a fifth of a millisecond again and again, before everybody
 * else where it may (SCHED_FIFO). When it wakes late, the CPU was not the machine's to give: the hypervisor
 * had it, or the kernel would not let go. What others took meanwhile is not their fault.
 *
 * Thread: the bench's main one. */
#pragma once

#include "core/base.h"

struct ps_witness;

struct ps_witness *ps_witness_start(int cpu);
/* Nanoseconds of [from, to] (monotonic) in which it was kept waiting. Of gaps above 0.2 ms, the last 4,096.
 */
uint64_t ps_witness_gap_ns(const struct ps_witness *witness, uint64_t from_ns, uint64_t to_ns);
void ps_witness_stop(struct ps_witness *witness);
