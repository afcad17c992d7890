/* The output of `penstock check`: problems, components, a summary line; as text or JSON. Thread: the main
 * thread. */
#pragma once

#include "conf/conf.h"

#include <stdio.h>

/* Returns whether to use colours on this stream: it is a terminal and NO_COLOR is not set. */
bool ps_report_colour(FILE *file);

/* Prints every problem, one per line. */
void ps_report_problems(FILE *file, const struct ps_conf *conf, bool colour);

/* Prints the agent's components and their connections. Call it before ps_conf_take_spec. */
void ps_report_agent(FILE *file, const struct ps_conf *conf);

/* Prints "a1: fine" or "a1: 2 errors, 1 warning: the agent would not start". `is_fine` false: something else failed, so
 * that an agent without problems of its file is not called fine. */
void ps_report_summary(FILE *file, const struct ps_conf *conf, bool is_fine);

/* These functions make the same report as one JSON object: first the components (before ps_conf_take_spec), then
 * lists of lines under their own names, then the problems; the last function ends the object and returns its text.
 * Owns: the caller frees the text. */
struct json_t;
/* Makes a JSON text; null for NULL, and for text that is not UTF-8. */
struct json_t *ps_report_json_text(const char *text);
struct json_t *ps_report_json_begin(const struct ps_conf *conf);
void ps_report_json_texts(struct json_t *root, const char *name, const struct ps_texts *texts);
char *ps_report_json_end(struct json_t *root, const struct ps_conf *conf);
