/* Shared by the stages of tests/support/flow.h: flow_stages.c, flow_sink.c. */
#pragma once

#include "tests/support/flow.h"

/* Returns the seed of the random generator of one open stage. `salt` differs for each kind of stage and each time
 * it is opened. */
uint64_t flow_seed_of(const struct flow_plan *plan, const struct ps_port *port, uint64_t salt);
/* Makes the stage report a failure, by chance. `failed` is set then: the engine must not call its `work` again. */
void flow_may_fail(struct flow *flow, struct ps_port *port, uint64_t *random, bool *failed);
/* Why stages give events up. */
extern const struct ps_dead_letter_reason flow_drawn;
