/* Shell completion: what can follow each command, collected from the option tables, and the scripts for three shells.
 * Used by commands/completion/ only. Thread: main. */
#pragma once

#include "conf/command/command.h"

#include <stdio.h>

/* The kind of a value or an operand. */
enum completion_kind {
    COMPLETION_NONE, /* nothing can be proposed */
    COMPLETION_FILE,
    COMPLETION_DIRECTORY,
    COMPLETION_AGENT, /* the agents of the files that -f names */
    COMPLETION_WORDS, /* one of `words` */
};

struct completion_value {
    enum completion_kind kind;
    struct ps_texts words;
    bool open; /* a word is only the beginning of the value: no blank follows it */
};

struct completion_option {
    struct ps_command_option option;
    struct completion_value value; /* of an option with an argument */
};

struct completion_command {
    const char *name; /* "check", "rules check" */
    const char *summary;
    struct completion_option *options;
    size_t option_count;
    struct completion_value operand;
    bool properties; /* the command takes Java's -Dkey=value */
};

struct completion {
    struct ps_arena *arena;
    struct completion_command
        *commands; /* in the order of the help; "rules" has its subcommands as operand */
    size_t count;
    struct ps_texts properties; /* "-Dflume.monitoring.type=", for the commands that take them */
};

void ps_completion_bash(FILE *to, const struct completion *completion);
void ps_completion_zsh(FILE *to, const struct completion *completion);
void ps_completion_fish(FILE *to, const struct completion *completion);
