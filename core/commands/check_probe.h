/* `penstock check --probe`. Thread: the main thread. */
#pragma once

#include <stdio.h>

#include "conf/conf.h"

struct json_t;

/* Tries what the plan's stages, the metrics server, the log and the backup need, and prints a line for each thing to
 * `out`, or adds an object for each to `list` (a JSON array); the other is NULL. Returns how many failed. */
unsigned ps_check_probe(const struct ps_conf *conf, const struct ps_command *command,
                        const struct ps_plan *plan, FILE *out, struct json_t *list);
