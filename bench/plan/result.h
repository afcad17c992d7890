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
/* Returns the document as its file has it. Owns: the caller, free. */
char *ps_result_text(const json_t *document);
/* Writes the document to a temporary file next to `path` and renames it. */
enum ps_status ps_result_write(const json_t *document, const char *path, struct ps_err *err);
enum ps_status ps_result_read(json_t **document, const char *path, struct ps_err *err);

/* A goal and its figure as the document has them; 0 where the document has none. */
struct ps_result_goal {
    struct ps_goal goal;
    enum ps_search_status status; /* PS_SEARCH_FAILED: unknown */
    double rate, lower, upper, low95, high95;
    double held, held_s, failed; /* bench/plan/search/search.h */
};
/* Reads the document's goal of this number; false when there is none. The document may come from elsewhere. */
bool ps_result_goal(const json_t *document, size_t number, struct ps_result_goal *found);
/* Finds the goal of the document that asks the same as `goal`. Returns false when there is none. */
bool ps_result_goal_find(const json_t *document, const struct ps_goal *goal, struct ps_result_goal *found);
/* Returns whether the figure is confirmed: found, or "at least". */
bool ps_result_is_confirmed(const struct ps_result_goal *figure);
