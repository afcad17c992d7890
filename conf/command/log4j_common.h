/* Shared by log4j.c and log4j2.c. Thread: the control thread. */
#pragma once

#include "conf/conf.h"
#include "conf/properties/properties.h"
#include "conf/properties/substitute.h"

/* Sets conf->log.level from a level name of Java; warns about an unknown one. */
void ps_log4j_level(struct ps_conf *conf, const char *word, struct ps_place place);

/* Adds the level of a logger of Java classes to conf->log.loggers, with a note; warns about an unknown one. */
void ps_log4j_logger(struct ps_conf *conf, const char *name, const char *word, struct ps_place place);
/* Notes that the appenders of a logger other than the root are not used. */
void ps_log4j_logger_appends(struct ps_conf *conf, struct ps_place place);

/* Returns the value of `key`, with ${...} replaced from system properties, the environment and the other
 * keys; NULL if there is no such key. */
const char *ps_log4j_substitute(struct ps_conf *conf, struct ps_properties *properties, const char *key);
