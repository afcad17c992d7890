/* Finds the process that uses a port of this machine, from proc(5). For messages only. Thread: control. */
#pragma once

#include <stddef.h>

#include "core/base.h"

/* Writes "taken by rsyslogd (process 812)", or, if the process cannot be seen, the user who has taken the port.
 * Returns false when no socket of this network namespace listens on the TCP port, or is bound to the UDP port. */
bool ps_port_owner(unsigned port, bool datagrams, char *text, size_t room);
