/* Config filters: ${f1['key']} in the values of an agent's components (FLUME.md 2.4). `env` and `external`
 * work; `hadoop` says what to do instead. Thread: the control thread; external runs a command for at most 10
 * s. */
#pragma once

#include "conf/agent.h"

void ps_filters_apply(struct ps_agent_text *agent, struct ps_arena *arena, struct ps_problems *problems);
