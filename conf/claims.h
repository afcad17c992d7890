/* Checks that no two sources of one type have one file or directory that each needs for itself. Thread: control. */
#pragma once

#include "conf/conf.h"

/* Warns once of each source that has a path of an earlier source (core/claim.h), and names both: a start goes on as Flume
 * does, a reload is refused (conf/mistake.h). Paths are compared after symbolic links, where they exist; nothing is
 * written. Call it after validation. */
void ps_check_claims(struct ps_conf *conf);
