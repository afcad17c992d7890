/* Splits text into lines as Java's BufferedReader.readLine does: a line ends with \n, \r or \r\n, which is
 * not part of it. Thread: any; no global state. */
#pragma once

#include "core/base.h"

#include <string.h>

struct ps_line_split {
    bool skip_newline; /* the last line ended with \r: a \n directly after it belongs to that line end */
};

/* Finds the next complete line in [*at, end). The first `known` bytes from *at are known to contain no line
 * end. Returns true with the line in *line and *at after its end; false when [*at, end) is only the beginning
 * of a line. */
static inline bool ps_line_next(struct ps_line_split *split, char **at, const char *end, size_t known,
                                struct ps_slice *line)
{
    char *start = *at;
    if (split->skip_newline && start < end) {
        split->skip_newline = false;
        if (*start == '\n') {
            *at = ++start;
            known = 0;
        }
    }
    if ((size_t)(end - start) <= known)
        return false;
    char *from = start + known;
    char *newline = memchr(from, '\n', (size_t)(end - from));
    const char *limit = newline != NULL ? newline : end;
    char *carriage_return = memchr(from, '\r', (size_t)(limit - from));
    char *stop = carriage_return != NULL ? carriage_return : newline;
    if (stop == NULL)
        return false;
    split->skip_newline = *stop == '\r';
    *line = (struct ps_slice){start, (uint32_t)(stop - start)};
    *at = stop + 1;
    return true;
}
