/* What is wrong with a configuration: a list of records, kept until everything has been looked at, so that
 * all problems are shown at once.
 *
 * Thread: the control thread. Texts live in the arena handed to `ps_problems_init`. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

enum ps_severity {
    PS_SEVERITY_ERROR,   /* the agent refuses to start */
    PS_SEVERITY_DROPPED, /* Flume drops this component (or line) and goes on; so do we */
    PS_SEVERITY_WARNING, /* read as Flume reads it, most likely not what was meant */
    PS_SEVERITY_NOTE,
};

struct ps_problem {
    enum ps_severity severity;
    const char *file; /* NULL: not from a file */
    int line;         /* 0: the file as a whole */
    const char *key;  /* as written, with the agent's name; NULL when it is about no key */
    const char *what; /* what is wrong */
    const char *cure; /* what would be right; NULL when there is nothing to advise */
};

#define PS_PROBLEM_MAX 10000 /* further ones are counted, not kept */

struct ps_problems {
    struct ps_arena *arena;
    struct ps_problem *items; /* malloc'ed */
    size_t count, room;
    size_t held_back; /* beyond PS_PROBLEM_MAX */
    size_t errors, dropped, warnings;
};

void ps_problems_init(struct ps_problems *problems, struct ps_arena *arena);
void ps_problems_fini(struct ps_problems *problems);

/* Where a problem stands. All may be NULL / 0. */
struct ps_place {
    const char *file;
    int line;
    const char *key;
};

/* Adds a record. `cure` is a plain text or NULL and is copied, as `place` is. */
void ps_problem_add(struct ps_problems *problems, enum ps_severity severity, struct ps_place place,
                    const char *cure, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Stable order for showing: by file as first met, by line, as found. */
void ps_problems_sort(struct ps_problems *problems);

const char *ps_severity_word(enum ps_severity severity);

/* `file:line: error: key: what; cure` without a newline, into the arena. */
const char *ps_problem_text(struct ps_arena *arena, const struct ps_problem *problem);
