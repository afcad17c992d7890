/* Reads Flume's logging configuration: level and file of the root logger, and the levels of the other loggers for Java
 * classes, from log4j2.xml or log4j.properties of the configuration directory, and -Dflume.root.logger. Everything else
 * in those files is reported as ignored. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

#define PS_CONF_LOG_FORMAT "penstock.log.format"

/* Reads log4j2.xml (of Flume 1.10 and later), else log4j.properties (of earlier versions); -Dlog4j.configurationFile
 * and -Dlog4j.configuration name another file. Fills conf->log. Does nothing without a file. */
void ps_log4j_read(struct ps_conf *conf, const char *conf_dir);

/* Reads -Dflume.root.logger=LEVEL,APPENDER, which overrides the files ("console" means stderr), and
 * -Dpenstock.log.format=json, which makes lines JSON objects. */
void ps_log4j_properties(struct ps_conf *conf);

/* Hands the levels that were read over to the Java processes (conf->class_path). */
void ps_log4j_hand_over(struct ps_conf *conf);

/* Reads the text of a log4j2.xml; also called by tests. `path` is the name in messages. */
void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length);
