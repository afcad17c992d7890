/* A process that sends the same bytes over TCP repeatedly, as fast as possible or a given number each
 * millisecond: it feeds a source in a bench and is not included in the measurement. Thread: the bench's main
 * one. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_PUMP_CONNECTIONS 4

/* Sends the whole lines at `bytes`, from this CPU, to a port of 127.0.0.1 on which a process will soon
 * listen. Owns: ps_pump_stop; the process also ends when its parent does. */
pid_t ps_pump_start(int cpu, unsigned port, const char *bytes, size_t length);
/* The same with `rate` bytes per millisecond; bytes that are not accepted in time are sent later. */
pid_t ps_pump_start_paced(int cpu, unsigned port, const char *bytes, size_t length, size_t rate);
void ps_pump_stop(pid_t pump);
/* Sends the bytes as fast as they are accepted, in the calling process. The process ends when the connection ends. */
_Noreturn void ps_pump_send(unsigned port, const char *bytes, size_t length);

/* Connects to a port of 127.0.0.1 on which a process will soon listen; tries for ten seconds, then ends the process. */
int ps_pump_connect(unsigned port);

/* Returns a port that was free a moment ago. */
unsigned ps_pump_port(void);
