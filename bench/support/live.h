/* Shows what load, verify and plan do and found: text for people, with one status line that is rewritten in place on a
 * terminal; with --json, objects for programs, one per line. Colour is used only on a terminal, and not when NO_COLOR
 * is set.
 *
 * Thread: one at a time. Threads that send or read events never call it. */
#pragma once

#include "core/clock.h"
#include "core/watch/histogram.h"
#include "core/status.h"

#include <jansson.h>
#include <stdio.h>

/* interval between two progress objects, unless --every gives another */
#define PS_LIVE_EVERY_NS PS_NS_PER_S
/* limits of --every */
#define PS_LIVE_EVERY_NS_MIN (100 * PS_NS_PER_MS)
#define PS_LIVE_EVERY_NS_MAX (3600 * PS_NS_PER_S)

struct ps_live {
    FILE *to;
    bool json;   /* objects instead of text */
    bool quiet;  /* no progress; the final output is still printed */
    bool moves;  /* the output is a terminal: there is a status line */
    bool colour; /* only with `moves` */
    bool dirty;  /* a status line is on the screen */
    /* Without a terminal: when the next line of progress is printed, and how long after it the one behind it. */
    uint64_t plain_ns, plain_step_ns;
};

/* `to` is standard output, or standard error when events go to standard output. */
void ps_live_init(struct ps_live *live, FILE *to, bool json, bool quiet);

/* Returns an escape sequence such as "\033[32m", or "" without colour. */
enum ps_live_style { PS_LIVE_PLAIN, PS_LIVE_GOOD, PS_LIVE_WARN, PS_LIVE_BAD, PS_LIVE_DIM, PS_LIVE_BOLD };
const char *ps_live_style(const struct ps_live *live, enum ps_live_style style);

/* Rewrites the status line, cut to the terminal's width. Without a terminal, prints it on standard error instead, a second
 * after the start and then ever more rarely, up to once a minute. Does nothing when quiet or with json. */
void ps_live_status(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes the status line. */
void ps_live_clear(struct ps_live *live);
/* Prints a line that stays; the status line continues below it. With json it goes to standard error. */
void ps_live_note(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints text of the final report as it is (the caller adds newlines). Does nothing with json. */
void ps_live_print(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* With json, writes the object as one line. Always takes ownership of the object; NULL means that the object could not
 * be made. A `progress` object is not written when quiet. */
void ps_live_object(struct ps_live *live, json_t *object, bool progress);

/* Returns {"p50":..,"p99.9":..,"max":..} for the given percentiles, 0 when the histogram is empty; the
 * maximum is always last. */
json_t *ps_live_percentiles(const struct ps_histogram *histogram, const double *percentiles, size_t count);
