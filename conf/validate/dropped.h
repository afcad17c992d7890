/* Components that the file lists and that the agent leaves out. `check` and /readyz report them, by one rule for
 * native and Java components. Thread: the control thread. */
#pragma once

#include "conf/validate/validate_internal.h"

/* Returns whether the agent may start with this channel, which has sources and no sink: false after adding an error,
 * because a sink that was dropped by mistake was to take from it. Its sources would go on accepting events that nobody
 * delivers, until the channel is full. Called after all components, before channels are removed. */
bool ps_validate_reader(struct ps_validation *validation, const struct ps_conf_channel *channel);

/* Fills in conf->dropped and conf->cut. Called after all components. */
void ps_validate_dropped(struct ps_validation *validation);
