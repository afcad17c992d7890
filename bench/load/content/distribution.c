/* Draws values and makes the tables for it; distribution_parse.c parses what users write. */
#include "bench/load/content/distribution.h"

#include <string.h>

#include "bench/load/content/distribution_internal.h"

/* ---- alias tables (Walker's method, built as Vose does) ---- */

void ps_alias_make(struct ps_alias *alias, struct ps_arena *arena, const double *weights, uint32_t count)
{
    double *scaled = ps_arena_alloc(arena, count * sizeof *scaled), sum = 0;
    uint32_t *small = ps_arena_alloc(arena, count * sizeof *small), small_count = 0;
    uint32_t *large = ps_arena_alloc(arena, count * sizeof *large), large_count = 0;
    alias->count = count;
    alias->rows = ps_arena_alloc(arena, count * sizeof *alias->rows);
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    for (uint32_t i = 0; i < count; i++) {
        scaled[i] = weights[i] / sum * count;
        if (scaled[i] < 1)
            small[small_count++] = i;
        else
            large[large_count++] = i;
    }
    while (small_count > 0 && large_count > 0) {
        uint32_t less = small[--small_count], more = large[large_count - 1];
        alias->rows[less] = (struct ps_alias_row){(uint32_t)(scaled[less] * 4294967296.0), more};
        scaled[more] -= 1 - scaled[less];
        if (scaled[more] < 1) {
            large_count--;
            small[small_count++] = more;
        }
    }
    while (small_count > 0) { /* these rows are full except for rounding: both outcomes are the row itself */
        uint32_t full = small[--small_count];
        alias->rows[full] = (struct ps_alias_row){UINT32_MAX, full};
    }
    while (large_count > 0) {
        uint32_t full = large[--large_count];
        alias->rows[full] = (struct ps_alias_row){UINT32_MAX, full};
    }
}

/* ---- Zipf: each of the first ranks by itself, then buckets of ranks, 1/64 as wide as their first rank.
 * Within a bucket the density is taken as a straight line; the error is at most (s/64)^2/12 of the density.
 * ---- */

#define ZIPF_HEAD 256U
#define ZIPF_PARTS 64U
/* 256 + 64 ln(2^48 / 256) = 2,030, and some more because widths are rounded down */
#define ZIPF_BUCKETS_MAX 2304U

/* Returns the total weight of ranks a .. a + width - 1. */
static double zipf_weight(double a, uint64_t width, double s)
{
    if (width <= 64) {
        double sum = 0;
        for (unsigned i = 0; i < width; i++)
            sum += pow(a + i, -s);
        return sum;
    }
    double low = a - 0.5,
           /* the midpoint rule in reverse; relative error s(s+1)/24a^2 */
        high = a + (double)width - 0.5;
    return fabs(s - 1) < 1e-9 ? log(high / low) : (pow(low, 1 - s) - pow(high, 1 - s)) / (s - 1);
}

void ps_zipf_make(struct ps_distribution *distribution, struct ps_arena *arena, uint64_t ranks, double s)
{
    double weights[ZIPF_BUCKETS_MAX];
    struct ps_zipf_bucket buckets[ZIPF_BUCKETS_MAX];
    uint32_t count = 0;
    for (uint64_t first = 1; first <= ranks; count++) {
        PS_ASSERT(count < ZIPF_BUCKETS_MAX);
        uint64_t width = first < ZIPF_HEAD ? 1 : first / ZIPF_PARTS, left = ranks - first + 1;
        width = width < left ? width : left;
        weights[count] = zipf_weight((double)first, width, s);
        buckets[count].first = first - 1;
        buckets[count].width = width;
        buckets[count].bend = s * (double)width / ((double)first + (double)width / 2) / 2;
        first += width;
    }
    distribution->buckets = ps_arena_alloc(arena, count * sizeof *buckets);
    memcpy(distribution->buckets, buckets, count * sizeof *buckets);
    ps_alias_make(&distribution->alias, arena, weights, count);
}

