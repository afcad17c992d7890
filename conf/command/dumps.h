/* The system property -Dpenstock.core.dumps: whether the process may leave core dumps. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

#define PS_CONF_CORE_DUMPS "penstock.core.dumps"

/* Sets conf->core_dumps; adds a warning for a value other than true or false. */
void ps_conf_core_dumps(struct ps_conf *conf);
