/* The positions for the position file. The worker says what changed (a note for each file), so that a save costs it what changed and not the
 * number of files; the thread keeps all positions, and writes them. The positions that the file had at the start come first, until their
 * file is found or given up.
 *
 * Jobs of the thread hold it: the last one that drops it frees it. Thread: the source's (stages/tail/thread.h), unless a function says
 * otherwise. */
#pragma once

#include "stages/tail/positions.h"

struct ps_tail_ledger;

struct ps_tail_note {
    uint32_t number;                  /* of the file; of the position that was read */
    bool remembered;                  /* the latter */
    struct ps_tail_position position; /* path NULL: it has none any more */
};

struct ps_tail_notes {
    struct ps_tail_note *items;
    size_t count, room;
};

/* Held once. Any thread. Ends the process without memory. */
struct ps_tail_ledger *ps_tail_ledger_create(void);
/* Any thread. */
void ps_tail_ledger_hold(struct ps_tail_ledger *ledger);
void ps_tail_ledger_drop(struct ps_tail_ledger *ledger);

/* These were read. */
void ps_tail_ledger_remember(struct ps_tail_ledger *ledger, const struct ps_tail_positions *read);
/* Takes the notes, in order, and leaves none. */
void ps_tail_ledger_take(struct ps_tail_ledger *ledger, struct ps_tail_notes *notes);
enum ps_status ps_tail_ledger_write(struct ps_tail_ledger *ledger, const char *path, struct ps_err *err);

/* Adds one; copies path and marks. Any thread that has the notes. */
void ps_tail_notes_add(struct ps_tail_notes *notes, uint32_t number, bool remembered,
                       const struct ps_tail_position *position);
void ps_tail_notes_free(struct ps_tail_notes *notes);