static int64_t zipf_draw(const struct ps_distribution *distribution, uint64_t random)
{
    const struct ps_zipf_bucket *bucket = &distribution->buckets[ps_alias_draw(&distribution->alias, random)];
    uint64_t rank = bucket->first;
    if (bucket->width > 1) {
        double u = (double)(ps_mix_next(random) >> 11) * 0x1p-53;
        rank += (uint64_t)((u - bucket->bend * u * (1 - u)) * (double)bucket->width);
    }
    return (int64_t)((uint64_t)distribution->min + rank);
}

/* ---- normal: the ziggurat of Marsaglia and Tsang in Doornik's form (ZIGNOR, 128 layers of equal area)
 * ---- */

#define LAYERS 128
#define LAYER_R 3.442619855899
#define LAYER_AREA 9.91256303526217e-3

struct ps_ziggurat {
    double x[LAYERS + 1], ratio[LAYERS];
};

const struct ps_ziggurat *ps_ziggurat_make(struct ps_arena *arena)
{
    struct ps_ziggurat *zig = ps_arena_alloc(arena, sizeof *zig);
    double f = exp(-0.5 * LAYER_R * LAYER_R);
    zig->x[0] = LAYER_AREA / f;
    zig->x[1] = LAYER_R;
    for (unsigned i = 2; i < LAYERS; i++) {
        zig->x[i] = sqrt(-2 * log(LAYER_AREA / zig->x[i - 1] + f));
        f = exp(-0.5 * zig->x[i] * zig->x[i]);
    }
    zig->x[LAYERS] = 0;
    for (unsigned i = 0; i < LAYERS; i++)
        zig->ratio[i] = zig->x[i + 1] / zig->x[i];
    return zig;
}

/* Returns a number above 0 and below 1, so that its logarithm is finite. */
static double fraction(uint64_t random)
{
    return ((double)(random >> 12) + 0.5) * 0x1p-52;
}

static double normal_tail(uint64_t *random, bool negative)
{
    double x, y;
    do {
        *random = ps_mix_next(*random);
        x = log(fraction(*random)) / LAYER_R;
        *random = ps_mix_next(*random);
        y = log(fraction(*random));
    } while (-2 * y < x * x);
    return negative ? x - LAYER_R : LAYER_R - x;
}

static double normal_draw(const struct ps_ziggurat *zig, uint64_t random)
{
    for (;;) {
        unsigned layer = (unsigned)random & (LAYERS - 1);
        double u = 2 * ((double)(random >> 11) * 0x1p-53) - 1;
        if (PS_LIKELY(fabs(u) < zig->ratio[layer]))
            return u * zig->x[layer];
        if (layer == 0)
            return normal_tail(&random, u < 0);
        double x = u * zig->x[layer];
        double f0 = exp(-0.5 * (zig->x[layer] * zig->x[layer] - x * x));
        double f1 = exp(-0.5 * (zig->x[layer + 1] * zig->x[layer + 1] - x * x));
        random = ps_mix_next(random);
        if (f1 + fraction(random) * (f0 - f1) < 1)
            return x;
        random = ps_mix_next(random);
    }
}

/* ---- draws ---- */

int64_t ps_distribution_draw_other(const struct ps_distribution *distribution, uint64_t random)
{
    if (distribution->kind == PS_DISTRIBUTION_ZIPF)
        return zipf_draw(distribution, random);
    if (distribution->kind == PS_DISTRIBUTION_CHOICE)
        return (int64_t)distribution->values[ps_alias_draw(&distribution->alias, random)];
    double drawn =
        rint(distribution->mean + distribution->deviation * normal_draw(distribution->ziggurat, random));
    if (drawn <= (double)distribution->min)
        return distribution->min;
    return drawn >= (double)distribution->max ? distribution->max : (int64_t)drawn;
}

double ps_distribution_draw_real(const struct ps_distribution *distribution, uint64_t random)
{
    double drawn;
    if (distribution->kind == PS_DISTRIBUTION_CHOICE)
        return distribution->values[ps_alias_draw(&distribution->alias, random)];
    if (distribution->kind == PS_DISTRIBUTION_NORMAL)
        drawn = distribution->mean + distribution->deviation * normal_draw(distribution->ziggurat, random);
    else
        drawn =
            distribution->low + (distribution->high - distribution->low) * ((double)(random >> 11) * 0x1p-53);
    return drawn < distribution->low    ? distribution->low
           : drawn > distribution->high ? distribution->high
                                        : drawn;
}
