/* The system properties of the metrics server, -Dflume.monitoring.* and -Dpenstock.monitoring.*, and
 * -Dpenstock.core.dumps. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Reads the properties into conf->monitoring and conf->core_dumps. Adds a warning for each one that is misspelt or has a bad value; then
 * the agent runs without metrics, as Flume does (org.apache.flume.node.Application, loadMonitoring). */
void ps_conf_monitoring(struct ps_conf *conf);

/* The system properties (-D) that the agent reads, without -D; the last is NULL. Flume's "flume.log.*" are used by
 * flume-ng only. */
extern const char *const ps_conf_property_names[];
