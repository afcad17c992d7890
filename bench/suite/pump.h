/* What feeds a source in a bench over TCP, in a process that is not included in the measurement. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_PUMP_CONNECTIONS 4

/* Sends the bytes again and again, over four connections, as fast as they are accepted. The process ends when a connection ends. */
_Noreturn void ps_pump_send(unsigned port, const char *bytes, size_t length);

/* Ends a process that feeds a source. */
void ps_pump_stop(pid_t child);

/* Connects to a port of 127.0.0.1 on which a process will soon listen; tries for ten seconds, then ends the process. */
int ps_pump_connect(unsigned port);
