/* What benches of a sender send into: a process on a core of its own that takes everything on a port of
 * 127.0.0.1 and throws it away. Thread: the bench's main one. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_DRAIN_CONNECTIONS_MAX 4

/* The first and the last CPU this process may use; the same where there is one. */
void ps_cpu_ends(int *first, int *last);
/* This thread on that CPU, if it may. */
void ps_cpu_pin(int cpu);

/* Owns: ps_drain_stop. It ends with its parent, too. */
pid_t ps_drain_start(int cpu, unsigned *port);
void ps_drain_stop(pid_t drain);
