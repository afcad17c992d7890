/* Mistakes of a reload: what would leave the agent with less than its file asks for. A start drops such
 * components and goes on, as Flume does; a reload is refused, so that a typo does not close what runs. Thread:
 * the control thread. */
#pragma once

#include "conf/conf.h"

/* Returns the first mistake of `fresh` that refuses a reload, a cause before consequences; or NULL. `running` is the configuration of
 * `old`, the spec that runs. It refuses the reload when
 *
 *   - `running` does not have it: the same key with the same text, or
 *   - a channel of `fresh` has no source or no sink, and has both in `old` or is not in `old`.
 *
 * `*count` is the number of mistakes that refuse it. Call it before ps_conf_take_spec(fresh). */
const struct ps_problem *ps_conf_mistake(const struct ps_conf *running, const struct ps_agent_spec *old,
                                         const struct ps_conf *fresh, size_t *count);
