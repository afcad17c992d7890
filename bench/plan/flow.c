#include "bench/plan/flow.h"

#include <math.h>

#define ALLOWED_S 0.03      /* a smaller growth of the delay may be a stall */
#define ALLOWED_SHARE 0.002 /* of the trial */
#define WINDOW_SHARE 0.125  /* length of a window as a share of the trial; at least WINDOW_S */
#define WINDOW_S 0.4        /* but at most a quarter of the trial */
#define DECISIVE 2.0        /* growth of more than this many times the allowed growth needs no second trial */
#define RHYTHM_WINDOW 1.05  /* or no shorter than the rhythm times this */
#define RHYTHMS 2.6         /* a trial with two such windows takes at least the rhythm times this */
#define RHYTHM_REST_S 0.5   /* and this */
#define RHYTHM_SHARE 0.02   /* of the rhythm: the batches of several queues are not full at the same time */
#define WARM_SHARE 0.125    /* the first window begins after this share of the trial, or after WARM_S */
#define WARM_S 1.0
#define CHANCE_SIGMAS 3.0
#define DELAY_EVENTS 2.0
#define SLOW_S 1.0         /* a p99 above this and above SLOW_SHARE of the trial is too slow */
#define SLOW_SHARE 0.25    /* of the trial's length */
#define SLOW_RHYTHM 1.5    /* or the rhythm times this, whichever is longer */
#define BURST_STEADY 0.1   /* the rate of what follows a burst does not change by more */
#define BURST_SILENCE 0.15 /* nor does it pause for more of the time */
#define BURST_LEAST 0.2    /* of what came: less is noise */
#define LATE_SHARE 0.65    /* the end of a trial begins after this share of it */
#define LATE_CHANGE 0.01 /* if the rate at the end is lower by more than this share, only that rate counts */

double ps_flow_allowed_s(double seconds, double stall_s)
{
    return fmax(ALLOWED_S + ALLOWED_SHARE * seconds, stall_s);
}

double ps_flow_least_s(double rhythm_s)
{
    return RHYTHMS * rhythm_s + RHYTHM_REST_S;
}

static double window_of(const struct ps_flow *flow)
{
    double window_s = fmax(flow->seconds * WINDOW_SHARE, fmin(flow->seconds / 4, WINDOW_S));
    return fmax(window_s, RHYTHM_WINDOW * flow->rhythm_s);
}

static double received_at(const struct ps_flow *flow, unsigned sample)
{
    double received = 0;
    for (unsigned row = 0; row < flow->rows; row++)
        received += flow->received[row * flow->samples + sample];
    return received;
}

