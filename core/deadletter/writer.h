/* Writes the dead letters of an agent: one helper thread for all stages, and one file at a time for each directory.
 * Waiting letters are written and synced together, so that a thousand letters cost one sync.
 *
 *   queue     the interface for one open stage (core/deadletter/queue.h)
 *   written   the letter is synced to disk; the descriptor of the stage's worker wakes the stage
 *
 * A directory that cannot be written is tried again every second, for ever; its letters wait, and the stage waits
 * for room. Nothing is dropped: letters that are left when the agent ends were never counted as written.
 *
 * The mutex is held for a few list operations only, never while a file is written. */
#pragma once

#include "core/clock.h"
#include "core/deadletter/queue.h"
#include "core/status.h"

struct ps_dead_letters;

/* `synchronous`: no thread; a put writes and syncs before it returns, and ps_dead_letter_queue_written tries failed
 * letters again (tests, the simulator). Ends the process when there is no memory. Thread: control. */
struct ps_dead_letters *ps_dead_letters_create(bool synchronous);
/* Writes the waiting letters, with one try for each directory, and ends the thread. All queues must be
 * closed. Thread: control. */
void ps_dead_letters_destroy(struct ps_dead_letters *letters);

/* Opens a queue, and makes the directory if it is missing. `wake_fd` is written when letters of this queue were
 * written; -1: none. Returns NULL on failure. May take long: for `open` only. Thread: any. */
struct ps_dead_letter_queue *ps_dead_letter_queue_open(struct ps_dead_letters *letters, const char *directory,
                                                       const char *agent, int wake_fd, struct ps_err *err);
/* Limit of the waiting bytes of all queues of directories: while it is reached, no queue has room. */
#define PS_DEAD_LETTERS_BYTES_MAX (UINT64_C(4) << 20)
