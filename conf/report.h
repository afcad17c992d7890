/* What `penstock check` prints: problems, the components, a last line; as text or as JSON. Thread: the main
 * thread. */
#pragma once

#include "conf/conf.h"

#include <stdio.h>

/* True when colours are wanted on this stream: a terminal, and NO_COLOR is not set. */
bool ps_report_colour(FILE *file);

/* Every problem, one a line. */
void ps_report_problems(FILE *file, const struct ps_conf *conf, bool colour);

/* The agent's components and how they hang together. Before ps_conf_take_spec. */
void ps_report_agent(FILE *file, const struct ps_conf *conf);

/* "a1: fine", "a1: 2 errors, 1 warning: the agent would not start". */
void ps_report_summary(FILE *file, const struct ps_conf *conf);

/* The same as one JSON object, in two steps: the components before ps_conf_take_spec, then problems and the
 * engine's own lines. The second returns an owned text (free) and ends the object. */
struct json_t;
struct json_t *ps_report_json_begin(const struct ps_conf *conf);
char *ps_report_json_end(struct json_t *root, const struct ps_conf *conf, const struct ps_texts *lines);
