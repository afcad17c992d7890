#include "bench/plan/flow.h"

#include <math.h>

#define ALLOWED_S 0.03      /* a smaller growth of the delay may be a stall */
#define ALLOWED_SHARE 0.002 /* of the trial */
#define WINDOW_SHARE 0.125  /* length of a window as a share of the trial; at least WINDOW_S */
#define WINDOW_S 0.4        /* but at most a quarter of the trial */
#define DECISIVE 2.0        /* growth of more than this many times the allowed growth needs no second trial */
#define WARM_SHARE 0.125    /* the first window begins after this share of the trial, or after WARM_S */
#define WARM_S 1.0
#define SLOW_S 1.0       /* a p99 above this and above SLOW_SHARE of the trial is too slow */
#define SLOW_SHARE 0.25  /* of the trial's length */
#define LATE_SHARE 0.65  /* the end of a trial begins after this share of it */
#define LATE_CHANGE 0.01 /* if the rate at the end is lower by more than this share, only that rate counts */

double ps_flow_allowed_s(double seconds, double stall_s)
{
    return fmax(ALLOWED_S + ALLOWED_SHARE * seconds, stall_s);
}

static double window_of(double seconds)
{
    return fmax(seconds * WINDOW_SHARE, fmin(seconds / 4, WINDOW_S));
}

/* ---- the events that were due ---- */

/* Returns the share of a row in all events. */
static double share_of(const struct ps_flow *flow, unsigned row)
{
    if (row >= flow->connections)
        return 0;
    unsigned members = (flow->connections - 1 - row) / flow->rows + 1;
    return flow->rows == 1 ? 1 : (double)members / flow->connections;
}

static double due_of(const struct ps_flow *flow, unsigned row, unsigned sample)
{
    if (flow->due != NULL)
        return flow->due[sample] * share_of(flow, row);
    double reached = flow->rate * fmin(fmax(flow->at_s[sample], 0), flow->seconds);
    if (flow->rows != flow->connections)
        return floor(reached) * share_of(flow, row);
    /* the row has event number `row` and each `connections` later; event i is due when the schedule reaches i */
    return reached >= row ? floor((reached - row) / flow->connections) + 1 : 0;
}

/* ---- delays ---- */

struct low {
    double delay_s, at_s; /* the lowest delay of a window, and when */
    bool known;
};

/* Returns the lowest delay between two times. `row` below `rows`; `rows` itself is the sum of all. */
static struct low lowest(const struct ps_flow *flow, unsigned row, double from_s, double to_s,
                         double lost_share)
{
    struct low low = {.delay_s = INFINITY};
    bool sum = row == flow->rows;
    double rate = flow->rate * (sum ? 1 : share_of(flow, row));
    for (unsigned sample = 0; sample < flow->samples; sample++) {
        double t = flow->at_s[sample], due = 0, received = 0;
        if (t < from_s || t > to_s)
            continue;
        for (unsigned i = sum ? 0 : row; i < (sum ? flow->rows : row + 1); i++) {
            due += due_of(flow, i, sample);
            received += flow->received[i * flow->samples + sample];
        }
        double delay_s = fmax(due * (1 - lost_share) - received, 0) / rate;
        if (delay_s <= low.delay_s)
            low = (struct low){delay_s, t, true};
    }
    return low;
}

struct row {
    double growth_s, growth; /* growth of the delay: seconds; seconds per second */
    bool known;
};

static struct row row_of(const struct ps_flow *flow, unsigned row, double lost_share)
{
    double window_s = window_of(flow->seconds), warm_s = fmin(flow->seconds * WARM_SHARE, WARM_S);
    struct low begin = lowest(flow, row, warm_s, warm_s + window_s, lost_share);
    struct low end = lowest(flow, row, flow->seconds - window_s, flow->seconds, lost_share);
    if (!begin.known || !end.known || end.at_s <= begin.at_s)
        return (struct row){0};
    double growth_s = fmax(end.delay_s - begin.delay_s, 0);
    return (struct row){growth_s, growth_s / (end.at_s - begin.at_s), true};
}

/* Returns how many events a second came between two windows. Measures from the lowest delay of one to the lowest delay
 * of the other, because these are at the same point of a batch. */
static double came_between(const struct ps_flow *flow, double from_s, double to_s, double window_s)
{
    struct low begin = lowest(flow, flow->rows, from_s, from_s + window_s, 0);
    struct low end = lowest(flow, flow->rows, to_s - window_s, to_s, 0);
    if (!begin.known || !end.known || end.at_s <= begin.at_s)
        return flow->rate;
    return flow->rate * fmax(1 - (end.delay_s - begin.delay_s) / (end.at_s - begin.at_s), 0);
}

static double goodput_of(const struct ps_flow *flow)
{
    double window_s = window_of(flow->seconds), warm_s = fmin(flow->seconds * WARM_SHARE, WARM_S);
    double whole = came_between(flow, warm_s, flow->seconds, window_s);
    /* A subject that sags, or whose credit is used up, shows its rate at the end. */
    double late = came_between(flow, flow->seconds * LATE_SHARE, flow->seconds, window_s);
    return fmin(late < whole * (1 - LATE_CHANGE) ? late : whole, flow->rate);
}

static double waiting_at_end(const struct ps_flow *flow)
{
    double waiting = 0;
    unsigned sample = flow->samples - 1;
    while (sample > 0 && flow->at_s[sample] > flow->seconds)
        sample--;
    for (unsigned row = 0; row < flow->rows; row++)
        waiting += due_of(flow, row, sample) - flow->received[row * flow->samples + sample];
    return fmax(waiting - flow->lost, 0);
}

void ps_flow_judge(const struct ps_flow *flow, struct ps_flow_result *result)
{
    *result = (struct ps_flow_result){.verdict = PS_FLOW_UNKNOWN};
    if (!(flow->rate > 0) || !(flow->seconds > 0) || flow->rows == 0 || flow->samples == 0)
        return;
    double lost_share = fmin(fmax(flow->lost, 0) / (flow->rate * flow->seconds), 1);
    double allowed_s = ps_flow_allowed_s(flow->seconds, flow->stall_s);
    struct row sum = row_of(flow, flow->rows, lost_share), worst = sum;
    if (!sum.known)
        return;
    for (unsigned row = 0; flow->rows > 1 && row < flow->rows; row++) {
        struct row one = share_of(flow, row) > 0 ? row_of(flow, row, lost_share) : (struct row){0};
        if (!one.known || one.growth_s <= worst.growth_s)
            continue;
        worst = one;
        result->connection = row;
    }
    result->on_its_way = waiting_at_end(flow);
    result->growth_s = worst.growth_s;
    result->growth = worst.growth;
    result->goodput = goodput_of(flow);
    result->goodput_worst = fmin(flow->rate * fmax(1 - worst.growth, 0), result->goodput);
    if (sum.growth_s > allowed_s)
        result->verdict = PS_FLOW_BEHIND;
    else if (worst.growth_s > allowed_s)
        result->verdict = PS_FLOW_STARVED;
    else if (flow->latency_p99_s > fmax(SLOW_S, SLOW_SHARE * flow->seconds))
        result->verdict = PS_FLOW_SLOW;
    else
        result->verdict = PS_FLOW_LEVEL;
    result->decisive = worst.growth_s > DECISIVE * allowed_s;
}
