/* Values of headers that a sink kafka cannot use: names that no topic can have in the header `topic`, and texts that are no number in
 * that of the partition. Such an event is never delivered. Thread: control. */
#pragma once

#include "conf/conf.h"

/* Warns of each interceptor and selector, and each key of a source, that gives the header such a value. Called after
 * validation. */
void ps_doubt_topics(struct ps_conf *conf);
