/* Writes the dead letters of an agent: one helper thread, however many stages have them, and one file at a time for
 * each directory. What waits is written and synced together, so that a thousand letters cost one sync.
 *
 *   box      one open stage's side: letters are numbered from 1, and are written in this order
 *   written  synced: only then may the stage settle the event. The stage is woken by its worker's descriptor
 *
 * A letter is a copy: the stage may let the event go while the letter waits, but must not promise anything for it.
 *
 * A directory that cannot be written is tried again every second, for ever; its letters wait, and the stage waits for
 * room. Nothing is dropped: letters that are left when the agent ends were never called written.
 *
 * The mutex is held for a few list operations only, never while a file is written. */
#pragma once

#include "core/clock.h"
#include "core/deadletter/letter.h"
#include "core/status.h"

struct ps_letters;
struct ps_letterbox;

/* `synchronous`: no thread; a put writes and syncs before it returns, and ps_letterbox_written tries
 * again what failed (tests, the simulator). Ends the process when there
 * is no memory. Thread: control. */
struct ps_letters *ps_letters_create(bool synchronous);
/* Writes what waits, with one try for each directory, and ends the thread. All boxes must be closed. Thread: control. */
void ps_letters_destroy(struct ps_letters *letters);

/* Makes the directory if it is missing. `wake_fd`: written when letters of this box were written; -1: nothing is.
 * Returns NULL on failure. May take long: for `open` only. Thread: any. */
struct ps_letterbox *ps_letterbox_open(struct ps_letters *letters, const char *directory, const char *agent,
                                       int wake_fd, struct ps_err *err);
/* Letters that wait are still written. NULL: does nothing. Thread: the box's. */
void ps_letterbox_close(struct ps_letterbox *box);

/* Copies the letter into the queue; sets its agent and time. Returns its number; 0: no memory, and nothing was taken.
 * Takes it however much waits already: ask ps_letterbox_has_room before. Thread: the box's. */
uint64_t ps_letterbox_put(struct ps_letterbox *box, const struct ps_letter *letter);
/* Whether less waits, of all boxes, than PS_LETTERS_BYTES_MAX. Thread: the box's. */
bool ps_letterbox_has_room(const struct ps_letterbox *box);
/* The number of the last letter that is written; those before it are, too. Thread: the box's. */
uint64_t ps_letterbox_written(const struct ps_letterbox *box);
/* The number of the last letter that was put. Thread: the box's. */
uint64_t ps_letterbox_sent(const struct ps_letterbox *box);

#define PS_LETTERS_BYTES_MAX (UINT64_C(4) << 20)
