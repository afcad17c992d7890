#include "stages/lib/irc/text.h"

#include <string.h>

/* Returns where the next separator begins, and sets *behind to its end; returns `length` if there is none. In a body
 * that is not UTF-8, a match may not have a place in the body; the body is not split there. */
static size_t find_separator(const struct ps_irc_text *text, struct ps_regex_scratch *scratch,
                             const char *body, size_t length, size_t from, size_t *behind)
{
    struct ps_slice match;
    *behind = length;
    if (text->separator == NULL)
        return length;
    for (size_t at = from; at < length; at++) {
        if (!ps_regex_find(text->separator, scratch, body, length, at, &match, 1))
            break;
        bool own = match.data >= body && match.data + match.length <= body + length;
        if (!own)
            break;
        if (match.length == 0)
            continue; /* an empty match does not separate */
        *behind = (size_t)(match.data - body) + match.length;
        return (size_t)(match.data - body);
    }
    return length;
}

bool ps_irc_text_next(const struct ps_irc_text *text, struct ps_regex_scratch *scratch, const char *body,
                      size_t length, size_t *offset, struct ps_slice *line)
{
    while (*offset < length) {
        size_t behind, from = *offset;
        size_t end = find_separator(text, scratch, body, length, from, &behind);
        *offset = behind;
        if (end == from)
            continue;
        if (end - from > text->bytes_max) {
            end = from + text->bytes_max;
            for (unsigned i = 0; i < 3 && ((unsigned char)body[end] & 0xc0U) == 0x80U; i++)
                end--;
            *offset = end;
        }
        *line = (struct ps_slice){body + from, (uint32_t)(end - from)};
        return true;
    }
    return false;
}

size_t ps_irc_text_put(char *to, struct ps_slice line)
{
    for (uint32_t i = 0; i < line.length; i++) {
        char byte = line.data[i];
        to[i] = byte == '\r' || byte == '\n' || byte == '\0' ? ' ' : byte;
    }
    return line.length;
}
