/* When events are due: the shape of the load is a curve of the rate over time, or a recorded trace.
 *
 * The curve consists of pieces in which the rate is constant or changes linearly; the pieces apply once or
 * repeat in a cycle. Event number i is due when the area under the curve reaches i: T(i) is computed from i
 * alone, never by adding up, so nothing drifts and every thread gets the same result. In double arithmetic
 * with 53 bits: after a day T(i) is off by less than 0.1 ns before it is rounded to the nanosecond.
 *
 * Times are nanoseconds since the schedule's start. Thread: any; constant once created. */
#pragma once

#include "core/status.h"

struct ps_shape_config {
    /* "constant", "sine:min=10k,max=100k,period=1m"; NULL: constant, or closed when there is no rate. */
    const char *text;
    double rate;          /* events a second; 0: not given */
    uint64_t duration_ns; /* 0: not given */
};

/* A piece begins at `start_ns`, when `start_events` events were due. */
struct ps_shape_piece {
    double start_ns, start_events;
    double rate;     /* events per ns at its start */
    double slope;    /* change of the rate, events per ns per ns */
    double event_ns; /* 1 / rate */
};

struct ps_shape {
    const char *name;
    bool closed;  /* as fast as possible: no schedule at all */
    bool poisson; /* the curve is the mean; arrivals are random */
    struct ps_shape_piece *pieces;
    unsigned piece_count, piece_room;
    double cycle_ns, cycle_events; /* 0: the last piece lasts for ever */
    uint64_t *trace_ns;            /* used instead of the curve: when each event is due, ascending */
    uint64_t trace_count;
};

/* Errors name the mistake and a correct form. Owns: the caller destroys it. May read a trace file. */
enum ps_status ps_shape_create(struct ps_shape **shape, const struct ps_shape_config *config,
                               struct ps_err *err);
void ps_shape_destroy(struct ps_shape *shape);

/* Returns the time at which the area under the curve is `events` (event i: T(i)); PS_NEVER: the area never reaches
 * `events`. `*piece` is the number of the piece where the search begins (0 at first), and then of the piece found. Not
 * for closed shapes. */
uint64_t ps_shape_due_ns(const struct ps_shape *shape, double events, unsigned *piece);
/* Returns how many events are due before `until_ns`: the smallest i with T(i) >= until_ns. For Poisson: the
 * expected number. */
uint64_t ps_shape_event_count(const struct ps_shape *shape, uint64_t until_ns);

/* The shapes with one line each for --help; the last has name NULL. */
struct ps_shape_form {
    const char *name, *summary;
    const char *keys; /* separated by blanks */
};
extern const struct ps_shape_form ps_shape_forms[];
