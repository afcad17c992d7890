/* Config filters: ${f1['key']} in the values of an agent's components (Flume user guide, Configuration
 * Filters). `env` and `external` work; `hadoop` reports an alternative. Thread: the control thread; external
 * runs a command for at most 10 s. */
#pragma once

#include "conf/agent.h"

void ps_filters_apply(struct ps_agent_text *agent, struct ps_arena *arena, struct ps_problems *problems);
