/* Checks that no two sources of one type, and no two channels, claim the same file or directory. Thread: control. */
#pragma once

#include "conf/conf.h"

/* Warns once for each source or channel that claims a path of an earlier one (core/claim.h), and names both. A start
 * continues, as Flume does; a reload is refused (conf/mistake.h). Paths are compared after symbolic links, where they
 * exist; nothing is written. Call it after validation. */
void ps_check_claims(struct ps_conf *conf);
