/* Values that name a path which no component can have meant: a pattern of the shell, `~`, a URL where a path belongs,
 * two paths. They are read as Flume reads them, as the name of one directory, which is mostly not there. Thread:
 * control. */
#pragma once

#include "conf/conf.h"

/* Warns of each such value and counts it (conf->doubts). A path that exists is never doubted. Called after
 * validation. */
void ps_doubt_paths(struct ps_conf *conf);
