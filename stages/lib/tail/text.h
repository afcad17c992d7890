/* The text of an open compressed file, read by position in the text. Reading a position costs decompressing everything before it:
 * reads go forward, and the part that the source reads again is kept in memory.
 *
 * The file may not change while it is read: if its size or time of modification differs from when it was opened, the bytes that were
 * read are discarded. The worker and the jobs of the source's thread each hold the text; the last holder frees it. Functions that
 * read run on the source's thread, one job at a time. Memory: 2 MiB and the buffers of the decompressor (stages/lib/decompressor.h). */
#pragma once

#include "stages/lib/decompressor.h"
#include "stages/lib/tail/identity.h"

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

/* Creates the text of an open file, which had this stamp. It is held once. Any thread. Ends the process if there is no memory. */
struct ps_tail_text *ps_tail_text_create(int fd, enum ps_compression kind, const struct ps_tail_stamp *stamp);
void ps_tail_text_hold(struct ps_tail_text *text);
void ps_tail_text_drop(struct ps_tail_text *text); /* NULL is allowed */

/* Sets the end of the text: reads return no bytes after it. Any thread, while no job reads the text. */
void ps_tail_text_limit(struct ps_tail_text *text, int64_t bytes);

/* Reads the bytes at `offset`. Returns their number: `room`, or fewer at the end, 0 if the text ends at or before `offset`. Returns -1 with
 * errno: EAGAIN when it has worked long enough (repeat the call), ESTALE when the file changed, EBADMSG when it is damaged before the
 * limit, ENOMEM, or the error of a read. */
ssize_t ps_tail_text_read(struct ps_tail_text *text, char *to, size_t room, int64_t offset);
/* Copies the first bytes of the text that was read. Returns their number, PS_TAIL_HEAD_BYTES at most. */
size_t ps_tail_text_first(const struct ps_tail_text *text, char *to);
/* Returns how the text ends. Call it when all of it was read without a limit. */
enum ps_tail_text_end ps_tail_text_end(const struct ps_tail_text *text);
