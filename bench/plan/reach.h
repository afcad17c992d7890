/* Looks whether anything listens at a target, so that a plan for a program that does not run ends at once. Load itself waits
 * for its target, because people start both at the same time.
 *
 * Thread: any; blocks for a second at most for each address. */
#pragma once

#include "core/status.h"

/* Fails when each host of the URL refuses connections. PS_OK: one accepts them, one does not answer, or the URL has no host that
 * TCP can reach. The connection is closed at once. */
enum ps_status ps_reach_look(const char *url, struct ps_err *err);
