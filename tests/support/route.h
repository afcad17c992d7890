/* Runs a selector by hand: stands in for the engine's `struct ps_route`, so a test that uses it must not use
 * the engine's runners. */
#pragma once

#include "tests/support/stage.h"

#define PS_TEST_CHANNELS_MAX 16

enum ps_test_way { PS_WAY_NONE, PS_WAY_REQUIRED, PS_WAY_OPTIONAL };

/* One call of `work` on the chain's lease. */
struct ps_route *ps_test_selector_work(struct ps_test_stage *stage, struct ps_lease *lease);
/* How the event at a position of the lease goes to a channel. Fails when it goes both ways, or twice. */
enum ps_test_way ps_test_route_way(const struct ps_route *route, const struct ps_lease *lease,
                                   uint32_t position, unsigned channel);
void ps_test_route_free(struct ps_route *route);
