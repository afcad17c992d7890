/* Fingerprints of the bytes before positions of a file. A copy of the file has the same bytes there; another file that only begins
 * alike has not. The marks of a file are at positions to which it was read. They are dense near the last position and sparse further
 * back, because a copy that was made a moment ago ends a little before that position. Thread: the owner's; no state. */
#pragma once

#include "stages/lib/tail/identity.h"

#define PS_TAIL_MARK_BYTES 256U    /* a mark covers at most this much before its position */
#define PS_TAIL_MARK_BYTES_MIN 64U /* a mark of fewer bytes is not used, unless the file begins there */
/* Marks at the beginnings of the last lines before a position. A program that writes the end of its file again (a footer, the end of an array,
 * a counter) changes only lines behind one of them. */
#define PS_TAIL_MARKS_LINES 4U
#define PS_TAIL_MARKS_MAX 64U /* marks of one file, besides the marks of batches that are not delivered yet */

struct ps_tail_mark {
    int64_t offset;
    uint64_t hash;
    uint32_t length; /* number of bytes that the hash covers; 0: not known */
    bool ends_batch; /* a batch ends at the mark's offset, so this offset may become the delivered one */
};

struct ps_tail_marks {
    struct ps_tail_mark *items; /* sorted by offset, each offset once */
    uint32_t count, room;
};

/* Returns the mark of `offset`; the `length` bytes at `last` end there. The mark is not known if there are too few bytes. */
struct ps_tail_mark ps_tail_mark_of(int64_t offset, const char *last, size_t length);
/* Returns the mark of exactly these bytes, however few they are; at most PS_TAIL_MARK_BYTES. */
struct ps_tail_mark ps_tail_mark_of_all(int64_t offset, const char *bytes, size_t length);
/* Returns whether an open file has the bytes of the mark; OTHER if the mark is not known. May wait for a disk: call it on the source's thread. */
enum ps_tail_seen ps_tail_mark_is_in(int fd, const struct ps_tail_mark *mark);

/* Returns whether the bytes of the mark are NULs: they may be a part of a hole, and do not show which file it is. */
bool ps_tail_mark_is_nuls(const struct ps_tail_mark *mark);

/* Returns whether the `length` bytes that end at `end` end with the bytes of the mark. */
bool ps_tail_mark_is_before(const char *end, size_t length, const struct ps_tail_mark *mark);

/* Adds a mark after the present ones. When there are too many marks, removes every second mark, except the last
 * marks, the mark at `delivered`, and the marks after that one that end a batch. */
void ps_tail_marks_add(struct ps_tail_marks *marks, const struct ps_tail_mark *mark, int64_t delivered);
/* Notes that the batch with the bytes before `offset` has no more of this file: `offset` may be the next delivered position. */
void ps_tail_marks_end_batch(struct ps_tail_marks *marks, int64_t offset);
/* Replaces the mark at this position, or adds it if it is after all others. */
void ps_tail_marks_replace(struct ps_tail_marks *marks, const struct ps_tail_mark *mark, int64_t delivered);
/* Returns the mark at this position, or one that is not known if there is none. */
struct ps_tail_mark ps_tail_marks_at(const struct ps_tail_marks *marks, int64_t offset);
/* Copies the marks up to `offset`. Does not free what `to` had. */
void ps_tail_marks_copy(struct ps_tail_marks *to, const struct ps_tail_marks *from, int64_t offset);
/* Keeps only a few marks. Called when the file is closed. */
void ps_tail_marks_trim(struct ps_tail_marks *marks);
void ps_tail_marks_free(struct ps_tail_marks *marks);
