/* Compares the summary of a run of load or verify with that of an older run: for --compare. A single run has no interval as
 * the figures of plan have; so a rate or a latency is better or worse when it changed by more than 10 % (a latency also by
 * more than a millisecond), and a count of faults when it changed at all.
 *
 * Thread: main; set-up and end of a command only. */
#pragma once

#include "bench/support/live.h"

enum ps_change_kind { PS_CHANGE_RATE, PS_CHANGE_LATENCY, PS_CHANGE_FAULTS };

struct ps_change_figure {
    const char *name;         /* for people: "p99" */
    const char *group, *key;  /* where it is in the summary; `group` NULL: at the top */
    enum ps_change_kind kind; /* of rates more is better, of the others less */
};

/* Reads the last summary of a file that a command wrote with --json. `mark` is a key that the summaries of this command
 * have and others have not. Owns: the caller. */
enum ps_status ps_changes_read(json_t **old, const char *path, const char *mark, struct ps_err *err);

/* Adds "comparison" to the summary: each figure that both have, and what else differs of `same` (keys, NULL at the end).
 * Returns how many figures are worse. */
unsigned ps_changes_make(json_t *summary, const json_t *old, const char *path,
                         const struct ps_change_figure *figures, size_t count, const char *const *same);
/* Prints the comparison of a summary as text; nothing when it has none. */
void ps_changes_print(struct ps_live *live, const json_t *summary);
