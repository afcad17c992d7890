/* See line_walk.h. */
#include "stages/lib/text/line_walk.h"

#include <string.h>

static const char replacement[3] = {(char)0xEF, (char)0xBF, (char)0xBD};

static bool continues(const uint8_t *byte)
{
    return (*byte & 0xC0) == 0x80;
}

/* Returns the length of the well-formed sequence at `at`; else 0, and *malformed is the number of bytes that
 * Java's decoder (sun.nio.cs.UTF_8) calls malformed. That is 0 as well when the bytes end before this is known,
 * which happens only if the line has not `ended`. */
static uint32_t sequence(const uint8_t *at, uint32_t rest, bool ended, uint32_t *malformed)
{
    uint8_t lead = at[0];
    *malformed = 1;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (rest == 1) {
        *malformed = ended ? 1 : 0;
        return 0;
    }
    if (!continues(at + 1) || (lead == 0xE0 && at[1] < 0xA0) || (lead == 0xF0 && at[1] < 0x90) ||
        (lead == 0xF4 && at[1] > 0x8F))
        return 0;
    if (length == 2)
        return 2;
    if (rest == 2) {
        *malformed = ended ? 2 : 0;
        return 0;
    }
    if (!continues(at + 2)) {
        *malformed = 2;
        return 0;
    }
    if (length == 3) {
        *malformed = 3; /* a surrogate */
        return lead == 0xED && at[1] >= 0xA0 ? 0 : 3;
    }
    if (rest == 3) {
        *malformed = ended ? 3 : 0;
        return 0;
    }
    *malformed = 3;
    return continues(at + 3) ? 4 : 0;
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
        const uint8_t *at = (const uint8_t *)walk->bytes + walk->used;
        uint32_t malformed, length = sequence(at, walk->length - walk->used, walk->ended, &malformed);
        uint32_t chars = length == 4 ? 2 : 1;
        if (length > 0) {
            if (walk->chars + chars > walk->chars_max && walk->chars > 0) {
                walk->cut = true;
                return;
            }
            put(walk, at, length);
            walk->used += length;
            walk->chars += chars;
        } else if (malformed == 0) {
            walk->incomplete = true;
            return;
        } else if (walk->policy == PS_DECODE_FAIL) {
            walk->bad = true;
            return;
        } else {
            walk->repaired = true;
            walk->used += malformed;
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
