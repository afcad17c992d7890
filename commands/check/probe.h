/* The checks of `penstock check` beside the configuration file itself, and the trials of --probe. Thread: the
 * main thread. */
#pragma once

#include <stdio.h>

#include "conf/conf.h"

struct json_t;

struct ps_check_look {
    unsigned failed;  /* missing things that a component needs; each is also a warning of the configuration */
    unsigned skipped; /* things that only --probe tries */
    char *not_tried;  /* a readable list of the skipped things. Owns: the caller frees it */
};

/* Looks at directories and files that the plan's stages need, and adds each fault to the problems of the
 * configuration: an error if it keeps the agent from starting, else a warning. Adds no warnings if the command line
 * asks for a probe (--probe), which reports these things itself. */
struct ps_check_look ps_check_look(struct ps_conf *conf, const struct ps_command *command,
                                   const struct ps_plan *plan);

/* Looks at the directories and files of the components that are left out and, unless the agent starts, of all others, and adds each
 * fault to the problems: the user learns of all at once. Called before the plan is made. */
void ps_check_look_aside(struct ps_conf *conf, bool starts);

/* Tries each thing that the plan's stages, the metrics server, the log and the backup need. Prints a line for each
 * to `out`, or adds an object for each to `list` (a JSON array); one of the two is NULL. Returns the number of things
 * that failed. */
unsigned ps_check_probe(const struct ps_conf *conf, const struct ps_command *command,
                        const struct ps_plan *plan, FILE *out, struct json_t *list);
