/* The values of a field: uniform, Zipf, normal, or weighted values.
 *
 * A draw is a function of one 64-bit number, so an event is the same whichever thread renders it: the number
 * is made from seed, source, sequence and field (ps_mix), never from a generator's state. Tables are made at
 * set-up and have a bounded size for any range.
 *
 * Thread: parse at set-up, draw any; no state. */
#pragma once

#include <math.h>

#include "core/arena.h"
#include "core/status.h"

/* Multiplies and folds (as wyhash does): every bit of both inputs affects every bit of the result. */
static inline uint64_t ps_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Returns the next random number, for a draw that needs more than one. */
static inline uint64_t ps_mix_next(uint64_t random)
{
    return ps_mix(random ^ UINT64_C(0xa0761d6478bd642f), random + UINT64_C(0xe7037ed1a0b428db));
}

/* Walker's alias method: draws one of `count` by weight with one look-up. */
struct ps_alias {
    uint32_t count;
    struct ps_alias_row {
        uint32_t threshold, other;
    } * rows;
};

static inline uint32_t ps_alias_draw(const struct ps_alias *alias, uint64_t random)
{
    uint32_t index = (uint32_t)(((random >> 32) * alias->count) >> 32);
    struct ps_alias_row row = alias->rows[index];
    /* without a branch, which would be mispredicted */
    uint32_t other = 0 - (uint32_t)((uint32_t)random >= row.threshold);
    return index ^ ((index ^ row.other) & other);
}

/* Weights must be > 0 and finite; count > 0. */
void ps_alias_make(struct ps_alias *alias, struct ps_arena *arena, const double *weights, uint32_t count);

enum ps_distribution_kind {
    PS_DISTRIBUTION_UNIFORM,
    PS_DISTRIBUTION_ZIPF, /* P(rank k) ~ 1 / k^s */
    PS_DISTRIBUTION_NORMAL,
    PS_DISTRIBUTION_CHOICE, /* weighted values */
};

struct ps_ziggurat;

struct ps_distribution {
    enum ps_distribution_kind kind;
    int64_t min, max; /* bounds of the whole numbers drawn */
    uint64_t span;    /* max - min + 1; 0 means all 2^64 */
    double low, high; /* bounds of the real numbers drawn */
    double mean, deviation;
    struct ps_alias alias; /* ZIPF: over buckets; CHOICE: over values */
    struct ps_zipf_bucket {
        uint64_t first, width; /* ranks, from 0 */
        double bend;           /* half the slope of the density across the bucket */
    } * buckets;
    const double *values;
    const struct ps_ziggurat *ziggurat;
};

/* An argument of a field: `value`, or `name=value`. */
struct ps_argument {
    const char *name, *value; /* NULL when it has no name */
    uint32_t offset;          /* offset in the template, bytes */
    bool used;
};

struct ps_arguments {
    uint32_t count;
    struct ps_argument *items;
    uint32_t offset; /* where the last error is, bytes */
};

/* Returns the value of the argument name=..., or NULL. Marks the argument used. */
const char *ps_arguments_get(struct ps_arguments *arguments, const char *name);
/* Returns the value of the first unused argument without a name, or NULL. Marks the argument used. */
const char *ps_arguments_next(struct ps_arguments *arguments);

/* Parses what a field draws. Uses up the arguments it knows; on failure arguments->offset is the place.
 *
 *   name NULL  "5" or "1..100": uniform
 *   uniform    LOW..HIGH
 *   zipf       LOW..HIGH,s=S
 *   normal     mean=,sd=,min=,max=
 *   choice     VALUE=WEIGHT,...
 *
 * `real`: values have fractions. */
enum ps_status ps_distribution_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                     const char *name, struct ps_arguments *arguments, bool real,
                                     struct ps_err *err);

/* Parses a number; the whole text must be one. */
bool ps_number_whole(const char *text, int64_t *number);
bool ps_number_real(const char *text, double *number);

/* Draws a whole number from `random`. */
int64_t ps_distribution_draw_other(const struct ps_distribution *distribution, uint64_t random);
static inline int64_t ps_distribution_draw(const struct ps_distribution *distribution, uint64_t random)
{
    if (PS_LIKELY(distribution->kind == PS_DISTRIBUTION_UNIFORM)) {
        __extension__ typedef unsigned __int128 wide;
        uint64_t step =
            distribution->span == 0 ? random : (uint64_t)(((wide)random * distribution->span) >> 64);
        return (int64_t)((uint64_t)distribution->min + step);
    }
    return ps_distribution_draw_other(distribution, random);
}

/* Draws a real number; not for ZIPF. */
double ps_distribution_draw_real(const struct ps_distribution *distribution, uint64_t random);
