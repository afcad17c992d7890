/* Walks through a line of UTF-8 character by character, as Java's decoder does: finds the length of malformed
 * sequences, the number of Java's chars, and the place at which a line with too many chars ends. Thread: any;
 * no state. */
#pragma once

#include "core/stage.h"

struct ps_line_walk {
    const char *bytes; /* without its newline */
    uint32_t length;
    uint32_t chars_max;
    bool ended; /* a newline follows: a sequence that is incomplete at the end of the line is malformed */
    enum ps_decode_policy policy;
    char *
        /* where the text is written, with malformed bytes replaced or left out; NULL: the line is only
         * measured */
        out;
    /* The results. */
    uint32_t
        used; /* bytes of the line up to where the walk ended: chars_max, a malformed byte that is an error, or the end */
    uint32_t made;  /* number of bytes of the text */
    uint32_t chars; /* number of Java's chars of the text */
    bool cut;       /* the text has chars_max chars, or chars_max - 1 before a character of two chars */
    bool repaired;  /* something was malformed */
    bool bad;       /* the text is malformed, and the policy is FAIL */
    /* the bytes from `used` on are the beginning of a sequence that the line does not complete */
    bool incomplete;
};

void ps_line_walk(struct ps_line_walk *walk);

/* Removes U+FFFD from well-formed UTF-8; returns the new length in bytes. */
size_t ps_line_walk_drop_replacements(char *text, size_t length);
