/* Splits a body into the lines of a chat: the parts between separators, in pieces that fit into a message. Thread:
 * any; the scratch belongs to one thread. */
#pragma once

#include "regex/regex.h"

struct ps_irc_text {
    const struct ps_regex *separator; /* NULL: the body is one line */
    uint32_t bytes_max;               /* of a line; at least 4 */
};

/* Finds the next line of a body from *offset on, and moves *offset past it. Lines are not empty, and do not end inside
 * a UTF-8 character. They may contain line ends and NUL bytes if the separator does not match them. Returns false if no
 * line is left. */
bool ps_irc_text_next(const struct ps_irc_text *text, struct ps_regex_scratch *scratch, const char *body,
                      size_t length, size_t *offset, struct ps_slice *line);
/* Writes a line, with a blank for each byte that would end the message. Returns its length. */
size_t ps_irc_text_put(char *to, struct ps_slice line);
