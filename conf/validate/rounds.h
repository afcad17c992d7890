/* Detects sinks whose events come back to them. Thread: control. */
#pragma once

#include "conf/conf.h"

/* Warns of each sink that sends to a source of the same agent from which events come to that sink again, perhaps
 * through further sinks and sources: these events go round for ever, and each new event adds to them, as in Flume.
 * The sinks are avro, thrift and http, with a source of the same name on that host and port, and file_roll with a
 * source spooldir on its directory. (Kafka: conf/validate/check.h.) It warns only when nothing on the way can choose
 * among the events: each sink is alone on its channel and in its group, the selectors replicate, the interceptors are
 * those that pass every event, and the sources take what is given to them (no ipFilter, includePattern or
 * ignorePattern; http with a blob handler). Compares names and paths as written, and addresses by their value; asks
 * no name server. Call it after validation. */
void ps_check_rounds(struct ps_conf *conf);
