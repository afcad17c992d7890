/* Decides when an error that every try meets again is worth a line of the log: when it begins, when its text changes, and then after
 * a minute, 2, 4, .. minutes, at most an hour. {0}: there is none. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_repeated {
    uint64_t began_ns, due_ns, interval_ns; /* of this text */
    uint64_t last_ns;                       /* of the last try */
    uint64_t tries;                         /* that met it; 0: there is none */
    uint32_t hash;                          /* of the text */
};

/* One more try has met it. Returns whether it is to be said now. `now_ns`: mono_ns. */
bool ps_repeated_says(struct ps_repeated *repeated, const char *text, uint64_t now_ns);

/* The same where nobody says that it is over: a try that comes later than `gap_ns` after the one before is of another outage. */
bool ps_repeated_says_outage(struct ps_repeated *repeated, const char *text, uint64_t now_ns,
                             uint64_t gap_ns);

#define PS_REPEATED_BYTES 128U

/* What the caller appends to the line: "; tries so far: 17, for 2 min", or "" of the first one. */
const char *ps_repeated_text(const struct ps_repeated *repeated, uint64_t now_ns,
                             char text[PS_REPEATED_BYTES]);
