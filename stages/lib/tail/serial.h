/* The random numbers of a file. With the offset of a line, its number is the identity of the line's event (core/flow/identity.h): a
 * line that is read again has the number that it had, and no line of another content gets it. A file gets a number when reading
 * begins. It has two when its number went to another file, or when it is a copy whose original keeps the number: then the number
 * changes at an offset. See tailer/numbered.c. Thread: the owner's; no state. */
#pragma once

#include "core/base.h"

struct ps_tail_serial {
    uint64_t own;    /* number of the lines from `from` on; 0: not drawn */
    uint64_t before; /* number of the lines before `from`; 0: these lines have no identity */
    int64_t from;
};

/* Returns the number of the line at this offset; 0: it has none. */
static inline uint64_t ps_tail_serial_at(const struct ps_tail_serial *serial, int64_t offset)
{
    return offset < serial->from ? serial->before : serial->own;
}

/* Draws the number of the lines from `offset` on, if there is none. The kernel gives it: two hosts that start together, or start
 * from the same image, do not get the same one. It stays 0 if the kernel has no random numbers. */
void ps_tail_serial_draw(struct ps_tail_serial *serial, int64_t offset);

/* Returns the numbers of a copy whose lines before `mark` are those of its original. `whole`: the mark is where
 * reading of the original ended. The first whole copy takes the original's number, with ps_tail_serial_give.
 * Any other copy needs a number of its own from the mark on, because lines of the original that are not in the
 * copy may have the original's number. */
struct ps_tail_serial ps_tail_serial_of_copy(const struct ps_tail_serial *original, int64_t mark, bool whole);

/* The file's number goes to its copy: the file, which was read up to `offset`, needs another one from there on. */
void ps_tail_serial_give(struct ps_tail_serial *serial, int64_t offset);
