/* What `penstock check` looks at beside the file, and what --probe tries. Thread: the main thread. */
#pragma once

#include <stdio.h>

#include "conf/conf.h"

struct json_t;

struct ps_check_look {
    unsigned
        failed; /* things that a component needs and that are not there; each is a warning of the conf's */
    unsigned skipped; /* things that only --probe tries */
    char *not_tried;  /* which: a list for people. Owns: the caller frees it */
};

/* Looks at directories and files that the plan's stages need. What is wrong becomes a problem of the configuration: an error
 * when the agent does not start with it, else a warning, which is left to the probe if the command asks for one. */
struct ps_check_look ps_check_look(struct ps_conf *conf, const struct ps_command *command,
                                   const struct ps_plan *plan);

/* Tries what the plan's stages, the metrics server, the log and the backup need, and prints a line for each thing to
 * `out`, or adds an object for each to `list` (a JSON array); the other is NULL. Returns how many failed. */
unsigned ps_check_probe(const struct ps_conf *conf, const struct ps_command *command,
                        const struct ps_plan *plan, FILE *out, struct json_t *list);
