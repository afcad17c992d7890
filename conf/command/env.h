/* flume-env.sh of the configuration directory. It is a shell script and is never executed. Its assignments are read
 * (conf/command/shell.h); options for Flume are found line by line and reported, with the equivalent for penstock. Thread: the
 * control thread. */
#pragma once

#include "conf/conf.h"

/* Reads the assignments into command->environment. Does nothing if command->conf_dir has no flume-env.sh. */
void ps_env_load(struct ps_command *command);

/* Adds a problem for each -D option, each exported variable and each assignment that was not understood. Sets conf->heap_bytes from -Xmx unless the
 * command line gave one. Does nothing if `conf_dir` has no flume-env.sh. */
void ps_env_read(struct ps_conf *conf, const char *conf_dir);
