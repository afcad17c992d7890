/* Numbered events, which sequence_load sends and sequence_check reads: `seq=<stream>:<number> ` somewhere in
 * the body. Of N events in S streams, each stream has N / S, the first N % S streams one more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE_STREAMS_MAX 64U

static inline uint64_t sequence_share(uint64_t events, unsigned streams, unsigned stream)
{
    return events / streams + (stream < events % streams);
}

/* Reads the digits at *text, before `end`, and advances *text past them. Returns false if there are none. */
static inline bool sequence_number(const char **text, const char *end, uint64_t *number)
{
    const char *at = *text;
    *number = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - *text < 18)
        *number = *number * 10 + (uint64_t)(*at++ - '0');
    bool found = at > *text;
    *text = at;
    return found;
}

/* Reads stream and number of a body. A body of digits alone (source seq) belongs to stream 0. */
static inline bool sequence_find(const char *body, size_t length, uint64_t *stream, uint64_t *number)
{
    const char *end = body + length, *at = body;
    *stream = 0;
    if (sequence_number(&at, end, number) && at == end)
        return true;
    at = memmem(body, length, "seq=", 4);
    if (at == NULL)
        return false;
    at += 4;
    return sequence_number(&at, end, stream) && at < end && *at++ == ':' && sequence_number(&at, end, number);
}
