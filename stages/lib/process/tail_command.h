/* Recognizes commands that do what the source taildir does, only without positions: `tail -F FILE ...` and its variants. The
 * source exec's check names taildir for them. Thread: any; no global state. */
#pragma once

#include "core/arena.h"
#include "core/base.h"

#define PS_TAIL_COMMAND_FILES_MAX 4U

struct ps_tail_command {
    struct {
        const char *path; /* absolute; in the words or in the arena */
        /* The path as a value of filegroups.<group>: characters that are operators of an expression are in []. */
        const char *pattern;
    } files[PS_TAIL_COMMAND_FILES_MAX];
    size_t count;
    bool
        from_start; /* -n +1: from the files' beginnings; else tail skips what a file has, or all but its end */
    bool sudo;      /* tail runs as another user */
    bool titles;    /* between the lines of several files tail writes their names */
};

/* `words` ends with NULL. `shell`: a shell splits and unquotes them; without one, a quote is part of a name. Returns false if
 * the command is not a tail (or one by sudo) that follows files with absolute paths, has an option that taildir has no
 * equivalent of, or a path with characters that a shell or an agent file may read otherwise. */
bool ps_tail_command_parse(struct ps_arena *arena, const char *const *words, bool shell,
                           struct ps_tail_command *command);