/* Returns when the first window begins. Events that wait for the first delivery do not show that a queue grows. */
static double warm_of(const struct ps_flow *flow)
{
    double warm_s = fmin(flow->seconds * WARM_SHARE, WARM_S);
    for (unsigned sample = 0; flow->rhythm_s > 0 && sample < flow->samples; sample++) {
        if (received_at(flow, sample) > 0)
            return fmax(warm_s, flow->at_s[sample]);
    }
    return warm_s;
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

/* Returns the share of a row's events that pass the subject's filter. */
static double passes_of(const struct ps_flow *flow, unsigned row)
{
    return flow->row_passes != NULL ? flow->row_passes[row] : flow->passes > 0 ? flow->passes : 1;
}

/* Returns the lowest delay between two times. `row` below `rows`; `rows` itself is the sum of all. */
static struct low lowest(const struct ps_flow *flow, unsigned row, double from_s, double to_s,
                         double lost_share)
{
    struct low low = {.delay_s = INFINITY};
    bool sum = row == flow->rows;
    double rate = 0;
    for (unsigned i = sum ? 0 : row; i < (sum ? flow->rows : row + 1); i++)
        rate += flow->rate * share_of(flow, i) * passes_of(flow, i);
    if (!(rate > 0))
        return low;
    for (unsigned sample = 0; sample < flow->samples; sample++) {
        double t = flow->at_s[sample], due = 0, received = 0;
        if (t < from_s || t > to_s)
            continue;
        for (unsigned i = sum ? 0 : row; i < (sum ? flow->rows : row + 1); i++) {
            due += due_of(flow, i, sample) * passes_of(flow, i);
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

/* Returns the lowest delay of the events that arrived between two times. */
static struct low lowest_delay(const struct ps_flow *flow, double from_s, double to_s)
{
    struct low low = {.delay_s = INFINITY};
    for (unsigned i = 0; i < flow->delays; i++)
        if (flow->delay_at_s[i] >= from_s && flow->delay_at_s[i] <= to_s && flow->delay_s[i] <= low.delay_s)
            low = (struct low){flow->delay_s[i], flow->delay_at_s[i], true};
    return low;
}

static struct row row_between(struct low begin, struct low end)
{
    if (!begin.known || !end.known || end.at_s <= begin.at_s)
        return (struct row){0};
    double growth_s = fmax(end.delay_s - begin.delay_s, 0);
    return (struct row){growth_s, growth_s / (end.at_s - begin.at_s), true};
}

static struct row row_of(const struct ps_flow *flow, unsigned row, double lost_share)
{
    double window_s = window_of(flow), warm_s = warm_of(flow);
    return row_between(lowest(flow, row, warm_s, warm_s + window_s, lost_share),
                       lowest(flow, row, flow->seconds - window_s, flow->seconds, lost_share));
}

/* Returns the same for all rows together, from the delays of the events that arrived. */
static struct row row_of_delays(const struct ps_flow *flow)
{
    double window_s = window_of(flow), warm_s = warm_of(flow);
    if (!flow->by_chance)
        return (struct row){0};
    return row_between(lowest_delay(flow, warm_s, warm_s + window_s),
                       lowest_delay(flow, flow->seconds - window_s, flow->seconds));
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

/* Returns how many events a second came from the end of the first delivery to the end of the last one, for a subject that
 * delivers in steps; 0: there were not two of them. */
static double came_in_steps(const struct ps_flow *flow)
{
    double begin_s = -1, end_s = -1, begin = 0, end = 0, passes = 0;
    for (unsigned sample = 1; sample + 1 < flow->samples && flow->at_s[sample] <= flow->seconds; sample++) {
        double before = received_at(flow, sample - 1), now = received_at(flow, sample);
        if (now <= before || received_at(flow, sample + 1) > now)
            continue;
        if (begin_s < 0) {
            begin_s = flow->at_s[sample];
            begin = now;
        }
        end_s = flow->at_s[sample];
        end = now;
    }
    for (unsigned row = 0; row < flow->rows; row++)
        passes += share_of(flow, row) * passes_of(flow, row);
    return end_s > begin_s && passes > 0 ? (end - begin) / (end_s - begin_s) / passes : 0;
}

static double goodput_of(const struct ps_flow *flow)
{
    double in_steps = flow->rhythm_s > 0 ? came_in_steps(flow) : 0;
    if (in_steps > 0)
        return fmin(in_steps, flow->rate);
    double window_s = window_of(flow), warm_s = warm_of(flow);
    double whole = came_between(flow, warm_s, flow->seconds, window_s);
    /* A subject that sags, or whose credit is used up, shows its rate at the end. */
    double late = came_between(flow, flow->seconds * LATE_SHARE, flow->seconds, window_s);
    return fmin(late < whole * (1 - LATE_CHANGE) ? late : whole, flow->rate);
}

/* Returns how many events a second came between two times. */
static double slope_of(const struct ps_flow *flow, double from_s, double to_s)
{
    double first = 0, last = 0, first_s = -1, last_s = -1;
    for (unsigned sample = 0; sample < flow->samples; sample++) {
        if (flow->at_s[sample] < from_s || flow->at_s[sample] > to_s)
            continue;
        last = received_at(flow, sample);
        last_s = flow->at_s[sample];
        if (first_s < 0) {
            first = last;
            first_s = last_s;
        }
    }
    return last_s > first_s ? (last - first) / (last_s - first_s) : 0;
}

/* Returns the longest time without an arrival between two times. */
static double silence_of(const struct ps_flow *flow, double from_s, double to_s)
{
    double before = -1, came_s = from_s, longest_s = 0;
    for (unsigned sample = 0; sample < flow->samples; sample++) {
        if (flow->at_s[sample] < from_s || flow->at_s[sample] > to_s)
            continue;
        double received = received_at(flow, sample);
        if (received > before)
            came_s = flow->at_s[sample];
        longest_s = fmax(longest_s, flow->at_s[sample] - came_s);
        before = received;
    }
    return longest_s;
}

/* Finds a burst that was saved up: more came at first than at the steady rate afterwards. A subject with a limit for
 * each period pauses after it: such a subject has no burst. */
static void burst_find(const struct ps_flow *flow, struct ps_flow_result *result)
{
    static const double begins[] = {0.4, 0.55, 0.7}; /* shares of the trial after which the burst has ended */
    double received = 0, passes = 0;
    for (unsigned sample = 0; sample < flow->samples && flow->at_s[sample] <= flow->seconds; sample++)
        received = received_at(flow, sample);
    for (unsigned row = 0; row < flow->rows; row++)
        passes += share_of(flow, row) * passes_of(flow, row);
    for (unsigned i = 0; i < PS_COUNT_OF(begins) && flow->rhythm_s <= 0 && passes > 0; i++) {
        double from_s = flow->seconds * begins[i], middle_s = (from_s + flow->seconds) / 2;
        double lasting = slope_of(flow, from_s, flow->seconds), burst = received - lasting * flow->seconds;
        double early = slope_of(flow, from_s, middle_s), late = slope_of(flow, middle_s, flow->seconds);
        if (!(late > 0) || fabs(early / late - 1) > BURST_STEADY || burst < BURST_LEAST * received ||
            silence_of(flow, from_s, flow->seconds) > BURST_SILENCE * (flow->seconds - from_s))
            continue;
        result->lasting = lasting / passes;
        result->burst = burst / passes;
        return;
    }
}

static double waiting_at_end(const struct ps_flow *flow)
{
    double waiting = 0;
    unsigned sample = flow->samples - 1;
    while (sample > 0 && flow->at_s[sample] > flow->seconds)
        sample--;
    for (unsigned row = 0; row < flow->rows; row++)
        waiting +=
            due_of(flow, row, sample) * passes_of(flow, row) - flow->received[row * flow->samples + sample];
    return fmax(waiting - flow->lost, 0);
}

/* Returns how much the number of events that passed a filter by chance wanders while the trial lasts, as a delay. `share`
 * of the events go by this way. */
static double chance_s(const struct ps_flow *flow, double share)
{
    if (!flow->by_chance || !(flow->passes > 0) || flow->passes >= 1 || !(share > 0))
        return 0;
    double events = flow->rate * share * flow->seconds;
    return CHANCE_SIGMAS * 0.5 * sqrt(events * (1 - flow->passes) / flow->passes) / (flow->rate * share);
}

void ps_flow_judge(const struct ps_flow *flow, struct ps_flow_result *result)
{
    *result = (struct ps_flow_result){.verdict = PS_FLOW_UNKNOWN};
    if (!(flow->rate > 0) || !(flow->seconds > 0) || flow->rows == 0 || flow->samples == 0)
        return;
    double expected = flow->rate * flow->seconds * (flow->passes > 0 ? flow->passes : 1);
    double lost_share = fmin(fmax(flow->lost, 0) / expected, 1);
    double allowed_s = ps_flow_allowed_s(flow->seconds, flow->stall_s) + RHYTHM_SHARE * flow->rhythm_s;
    struct row sum = row_of_delays(flow);
    bool by_delays = sum.known;
    if (!by_delays) {
        sum = row_of(flow, flow->rows, lost_share);
        allowed_s += chance_s(flow, 1);
    } else if (flow->rhythm_s > 0 && flow->passes > 0) { /* the youngest of a batch did not pass the filter */
        allowed_s += DELAY_EVENTS / (flow->rate * flow->passes);
    }
    struct row worst = sum;
    /* windows that overlap have the same lowest delay */
    bool untold = flow->rhythm_s > 0 && warm_of(flow) + 2 * window_of(flow) > flow->seconds;
    if (!sum.known) {
        result->verdict = untold ? PS_FLOW_UNTOLD : PS_FLOW_UNKNOWN;
        return;
    }
    for (unsigned row = 0; flow->rows > 1 && row < flow->rows; row++) {
        struct row one = share_of(flow, row) > 0 ? row_of(flow, row, lost_share) : (struct row){0};
        one.growth_s -= chance_s(flow, share_of(flow, row)); /* what chance does not explain */
        if (!one.known || one.growth_s <= worst.growth_s)
            continue;
        worst = one;
        result->connection = row;
    }
    result->on_its_way = waiting_at_end(flow);
    result->growth_s = worst.growth_s;
    result->growth = worst.growth;
    result->goodput = by_delays ? flow->rate * fmax(1 - sum.growth, 0) : goodput_of(flow);
    result->goodput_worst = fmin(flow->rate * fmax(1 - worst.growth, 0), result->goodput);
    if (sum.growth_s > allowed_s)
        result->verdict = PS_FLOW_BEHIND;
    else if (worst.growth_s > allowed_s)
        result->verdict = PS_FLOW_STARVED;
    else if (flow->latency_p99_s >
             fmax(fmax(SLOW_S, SLOW_SHARE * flow->seconds), SLOW_RHYTHM * flow->rhythm_s))
        result->verdict = PS_FLOW_SLOW;
    else
        result->verdict = PS_FLOW_LEVEL;
    if (untold)
        result->verdict = PS_FLOW_UNTOLD;
    if (result->verdict == PS_FLOW_BEHIND || flow->lost > 0)
        burst_find(flow, result);
    result->decisive = result->verdict != PS_FLOW_UNTOLD && worst.growth_s > DECISIVE * allowed_s;
}
