/* The text of a compressed file that is open, read by positions of the text. It costs what was decompressed before: reading goes
 * forward, and what the source reads again of it is in memory.
 *
 * The file may not change meanwhile: if its size or time of modification differs from when it was opened, nothing that was read
 * counts. Jobs of the source's thread hold it, as the worker does; whoever drops it last frees it. Functions that read: the thread's,
 * one job at a time. Memory: 2 MiB, and what the decompressor needs (stages/decompressor.h). */
#pragma once

#include "stages/decompressor.h"
#include "stages/tail/identity.h"

#include <time.h>

struct ps_tail_stamp {
    int64_t size;
    struct timespec modified;
};

/* Returns false with errno. */
bool ps_tail_stamp_read(int fd, struct ps_tail_stamp *stamp);
bool ps_tail_stamp_is(const struct ps_tail_stamp *a, const struct ps_tail_stamp *b);

enum ps_tail_text_end {
    PS_TAIL_TEXT_WHOLE,
    PS_TAIL_TEXT_EARLY, /* the file ends in the middle of a member or frame: it may grow */
    PS_TAIL_TEXT_DAMAGED,
};

struct ps_tail_text;

/* Of an open file, which had this stamp. Held once. Any thread. Ends the process without memory. */
struct ps_tail_text *ps_tail_text_create(int fd, enum ps_compression kind, const struct ps_tail_stamp *stamp);
void ps_tail_text_hold(struct ps_tail_text *text);
void ps_tail_text_drop(struct ps_tail_text *text); /* NULL is allowed */

/* The text counts up to here. Any thread, while no job reads it. */
void ps_tail_text_limit(struct ps_tail_text *text, int64_t bytes);

/* Reads what stands at `offset`. Returns how many bytes: `room`, or fewer at the end; 0: it ends before `offset`, or there. Returns -1 with
 * errno: EAGAIN when it has worked long enough (the same call goes on), ESTALE when the file changed, EBADMSG when it is damaged before the
 * limit, ENOMEM, and what a read of the file gives. */
ssize_t ps_tail_text_read(struct ps_tail_text *text, char *to, size_t room, int64_t offset);
/* Copies the first bytes of the text, as they were read; returns how many, PS_TAIL_HEAD_BYTES at most. */
size_t ps_tail_text_first(const struct ps_tail_text *text, char *to);
/* How it ends: when all of it was read, without a limit. */
enum ps_tail_text_end ps_tail_text_end(const struct ps_tail_text *text);
