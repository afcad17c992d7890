/* Drop that component and go on: Flume's validation and instantiation rules (FLUME.md 2.3), with binding and
 * each stage's own check. Thread: the control thread. */
#pragma once

#include "conf/agent.h"
#include "conf/conf.h"

/* Fills conf->agent from one agent's keys; every problem goes to conf->problems. */
void ps_validate(struct ps_conf *conf, const struct ps_agent_text *text);
