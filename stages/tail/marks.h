/* What stands before a position of a file: a fingerprint of the bytes that end there. A copy of the file has them, too; another file
 * that only begins alike has not. The marks of a file are at positions to which it was read, close together near the last one and
 * further apart before: a copy that was made a moment ago ends a little before the position. Thread: the owner's; no state. */
#pragma once

#include "stages/tail/identity.h"

#define PS_TAIL_MARK_BYTES 256U    /* before the position, at most */
#define PS_TAIL_MARK_BYTES_MIN 64U /* fewer say nothing, unless the file begins there */
#define PS_TAIL_MARKS_MAX 64U      /* of a file, besides those whose batch is under way */

struct ps_tail_mark {
    int64_t offset;
    uint64_t hash;
    uint32_t length; /* of the bytes; 0: not known */
    bool ends_batch; /* its position is one that may be delivered next */
};

struct ps_tail_marks {
    struct ps_tail_mark *items; /* by offset */
    uint32_t count, room;
};

/* `last`: `length` bytes that end at `offset`. A mark of too few of them is not known. */
struct ps_tail_mark ps_tail_mark_of(int64_t offset, const char *last, size_t length);
/* Whether an open file has it there; OTHER if the mark is not known. May wait for a disk: the source's thread. */
enum ps_tail_seen ps_tail_mark_is_in(int fd, const struct ps_tail_mark *mark);

/* Whether the `length` bytes that end at `end` end with it. */
bool ps_tail_mark_is_before(const char *end, size_t length, const struct ps_tail_mark *mark);

/* Adds one behind the others, and thins them out: of those before `delivered` each second one goes, and what does not end a batch. */
void ps_tail_marks_add(struct ps_tail_marks *marks, const struct ps_tail_mark *mark, int64_t delivered);
/* The batch with the bytes up to here has no more of this file: the position may be delivered next. */
void ps_tail_marks_end_batch(struct ps_tail_marks *marks, int64_t offset);
/* The one at this position; one that is not known if there is none. */
struct ps_tail_mark ps_tail_marks_at(const struct ps_tail_marks *marks, int64_t offset);
/* Copies those up to `offset`; `to` is not looked at. */
void ps_tail_marks_copy(struct ps_tail_marks *to, const struct ps_tail_marks *from, int64_t offset);
/* Keeps a few: the file is closed. */
void ps_tail_marks_trim(struct ps_tail_marks *marks);
void ps_tail_marks_free(struct ps_tail_marks *marks);
