/* The result document: everything a plan found, as JSON (docs/PLANNING.md describes it). The report is made
 * of it alone.
 *
 * Thread: any, when the plan has ended. */
#pragma once

#include "bench/plan/planning.h"

/* Owns: the caller, json_decref. */
json_t *ps_result_document(const struct ps_planning *planning);
/* A trial as it stands there. */
json_t *ps_result_trial(const struct ps_planning *planning, unsigned number);
/* Writes the document to `path` by way of a file beside it and a rename. */
enum ps_status ps_result_write(const json_t *document, const char *path, struct ps_err *err);
enum ps_status ps_result_read(json_t **document, const char *path, struct ps_err *err);

/* What stands behind a goal's figure: "3 trials of 4 s at 806,000 events/s: 3 held; ..." */
void ps_result_note(const struct ps_planning *planning, unsigned goal, char *text, size_t room);
/* What was assumed: from subject, load and machine. `line` is called for each. */
void ps_result_assumptions(const struct ps_planning *planning, void (*line)(void *argument, const char *text),
                           void *argument);
