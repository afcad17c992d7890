/* Components that the file lists and that the agent leaves out. `check` and /readyz report them, by one rule for
 * native and Java components. Thread: the control thread. */
#pragma once

#include "conf/validate/validate_internal.h"

/* Fills in conf->left_out and conf->cut. Called after all components. */
void ps_validate_left_out(struct ps_validation *validation);
