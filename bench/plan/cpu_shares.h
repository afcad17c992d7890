/* Splits the use of this machine's CPUs: the programs of a measurement (this process and its descendants, the
 * subject and its descendants), or other programs. Reads the process table under /proc; the time of a hypervisor
 * (steal) counts as other programs'.
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

/* `proc`: "/proc", or a directory with the same files. `roots`: process ids whose descendants are the
 * measurement's; ids of 0 are left out. Returns false when there is no such table. */
bool ps_cpu_read(struct ps_cpu_reading *reading, const char *proc, const pid_t *roots, unsigned root_count);
/* Computes the shares between two readings. Returns false when no time passed between them, or one is empty ({0}). */
bool ps_cpu_shares_between(const struct ps_cpu_reading *before, const struct ps_cpu_reading *after,
                           struct ps_cpu_shares *shares);

/* Watches the machine for `ms` and measures the share of its CPUs that other programs use. `busiest` is the
 * name of the program that used most, "" when none did. Returns false when unknown. */
bool ps_cpu_foreign_now(const char *proc, const pid_t *roots, unsigned root_count, unsigned ms,
                        double *foreign, char busiest[PS_CPU_NAME_BYTES]);

/* Returns the process that listens on a TCP port or has bound a UDP port of this machine; 0: none is found,
 * or its files may not be read. */
pid_t ps_cpu_listener(const char *proc, unsigned port);
