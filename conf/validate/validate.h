/* Flume's validation and instantiation rules (FlumeConfiguration, AbstractConfigurationProvider): drop the
 * component and continue. Also binds the keys and runs each stage's check. Thread: the control thread. */
#pragma once

#include "conf/agent.h"
#include "conf/conf.h"

/* Fills conf->agent from one agent's keys; every problem goes to conf->problems. */
void ps_validate(struct ps_conf *conf, const struct ps_agent_text *text);
