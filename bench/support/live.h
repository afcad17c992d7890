/* What a running load, verify or plan shows: one status line that is rewritten in place on a terminal, JSON
 * objects one a line everywhere else. Colour only on a terminal, and not when NO_COLOR is set.
 *
 * Thread: one at a time. Never called by a thread that sends or reads events. */
#pragma once

#include "core/clock.h"
#include "core/watch/histogram.h"
#include "core/status.h"

#include <jansson.h>
#include <stdio.h>

#define PS_LIVE_EVERY_NS PS_NS_PER_S /* a progress each, unless --every says otherwise */

struct ps_live {
    FILE *to;
    bool json;   /* objects instead of text */
    bool quiet;  /* no progress; what is said at the end is still said */
    bool colour; /* never with json */
    bool dirty;  /* a status line stands there */
};

/* `to` is standard output, or standard error when events go to standard output. JSON when asked for or when
 * `to` is no terminal. */
void ps_live_init(struct ps_live *live, FILE *to, bool json, bool quiet);

/* --every: 100ms to 1h. */
enum ps_status ps_live_every_parse(const char *text, uint64_t *every_ns, struct ps_err *err);

/* "\033[32m" or, without colour, "". */
enum ps_live_style { PS_LIVE_PLAIN, PS_LIVE_GOOD, PS_LIVE_WARN, PS_LIVE_BAD, PS_LIVE_DIM, PS_LIVE_BOLD };
const char *ps_live_style(const struct ps_live *live, enum ps_live_style style);

/* Rewrites the status line; what does not fit the terminal's width is cut. Nothing with json or quiet. */
void ps_live_status(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the status line away. */
void ps_live_clear(struct ps_live *live);
/* A line that stays, below which the status line goes on. With json it goes to standard error. */
void ps_live_note(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text of the end, as it is (newlines are the caller's). Nothing with json. */
void ps_live_print(struct ps_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes the object as one line, with json; takes it over in any case (NULL is an object that could not be
 * made). `progress`: not with quiet. */
void ps_live_object(struct ps_live *live, json_t *object, bool progress);

/* {"p50":..,"p99.9":..,"max":..}: the percentiles named, 0 when empty; the maximum is always the last. */
json_t *ps_live_percentiles(const struct ps_histogram *histogram, const double *percentiles, size_t count);
