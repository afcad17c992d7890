/* See line_walk.h. */
#include "stages/lib/text/line_walk.h"

#include "core/text/utf8.h"

#include <string.h>

static const char replacement[3] = {(char)0xEF, (char)0xBF, (char)0xBD};

/* Returns the length of the well-formed sequence at `at`; else 0, and *malformed is the number of bytes that
 * Java's decoder (sun.nio.cs.UTF_8) calls malformed. That is 0 as well when the bytes end before this is known,
 * which happens only if the line has not `ended`. */
static size_t sequence(const char *at, size_t rest, bool ended, size_t *malformed)
{
    uint8_t lead = (uint8_t)at[0];
    size_t length = ps_utf8_sequence(at, rest, malformed);
    size_t whole = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length == 0 && !ended && *malformed == rest && rest < whole)
        *malformed = 0;
    return length;
}

static void put(struct ps_line_walk *walk, const void *bytes, uint32_t length)
{
    if (walk->out != NULL)
        memcpy(walk->out + walk->made, bytes, length);
    walk->made += length;
}

void ps_line_walk(struct ps_line_walk *walk)
{
    walk->used = walk->made = walk->chars = 0;
    walk->cut = walk->repaired = walk->bad = walk->incomplete = false;
    while (walk->used < walk->length) {
        const char *at = walk->bytes + walk->used;
        size_t malformed, length = sequence(at, walk->length - walk->used, walk->ended, &malformed);
        uint32_t chars = length == 4 ? 2 : 1;
        if (length > 0) {
            if (walk->chars + chars > walk->chars_max && walk->chars > 0) {
                walk->cut = true;
                return;
            }
            put(walk, at, (uint32_t)length);
            walk->used += (uint32_t)length;
            walk->chars += chars;
        } else if (malformed == 0) {
            walk->incomplete = true;
            return;
        } else if (walk->policy == PS_DECODE_FAIL) {
            walk->bad = true;
            return;
        } else {
            walk->repaired = true;
            walk->used += (uint32_t)malformed;
            if (walk->policy == PS_DECODE_REPLACE) {
                put(walk, replacement, sizeof replacement);
                walk->chars++;
            }
        }
        if (walk->chars >= walk->chars_max) {
            walk->cut = true;
            return;
        }
    }
}

size_t ps_line_walk_drop_replacements(char *text, size_t length)
{
    char *to = text;
    for (char *at = text, *end = text + length; at < end;) {
        if (end - at >= 3 && memcmp(at, replacement, 3) == 0)
            at += 3;
        else
            *to++ = *at++;
    }
    return (size_t)(to - text);
}
