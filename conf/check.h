/* Traps that only show when components are looked at together. Called by ps_conf_load, so that agent and
 * check both say them. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* A Kafka source sets the header that tells a Kafka sink its topic: everything goes to the topic it came
 * from, and on one cluster it comes back for ever. Flume does the same; a warning names the flow and the key
 * to change. */
void ps_check_flows(struct ps_conf *conf);
