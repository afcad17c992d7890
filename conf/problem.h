/* The problems of a configuration: a list of records, collected until everything was checked, so that all
 * problems are shown at once.
 *
 * Thread: the control thread. Texts live in the arena given to ps_problems_init. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

enum ps_severity {
    PS_SEVERITY_ERROR,   /* the agent refuses to start */
    PS_SEVERITY_DROPPED, /* Flume drops this component or line and continues; so does penstock */
    PS_SEVERITY_WARNING, /* read as Flume reads it, but probably not what the user meant */
    PS_SEVERITY_NOTE,
};

/* A mistake: the agent would run with less than the file asks for, because a component, a connection or a value is
 * left out, or because a source waits for a port that another source has. A reload with a mistake that the running
 * configuration does not have is refused (conf/mistake.h). */
enum ps_mistake {
    PS_MISTAKE_NONE,
    PS_MISTAKE_CAUSE,
    PS_MISTAKE_CONSEQUENCE, /* follows from another mistake, which is reported first */
};

struct ps_problem {
    enum ps_severity severity;
    const char *file; /* NULL: not from a file */
    int line;         /* 0: the file as a whole */
    const char *key;  /* as written, with the agent's name; NULL when the problem is not about a key */
    const char *what; /* the mistake */
    const char *cure; /* advice; NULL: none */
    enum ps_mistake mistake;
    bool follows; /* follows from another problem, and is shown after it */
    /* warns of backslashes that Java's properties have removed from the value, which is one line */
    bool lost_backslash;
    bool no_effect;   /* says that the key has no effect */
    bool is_missing;  /* says that a required key is missing */
    bool quoted_path; /* says that a path stands in quotes */
    bool quoted_url;  /* and the path is a URL, which no component takes with quotes */
    /* the key that a backslash at the end of the line before made part of this key's value; NULL: none */
    const char *swallowed;
    /* the agent does not start because of it, although by itself it would only drop a component or a value */
    bool decides;
};

#define PS_PROBLEM_MAX 10000 /* further problems are counted, not stored; the first error always is */

struct ps_problems {
    struct ps_arena *arena;
    struct ps_problem *items; /* malloc'ed */
    size_t count, room;
    size_t held_back; /* problems beyond PS_PROBLEM_MAX */
    size_t errors, dropped, warnings;
    struct ps_texts unknown; /* the addresses of values that are not known before the agent starts */
};

void ps_problems_init(struct ps_problems *problems, struct ps_arena *arena);
void ps_problems_fini(struct ps_problems *problems);

/* Notes a value that is not known before the agent starts, so that no check reports the text that replaces it. */
void ps_problems_note_unknown(struct ps_problems *problems, const char *value);
/* Returns whether the value was noted. Compares pointers, not texts. */
bool ps_problems_is_unknown(const struct ps_problems *problems, const char *value);

/* The place of a problem. Every member may be NULL or 0. */
struct ps_place {
    const char *file;
    int line;
    const char *key;
};

/* Adds a record. `cure` is plain text or NULL. Copies `cure` and `place`. An error, or a dropped component or line,
 * removes the note that the same key of the same line has no effect. */
void ps_problem_add(struct ps_problems *problems, enum ps_severity severity, struct ps_place place,
                    const char *cure, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Sets the kind of mistake of the problem added last. Without this call, problems of severity DROPPED are causes. */
void ps_problem_mistake(struct ps_problems *problems, enum ps_mistake mistake);

/* Sets `lost_backslash` of the problem added last. */
void ps_problem_lost_backslash(struct ps_problems *problems);
/* Returns whether a problem of this line has `lost_backslash`. */
bool ps_problems_lost_backslash(const struct ps_problems *problems, struct ps_place place);

/* Marks the problem added last as one that follows from another. */
void ps_problem_follows(struct ps_problems *problems);

/* Sets `decides` of every error and every cause whose key is `section` or below it ("a1.channels"; NULL: any key).
 * Returns whether it marked any. Call it before adding the error that follows from them. */
bool ps_problems_decide(struct ps_problems *problems, const char *section);

/* Sorts for display, stable: files in the order first seen, then causes before consequences, then by line, then in
 * the order added. */
void ps_problems_sort(struct ps_problems *problems);

/* Says that the last problem is a key without effect. */
void ps_problem_no_effect(struct ps_problems *problems);
/* Says that the last problem is a required key that is missing. */
void ps_problem_missing(struct ps_problems *problems);
/* Says that the last problem is the quotes around a path or an address. */
void ps_problem_quoted_path(struct ps_problems *problems, bool is_url);
/* Says that the last problem is a line that became part of the value of the line before: `key` is the key in it. */
void ps_problem_swallows(struct ps_problems *problems, const char *key);
/* Removes what else was found wrong with such a value: it is untrue without the quotes. */
void ps_problems_forget_quoted(struct ps_problems *problems);

/* Makes warnings of the errors and the dropped components that were added since there were `before` problems. */
void ps_problems_allow(struct ps_problems *problems, size_t before);

const char *ps_severity_word(enum ps_severity severity);

/* Returns `file:line: error: key: what; cure` without a newline, in the arena. */
const char *ps_problem_text(struct ps_arena *arena, const struct ps_problem *problem);
