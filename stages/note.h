/* How shared helpers tell a stage's `check` or `build` about a key: one line with a severity.
 *
 * ERROR: the agent must not start with it. WARN: it starts, but something differs from what the file says.
 * INFO: the key changes nothing here, and why. Thread: control. Messages never carry a secret's value. */
#pragma once

#include "core/log.h"

struct ps_notes {
    /* `key` as the user wrote it below the prefix; `message` lives for the call only. NULL: nobody listens.
     */
    void (*report)(void *argument, enum ps_log_level severity, const char *key, const char *message);
    void *argument;
};

/* printf for notes->report; `notes` may be NULL. Messages are cut at 1 KiB. */
void ps_note_add(const struct ps_notes *notes, enum ps_log_level severity, const char *key,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
