/* Bytes of subjects: tests for plain text and 0xFF, and copying without 0xFF. Called by workers, for every
 * event that is copied or reported. */
#include "regex/matcher/internal.h"

#include <string.h>

/* Every x86-64 has vectors of 16 bytes; for other CPUs the compiler chooses the code. */
typedef unsigned char block __attribute__((vector_size(16)));
typedef signed char mask __attribute__((vector_size(16)));

static block load(const char *at)
{
    block bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static bool any(mask bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

static mask not_plain(block bytes)
{
    return (mask)(bytes >= 0x80) | (mask)(bytes == '\n') | (mask)(bytes == '\r');
}

bool ps_matcher_is_plain(const char *text, size_t length)
{
    mask found = {0};
    size_t at = 0;
    for (; length - at >= 64; at += 64) {
        found = not_plain(load(text + at)) | not_plain(load(text + at + 16)) |
                not_plain(load(text + at + 32)) | not_plain(load(text + at + 48));
        if (any(found))
            return false;
    }
    for (; length - at >= 16; at += 16)
        found |= not_plain(load(text + at));
    if (at < length && length >= 16) {
        found |= not_plain(load(text + length - 16));
        at = length;
    }
    for (; at < length; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte >= 0x80 || byte == '\n' || byte == '\r')
            return false;
    }
    return !any(found);
}

bool ps_matcher_has_ff(const char *text, size_t length)
{
    return length > 0 && memchr(text, 0xFF, length) != NULL;
}

/* Turns 0xFF into 0xFE; all other bytes stay. */
static block without_ff(block bytes)
{
    return bytes + (block)(bytes == 0xFF);
}

void ps_matcher_copy(char *to, const char *from, size_t length)
{
    size_t at = 0;
    for (; length - at >= 16; at += 16) {
        block bytes = without_ff(load(from + at));
        memcpy(to + at, &bytes, sizeof bytes);
    }
    if (at < length && length >= 16) {
        block bytes = without_ff(load(from + length - 16));
        memcpy(to + length - 16, &bytes, sizeof bytes);
        return;
    }
    for (; at < length; at++)
        to[at] = (char)(from[at] == (char)0xFF ? 0xFE : from[at]);
}
