/* Reads the assignments of a shell script, such as flume-env.sh, without executing anything. It understands NAME=value,
 * NAME+=value, export, declare, readonly and unset; quotes, backslashes and comments; $NAME, ${NAME}, ${NAME:-x}, ${NAME:+x} and
 * their forms without a colon. Everything else is skipped; a skipped part that would assign something is remembered.
 * Thread: the control thread. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

struct ps_shell_variable {
    const char *name, *value; /* value: the last one that was assigned */
    int line;                 /* line of that assignment */
    bool exported;
};

/* A part of the script that was skipped and that assigns variables, or may assign some. */
struct ps_shell_gap {
    int line;
    const char *what; /* "if", "source", "a command's output" */
    /* names of the variables; empty when they are not known: another file or a command assigns them */
    struct ps_texts names;
};

struct ps_shell {
    struct ps_arena *arena;
    struct ps_shell_variable *variables; /* in the order in which they were assigned first */
    size_t count;
    struct ps_shell_gap *gaps;
    size_t gap_count;
};

#define PS_SHELL_VARIABLES_MAX 1000U
#define PS_SHELL_GAPS_MAX 1000U

/* Reads a script. Variables that it does not assign have their values from the environment. */
void ps_shell_read(struct ps_shell *shell, struct ps_arena *arena, const char *text, size_t length);

/* Returns the variable if the script assigns it, else NULL. */
const struct ps_shell_variable *ps_shell_find(const struct ps_shell *shell, const char *name);
