/* Where the agent may note what its next life needs (PS_STATE_DIRECTORY_PROPERTY). Thread: control. */
#pragma once

#include "conf/conf.h"

/* Returns penstock.state.dir, as the agent's file has it. If it is not set: a folder for this agent of this file, in the directory
 * that systemd gives the service ($STATE_DIRECTORY), else in ~/.flume; ~ is the property user.home, HOME, or the home of the user's entry. NULL: neither is known, or the configuration was
 * not read from a file. The text is in the plan_arena; the directory need not exist. */
const char *ps_conf_state_directory(const struct ps_conf *conf);
