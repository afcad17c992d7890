/* All positions, as the position file will have them. The worker sends one note for each position that changed, so the worker's cost of a
 * save depends on the changes, not on the number of files. The thread keeps all positions and writes them. The positions that the position
 * file had at the start are written first, each until its file is found or given up.
 *
 * Each job of the thread holds the file, and the last holder frees it. Thread: the source's (stages/lib/tail/thread.h), unless a function
 * says otherwise. */
#pragma once

#include "stages/lib/tail/positions.h"

struct ps_tail_position_file;

struct ps_tail_note {
    /* Index of a followed file, or of a position that was read at the start. */
    uint32_t number;
    bool remembered;                  /* `number` is that of a position that was read at the start */
    struct ps_tail_position position; /* path NULL: the file no longer has a position */
};

struct ps_tail_notes {
    struct ps_tail_note *items;
    size_t count, room;
};

/* Returns a file that is held once. Any thread. Ends the process if there is no memory. */
struct ps_tail_position_file *ps_tail_position_file_create(void);
/* Any thread. */
void ps_tail_position_file_hold(struct ps_tail_position_file *file);
void ps_tail_position_file_drop(struct ps_tail_position_file *file);

/* Copies the positions that were read from the position file. */
void ps_tail_position_file_remember(struct ps_tail_position_file *file, const struct ps_tail_positions *read);
/* Applies the notes in order, and leaves the list empty. */
void ps_tail_position_file_take(struct ps_tail_position_file *file, struct ps_tail_notes *notes);
enum ps_status ps_tail_position_file_write(struct ps_tail_position_file *file, const char *path,
                                           struct ps_err *err);

/* Adds a note; copies the path and the marks. Thread: the one that owns the notes. */
void ps_tail_notes_add(struct ps_tail_notes *notes, uint32_t number, bool remembered,
                       const struct ps_tail_position *position);
void ps_tail_notes_free(struct ps_tail_notes *notes);
