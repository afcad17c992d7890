/* What a field draws: uniform, Zipf, normal, or some values with weights.
 *
 * A draw is a function of one 64-bit number, so that an event is the same whoever renders it: the number is
 * made from seed, source, sequence and field (ps_mix), never taken from a generator's state. Tables are made
 * at set-up and bounded whatever the range is. Thread: parse at set-up, draw any; nothing here keeps state.
 */
#pragma once

#include <math.h>

#include "core/arena.h"
#include "core/status.h"

/* Multiplies and folds (as wyhash does): all bits of both decide each bit of the result. */
static inline uint64_t ps_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The next number where one draw needs more than one. */
static inline uint64_t ps_mix_next(uint64_t random)
{
    return ps_mix(random ^ UINT64_C(0xa0761d6478bd642f), random + UINT64_C(0xe7037ed1a0b428db));
}

/* Walker's alias method: one of `count` by weight with one look-up. */
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
    uint32_t other = 0 - (uint32_t)((uint32_t)random >= row.threshold); /* a branch would be guessed wrong */
    return index ^ ((index ^ row.other) & other);
}

/* Weights > 0, finite; count > 0. */
void ps_alias_make(struct ps_alias *alias, struct ps_arena *arena, const double *weights, uint32_t count);

enum ps_distribution_kind {
    PS_DISTRIBUTION_UNIFORM,
    PS_DISTRIBUTION_ZIPF, /* P(rank k) ~ 1 / k^s */
    PS_DISTRIBUTION_NORMAL,
    PS_DISTRIBUTION_CHOICE, /* values with weights */
};

struct ps_ziggurat;

struct ps_distribution {
    enum ps_distribution_kind kind;
    int64_t min, max; /* whole numbers drawn are within */
    uint64_t span;    /* max - min + 1; 0: all 2^64 */
    double low, high; /* real numbers drawn are within */
    double mean, deviation;
    struct ps_alias alias; /* ZIPF: over buckets; CHOICE: over values */
    struct ps_zipf_bucket {
        uint64_t first, width; /* ranks, from 0 */
        double bend;           /* half the slope of the density across it */
    } * buckets;
    const double *values;
    const struct ps_ziggurat *ziggurat;
};

/* An argument of a field: `value`, or `name=value`. */
struct ps_argument {
    const char *name, *value; /* name NULL: has none */
    uint32_t offset;          /* where it stands in the template, bytes */
    bool used;
};

struct ps_arguments {
    uint32_t count;
    struct ps_argument *items;
    uint32_t offset; /* of what an error is about */
};

/* Looks for name=...; NULL: not there. Marks it used. */
const char *ps_arguments_get(struct ps_arguments *arguments, const char *name);
/* The first one without a name that nobody used, NULL: none. */
const char *ps_arguments_next(struct ps_arguments *arguments);

/* "5", "1..100", or what stands behind `name`: uniform (LOW..HIGH), zipf (LOW..HIGH,s=S), normal
 * (mean=,sd=,min=,max=), choice (VALUE=WEIGHT,...). `name` NULL: one of the first two. `real`: values have
 * fractions. Uses up the arguments it knows. On failure arguments->offset says where. */
enum ps_status ps_distribution_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                     const char *name, struct ps_arguments *arguments, bool real,
                                     struct ps_err *err);

/* A number from text, all of it. */
bool ps_number_whole(const char *text, int64_t *number);
bool ps_number_real(const char *text, double *number);

/* A whole number; `random` is used up. */
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

/* A real number: all but ZIPF. */
double ps_distribution_draw_real(const struct ps_distribution *distribution, uint64_t random);
