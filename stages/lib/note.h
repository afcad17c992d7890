/* Shared helpers report problems with a key to a stage's `check` or `build` here: one line with a severity.
 *
 * ERROR: the agent must not start with it.
 * WARN: the agent starts, but something differs from what the file says.
 * INFO: the key has no effect; the message says why.
 *
 * Thread: control. Messages never contain the value of a secret. */
#pragma once

#include "core/log/log.h"

struct ps_notes {
    /* `key` is what the user wrote after the prefix; `message` is valid only during the call. NULL: notes are
     * discarded. */
    void (*report)(void *argument, enum ps_log_level severity, const char *key, const char *message);
    void *argument;
};

/* printf for notes->report; `notes` may be NULL. Messages are cut at 1 KiB. */
void ps_note_add(const struct ps_notes *notes, enum ps_log_level severity, const char *key,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
