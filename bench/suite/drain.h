/* A receiver for benches of a sender: a process on its own core that reads and discards everything on a port
 * of 127.0.0.1. Thread: the bench's main one. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_DRAIN_CONNECTIONS_MAX 4

/* Finds the first and the last CPU that this process may use; both are the same when there is only one CPU. */
void ps_cpu_ends(int *first, int *last);
/* Pins this thread to a CPU, if that is allowed. */
void ps_cpu_pin(int cpu);

/* Starts the process. Owns: ps_drain_stop. The process also ends when its parent does. */
pid_t ps_drain_start(int cpu, unsigned *port);
void ps_drain_stop(pid_t drain);
