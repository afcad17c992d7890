/* flume-env.sh of the configuration directory. It is a shell script and is never executed. Settings for Flume
 * are found line by line and reported, with the equivalent for penstock. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Adds a problem for each -D option and each exported variable. Sets conf->heap_bytes from -Xmx unless the
 * command line gave one. Does nothing if there is no such file. */
void ps_env_read(struct ps_conf *conf, const char *conf_dir);
