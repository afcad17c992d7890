/* The lines of a file, held in memory, to be sent in turn: {line} of a template.
 *
 * The file is read once, so it may be a pipe, and it may change afterwards. Empty lines are skipped; a
 * carriage return before a newline is part of the line.
 *
 * Thread: open and close on one, the rest any; constant after open. */
#pragma once

#include "core/status.h"

#define PS_LINES_BYTES_MAX (UINT64_C(1) << 30)
#define PS_LINE_BYTES_MAX (UINT32_C(1) << 20)

struct ps_lines {
    char *bytes;
    size_t bytes_length, room;
    uint64_t count;
    uint64_t *places; /* start and end of each line */
    uint32_t length_min, length_max;
    uint64_t longest; /* number of the longest line in the file, from 1 */
};

/* Reads the file. Errors name the file and the problem: it cannot be read, is larger than 1 GiB, has a line of more
 * than 1 MiB, or has no line at all. */
enum ps_status ps_lines_open(struct ps_lines *lines, const char *path, struct ps_err *err);
void ps_lines_close(struct ps_lines *lines);

/* Returns the line for a sequence number: all lines in the file's order, then again from the first. */
static inline struct ps_slice ps_lines_get(const struct ps_lines *lines, uint64_t sequence)
{
    uint64_t line = sequence % lines->count;
    uint64_t start = lines->places[2 * line], end = lines->places[2 * line + 1];
    return (struct ps_slice){lines->bytes + start, (uint32_t)(end - start)};
}
