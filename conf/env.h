/* flume-env.sh of the configuration directory. It is a shell script and is never executed: what it would have
 * told Flume is found line by line and reported, with what to write instead. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Adds a problem for each -D option and each exported variable; takes -Xmx as conf->heap_bytes unless the
 * command line gave one. No file: nothing. */
void ps_env_read(struct ps_conf *conf, const char *conf_dir);
