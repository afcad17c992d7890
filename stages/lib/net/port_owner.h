/* Finds the process that uses a port of this machine, from proc(5). For messages and tools only. Thread: control. */
#pragma once

#include <sys/types.h>

#include "core/base.h"

/* Writes "taken by rsyslogd (process 812)", or, if the process cannot be seen, the user who has taken the port.
 * Returns the process, -1 if it cannot be seen, or 0 when no socket of this network namespace listens on the TCP port, or is bound to the UDP port. */
pid_t ps_port_owner(unsigned port, bool datagrams, char *text, size_t room);
