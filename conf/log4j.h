/* What Flume's logging configuration asks for: level and file of the root logger, from log4j2.xml or
 * log4j.properties of the configuration directory, and -Dflume.root.logger. Everything else in those files is
 * named as ignored. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* log4j2.xml (Flume 1.10 on), else log4j.properties (before); -Dlog4j.configurationFile and
 * -Dlog4j.configuration name another file. Fills conf->log. No file: nothing. */
void ps_log4j_read(struct ps_conf *conf, const char *conf_dir);

/* -Dflume.root.logger=LEVEL,APPENDER wins over the files: "console" means stderr. */
void ps_log4j_properties(struct ps_conf *conf);

/* The parts, for tests: text in memory. `path` names it in messages. */
void ps_log4j1_parse(struct ps_conf *conf, const char *path, const char *text, size_t length);
void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length);
