/* Mistakes of a reload: problems that would let the agent run with less than its file asks for. A start drops such
 * components and continues, as Flume does; a reload is refused, so that a typo does not close a running component.
 * Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Returns the first mistake of `fresh` that refuses a reload, a cause before consequences, a new one before those of
 * `running`; or NULL. `running` is the configuration of `old`, the running spec. A mistake refuses the reload when
 *
 *   - `running` does not have it (the same key with the same text), or
 *   - a channel of `fresh` has no source or no sink, and has both in `old` or is not in `old`.
 *
 * It adds a mistake to `fresh` for each sink (source) that is still listed and has left a channel that now has
 * sources and no sink (sinks and no source): a channel name that is mistyped as that of another channel.
 *
 * `*count` is the number of mistakes that refuse the reload. Call it once, before ps_conf_take_spec(fresh). */
const struct ps_problem *ps_conf_mistake(const struct ps_conf *running, const struct ps_agent_spec *old,
                                         struct ps_conf *fresh, size_t *count);

/* Returns the most important problem of a configuration that cannot run (ps_conf_load failed): the first cause,
 * which has a place and a cure, and not an error that follows from it ("no valid channel"). `*count` is the number
 * of causes. Never NULL, because a load that failed has an error. */
const struct ps_problem *ps_conf_refusal(const struct ps_conf *conf, size_t *count);
