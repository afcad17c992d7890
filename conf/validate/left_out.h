/* What the agent that runs lacks of what its file lists: for `check` and /readyz, which have one rule for native components and for those in
 * Java. Thread: the control thread. */
#pragma once

#include "conf/validate/validate_internal.h"

/* Fills in conf->left_out and conf->cut. Called after all components. */
void ps_validate_left_out(struct ps_validation *validation);
