/* The result document: everything that a plan found, as JSON (docs/PLANNING.md describes it). The report uses
 * nothing else.
 *
 * Thread: any, after the plan has ended. */
#pragma once

#include "bench/plan/planning.h"

/* Makes the document. Owns: the caller, json_decref. */
json_t *ps_result_document(const struct ps_planning *planning);
/* Makes one trial's object of the document. */
json_t *ps_result_trial(const struct ps_planning *planning, unsigned number);
/* Writes the document to a temporary file next to `path` and renames it. */
enum ps_status ps_result_write(const json_t *document, const char *path, struct ps_err *err);
enum ps_status ps_result_read(json_t **document, const char *path, struct ps_err *err);

/* Writes the trials behind a goal's figure: "3 trials of 4 s at 806,000 events/s: 3 held; ..." */
void ps_result_note(const struct ps_planning *planning, unsigned goal, char *text, size_t room);
/* Lists the assumptions from subject, load and machine; calls `line` for each. */
void ps_result_assumptions(const struct ps_planning *planning, void (*line)(void *argument, const char *text),
                           void *argument);
