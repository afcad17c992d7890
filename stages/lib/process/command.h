/* The command of a source whose input is what the command writes: its words, and what the source lacks when it does not
 * run. Thread: the source's worker. */
#pragma once

#include "core/stage.h"

struct ps_command_lack {
    enum ps_lack lack;
    char why[256];
    bool is_logged;      /* the source has logged it */
    uint64_t started_ns; /* the caller sets it when a run begins */
};

/* Called when a run has ended. A command that is started again after it has ended well is no lack. */
void ps_command_ended(struct ps_command_lack *command, const char *program, const char *exit_code,
                      bool starts_again);
/* Called when the command could not be started, which the source logs. */
void ps_command_missing(struct ps_command_lack *command, const char *why);
/* Called at every cycle: reports what is lacking (ps_port_lacks). A run after one that failed ends the lack when it has
 * lasted. Returns the time of the next call at the latest: `due_ns`, or earlier. */
uint64_t ps_command_report(struct ps_command_lack *command, struct ps_port *port, bool runs, uint64_t due_ns,
                           const struct ps_now *now);

/* Splits like Java's split("\\s+"). Returns the number of words, which are copies. */
size_t ps_command_words(struct ps_arena *arena, const char *text, const char **words);
