/* What `penstock check` says of the agent's state directory (conf/state_directory.h). Thread: the main thread. */
#pragma once

#include "conf/conf.h"

/* Adds a note if a Kafka component of the agent has to remember something for its next life, and the directory is not
 * known or cannot be made or written by this user. The agent starts all the same, so it is no fault. Called before the
 * plan is made. */
void ps_check_state(struct ps_conf *conf);
