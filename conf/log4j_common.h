/* What log4j.c and log4j2.c share. Thread: the control thread. */
#pragma once

#include "conf/conf.h"
#include "conf/properties.h"
#include "conf/substitute.h"

/* Sets conf->log.level from a word of Java's; a warning when it is none. */
void ps_log4j_level(struct ps_conf *conf, const char *word, struct ps_place place);

/* The value of `key` with ${...} replaced from system properties, the environment and the other keys; NULL =
 * no such key. */
const char *ps_log4j_substitute(struct ps_conf *conf, struct ps_properties *properties, const char *key);
