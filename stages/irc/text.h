/* The lines that a body becomes in a chat: what stands between two separators, in pieces that a message has room for.
 * Thread: any; the scratch is one thread's. */
#pragma once

#include "regex/regex.h"

struct ps_irc_text {
    const struct ps_regex *separator; /* NULL: the body is one line */
    uint32_t bytes_max;               /* of a line; at least 4 */
};

/* Finds the next line of a body from *offset on, and moves *offset behind it. No line is empty, and none ends within a
 * character of UTF-8. It may have line ends and NUL, if the separator leaves them. Returns false: there is none left. */
bool ps_irc_text_next(const struct ps_irc_text *text, struct ps_regex_scratch *scratch, const char *body,
                      size_t length, size_t *offset, struct ps_slice *line);
/* Writes a line with a blank in place of each byte that would end the message. Returns its length. */
size_t ps_irc_text_put(char *to, struct ps_slice line);
