/* Checks that need several components. ps_conf_load calls it, so that both agent and check report the
 * problems. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Detects a Kafka source and a Kafka sink that form a loop. The source sets the header that overrides the
 * sink's topic, so every event goes to the topic it came from; if both use one cluster, this repeats for ever. Flume
 * does the same. The warning names the flow and the key to change.
 *
 * Detects a sink whose path has an escape of the time (hdfs.path = /logs/%Y) after a source whose events have no
 * header `timestamp`: Flume fails each batch for ever (BucketPath: "Expected timestamp in the Flume event headers"). */
void ps_check_flows(struct ps_conf *conf);
