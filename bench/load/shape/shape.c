#include "bench/load/shape/shape.h"
#include "core/clock.h"

#include <math.h>
#include <stdlib.h>

#define TIME_MAX_NS 1.8e19

void ps_shape_destroy(struct ps_shape *shape)
{
    if (shape == NULL)
        return;
    free(shape->pieces);
    free(shape->trace_ns);
    free(shape);
}

/* Returns the time from the beginning of a piece at which the area under the piece reaches `events`. Uses the stable
 * form of the quadratic formula, which subtracts no nearly equal numbers when the slope is small. */
static double piece_inverse(const struct ps_shape_piece *piece, double events)
{
    if (piece->slope == 0)
        return piece->rate > 0 ? events * piece->event_ns : INFINITY;
    double square = piece->rate * piece->rate + 2 * piece->slope * events;
    double divisor = piece->rate + sqrt(square > 0 ? square : 0);
    return divisor > 0 ? 2 * events / divisor : 0;
}

/* Returns the last piece that begins at or before `events`; skips pieces without area. */
static unsigned piece_find(const struct ps_shape *shape, double events, unsigned at)
{
    while (at > 0 && shape->pieces[at].start_events > events)
        at--;
    while (at + 1 < shape->piece_count && shape->pieces[at + 1].start_events <= events)
        at++;
    return at;
}

static uint64_t trace_due_ns(const struct ps_shape *shape, double events)
{
    return events < (double)shape->trace_count ? shape->trace_ns[(uint64_t)events] : PS_NEVER;
}

uint64_t ps_shape_due_ns(const struct ps_shape *shape, double events, unsigned *piece)
{
    double base_ns = 0;
    if (shape->trace_ns != NULL)
        return trace_due_ns(shape, events);
    if (shape->cycle_events > 0) {
        double cycles = floor(events / shape->cycle_events);
        events -= cycles * shape->cycle_events;
        if (events >= shape->cycle_events) { /* rounding error */
            events -= shape->cycle_events;
            cycles += 1;
        }
        base_ns = cycles * shape->cycle_ns;
    }
    if (events < 0)
        events = 0;
    *piece = piece_find(shape, events, *piece);
    const struct ps_shape_piece *found = &shape->pieces[*piece];
    double due_ns = base_ns + found->start_ns + piece_inverse(found, events - found->start_events);
    return due_ns < TIME_MAX_NS ? (uint64_t)(due_ns + 0.5) : PS_NEVER;
}

/* Returns the area under the curve up to a time. */
static double area(const struct ps_shape *shape, double ns)
{
    double base = 0;
    if (shape->cycle_events > 0) {
        double cycles = floor(ns / shape->cycle_ns);
        base = cycles * shape->cycle_events;
        ns -= cycles * shape->cycle_ns;
    }
    unsigned low = 0, high = shape->piece_count;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (shape->pieces[middle].start_ns <= ns)
            low = middle;
        else
            high = middle;
    }
    const struct ps_shape_piece *piece = &shape->pieces[low];
    double into = ns - piece->start_ns;
    return base + piece->start_events + into * (piece->rate + into * piece->slope / 2);
}

static uint64_t trace_count(const struct ps_shape *shape, uint64_t until_ns)
{
    /* Events below `low` are due before until_ns, those from `high` on are not. */
    uint64_t low = 0, high = shape->trace_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (shape->trace_ns[middle] < until_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t ps_shape_event_count(const struct ps_shape *shape, uint64_t until_ns)
{
    if (shape->trace_ns != NULL)
        return trace_count(shape, until_ns);
    if (until_ns == 0)
        return 0;
    double guess = area(shape, (double)until_ns);
    if (!(guess < (double)(UINT64_C(1) << 53)))
        return UINT64_C(1) << 53;
    /* The guess is right except for rounding: T() decides. */
    uint64_t count = guess > 2 ? (uint64_t)guess - 2 : 0;
    unsigned piece = 0;
    while (count > 0 && ps_shape_due_ns(shape, (double)(count - 1), &piece) >= until_ns)
        count--;
    while (ps_shape_due_ns(shape, (double)count, &piece) < until_ns)
        count++;
    return count;
}
