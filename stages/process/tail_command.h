/* Recognizes commands that do what the source taildir does, only without positions: `tail -F FILE` and its variants. The
 * source exec's check names taildir for them. Thread: any; no global state. */
#pragma once

#include "core/arena.h"
#include "core/base.h"

struct ps_tail_command {
    const char *path; /* of the file, absolute; in the words or in the arena */
    const char *
        pattern; /* the same as a value of filegroups.<group>: what an expression does not take literally is in [] */
    bool
        from_start; /* -n +1: from the file's beginning; else tail skips what the file has, or all but its end */
};

/* `words` ends with NULL. Returns false if the command is not a tail that follows exactly one file with an absolute path,
 * has an option that taildir has no equivalent of, or a path with characters that a shell or an agent file may read
 * otherwise. */
bool ps_tail_command_parse(struct ps_arena *arena, const char *const *words, struct ps_tail_command *command);
