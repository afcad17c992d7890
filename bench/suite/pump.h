/* A process that sends the same bytes over TCP again and again, as fast as they are taken or so many each
 * millisecond: what feeds a source in a bench. Not counted in what is measured. Thread: the bench's main one.
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_PUMP_CONNECTIONS 4

/* Whole lines at `bytes`; on this CPU, to a port of 127.0.0.1 where somebody listens soon. Owns:
 * ps_pump_stop; it ends with its parent, too. */
pid_t ps_pump_start(int cpu, unsigned port, const char *bytes, size_t length);
/* The same, `rate` bytes a millisecond; what is not taken in time is sent later. */
pid_t ps_pump_start_paced(int cpu, unsigned port, const char *bytes, size_t length, size_t rate);
void ps_pump_stop(pid_t pump);

/* A port that was free a moment ago. */
unsigned ps_pump_port(void);
