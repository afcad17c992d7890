/* Measures how much of this machine's CPUs the programs of a measurement use (this process, the subject, and the
 * descendants of both), and how much all other programs use. Reads the process table under /proc; the time of a
 * hypervisor (steal) counts as other programs'.
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_CPU_NAME_BYTES 32U

/* The CPU time used so far, in seconds. */
struct ps_cpu_reading {
    double busy_s, all_s; /* of the machine */
    double own_s;         /* of the programs of the measurement, with their children that have ended */
};

/* The use between two readings, as shares of all CPUs, 0 to 1. */
struct ps_cpu_shares {
    double own, foreign;
};

/* `proc`: "/proc", or a directory with the same files. `roots`: ids of processes that belong to the measurement with
 * their descendants; ids of 0 are left out. Returns false when `proc` cannot be read. */
bool ps_cpu_read(struct ps_cpu_reading *reading, const char *proc, const pid_t *roots, unsigned root_count);
/* Computes the shares between two readings. Returns false when no time passed between them, or one reading is empty
 * ({0}). */
bool ps_cpu_shares_between(const struct ps_cpu_reading *before, const struct ps_cpu_reading *after,
                           struct ps_cpu_shares *shares);

/* Watches the machine for `ms` and measures the share of its CPUs that other programs use. `busiest` is the name of the
 * program that used most; "" when no other program used any. Returns false when the share is unknown. */
bool ps_cpu_foreign_now(const char *proc, const pid_t *roots, unsigned root_count, unsigned ms,
                        double *foreign, char busiest[PS_CPU_NAME_BYTES]);
