/* The address on which a source listens, when the configuration has a host name: a helper thread looks the name
 * up, so neither `open` nor a retry waits for a name server. `build` makes the look-up, which all workers of
 * the source share. */
#pragma once

#include "core/status.h"
#include "stages/lib/net/address.h"

struct ps_lookup;

/* Begins to look up `host`, and waits at most a second for the answer, which may still come later. Sets *lookup
 * to NULL when no name server is needed: when `host` is NULL or an address in digits, also in brackets. Thread:
 * control, or that of a reload. */
enum ps_status ps_lookup_build(struct ps_lookup **lookup, const char *host, struct ps_err *err);
/* Waits longer for the first answer. NULL is allowed. Thread: the one that called ps_lookup_build, before other
 * threads use the look-up. */
void ps_lookup_wait(struct ps_lookup *lookup, uint32_t timeout_ms);
/* Frees the look-up; NULL is allowed. Does not wait for an answer. */
void ps_lookup_teardown(struct ps_lookup *lookup);

/* Sets `address` (port 0) to the last answer. PS_FAIL: the answer was an error, or is still missing; `err` says
 * which of the two. Begins to ask again when the answer is older than a second, so that the next try, 3 s
 * later, has a fresh one. Does not wait. Thread: any worker, in `open` or a retry. */
enum ps_status ps_lookup_address(struct ps_lookup *lookup, struct ps_address *address, struct ps_err *err);
