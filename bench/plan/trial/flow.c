/* Makes a trial's observations from what load, verify and the agent's counters recorded, and judges them. */
#include "bench/plan/flow.h"
#include "bench/plan/trial/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 100000U
#define NOW_AND_THEN 3.0 /* smallest ratio of p99 to p90 of the generator's lateness */
/* without arrivals, the rate was not held if the target accepted less than the rate by this share */
#define RHYTHM_LEAST_S 0.3 /* shorter silences are pauses, for which the windows are long enough */
#define ALL_SENT 0.999
#define RHYTHM_EVENTS 8.0 /* so are silences of less than this many events */
#define SHORTFALL_LEAST 0.015

struct samples {
    double *at_s, *received;
    unsigned rows, count;
};

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static void samples_init(struct samples *samples, unsigned rows, unsigned count)
{
    *samples = (struct samples){.rows = rows, .count = count};
    samples->at_s = ps_must_alloc(count, sizeof *samples->at_s, "the samples of a trial");
    samples->received =
        ps_must_alloc((size_t)rows * count, sizeof *samples->received, "the samples of a trial");
}

static void samples_fini(struct samples *samples)
{
    free(samples->at_s);
    free(samples->received);
}

/* Makes samples from verify's arrivals: one at the end of each step, from the start of the schedule to its end, also
 * where nothing arrived. Returns false when the arrivals are not known. */
static bool from_arrivals(const struct ps_trial *trial, struct samples *samples)
{
    const json_t *rows = json_object_get(trial->json.arrivals, "received");
    double step_s = number(trial->json.arrivals, "step_ns") / 1e9;
    double first_s = (number(trial->json.arrivals, "start_unix_ns") - trial->start_unix_ns) / 1e9;
    if (!json_is_array(rows) || !(step_s > 0) || trial->start_unix_ns <= 0 || trial->connections == 0)
        return false;
    if (json_array_size(rows) == 0)
        first_s = 0; /* nothing arrived */
    double begin = floor(-first_s / step_s) - 1, end = ceil((trial->seconds - first_s) / step_s) + 1;
    if (!(end - begin < SAMPLES_MAX))
        return false;
    samples_init(samples, trial->connections < PS_FLOW_ROWS_MAX ? trial->connections : PS_FLOW_ROWS_MAX,
                 (unsigned)(end - begin));
    for (unsigned i = 0; i < samples->count; i++)
        samples->at_s[i] = first_s + (begin + i + 1) * step_s;
    for (unsigned row = 0; row < samples->rows; row++) {
        const json_t *counts = json_array_get(rows, row);
        double sum = 0;
        /* these arrived before the schedule began: the clocks differ */
        for (double step = 0; step < begin; step++)
            sum += json_number_value(json_array_get(counts, (size_t)step));
        for (unsigned i = 0; i < samples->count; i++) {
            double step = begin + i;
            sum += step >= 0 ? json_number_value(json_array_get(counts, (size_t)step)) : 0;
            samples->received[row * samples->count + i] = sum;
        }
    }
    return true;
}

/* Makes samples from the agent's counters, which give only the sum. */
static bool from_counters(const struct ps_trial *trial, struct samples *samples)
{
    unsigned count = (unsigned)json_array_size(trial->json.delivered);
    if (count == 0 || count > SAMPLES_MAX || trial->start_unix_ns <= 0)
        return false;
    samples_init(samples, 1, count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *pair = json_array_get(trial->json.delivered, i);
        samples->at_s[i] = (json_number_value(json_array_get(pair, 0)) - trial->start_unix_ns) / 1e9;
        samples->received[i] = json_number_value(json_array_get(pair, 1));
    }
    return true;
}

/* Returns the number of events that were due at a time, interpolated from load's steps: for rates that are not
 * constant. */
static double due_at(const struct ps_trial *trial, double t)
{
    double before_s = 0, before = 0;
    size_t at;
    const json_t *pair;
    json_array_foreach(trial->json.due, at, pair)
    {
        double end_s = json_number_value(json_array_get(pair, 0));
        double due = json_number_value(json_array_get(pair, 1));
        if (end_s >= t)
            return t <= before_s ? before : before + (due - before) * (t - before_s) / (end_s - before_s);
        before_s = end_s;
        before = due;
    }
    return before;
}

/* Returns how long the machine stopped the generator: it was late for a short time, and on time in between. */
static double stall_of(const struct ps_trial *trial)
{
    bool now_and_then = trial->schedule_error_p90_ns < trial->schedule_error_p99_ns / NOW_AND_THEN;
    return now_and_then ? trial->schedule_error_p99_ns / 1e9 : 0;
}

/* ---- the rhythm ---- */

struct rhythm {
    double last_s, longest_s; /* the last delivery; the longest silence that began while the schedule ran */
    bool came;
};

static void rhythm_add(struct rhythm *rhythm, const struct ps_trial *trial, double t, double received)
{
    if (!(received > 0) || t < 0)
        return;
    if (rhythm->last_s < trial->seconds)
        rhythm->longest_s = fmax(rhythm->longest_s, t - rhythm->last_s);
    rhythm->last_s = t;
    rhythm->came = true;
}

/* Returns a silence, when it is longer than a prompt subject's at this rate; otherwise 0. */
static double silence_of(double silence_s, const struct ps_trial *trial)
{
    double between_s = 1 / (trial->rate * (trial->passes > 0 ? trial->passes : 1));
    return silence_s < RHYTHM_LEAST_S || silence_s < RHYTHM_EVENTS * between_s ? 0 : silence_s;
}

/* Sets the longest silence between two deliveries, and the silence at the end of the schedule that no delivery ended. */
static void rhythm_end(const struct rhythm *rhythm, struct ps_trial *trial)
{
    trial->rhythm_s = rhythm->came ? silence_of(rhythm->longest_s, trial) : 0;
    trial->silent_s = silence_of(trial->seconds - rhythm->last_s, trial);
}

/* The deliveries after the schedule count, too: they end the silence that began before. */
static void rhythm_of_arrivals(struct ps_trial *trial)
{
    const json_t *rows = json_object_get(trial->json.arrivals, "received");
    double step_s = number(trial->json.arrivals, "step_ns") / 1e9;
    double first_s = (number(trial->json.arrivals, "start_unix_ns") - trial->start_unix_ns) / 1e9;
    struct rhythm rhythm = {0};
    size_t steps = 0;
    for (size_t row = 0; row < json_array_size(rows); row++) {
        size_t length = json_array_size(json_array_get(rows, row));
        steps = length > steps ? length : steps;
    }
    for (size_t step = 0; step < steps; step++) {
        double received = 0;
        for (size_t row = 0; row < json_array_size(rows); row++)
            received += json_number_value(json_array_get(json_array_get(rows, row), step));
        rhythm_add(&rhythm, trial, first_s + (double)(step + 1) * step_s, received);
    }
    rhythm_end(&rhythm, trial);
}

static void rhythm_of_counters(struct ps_trial *trial)
{
    struct rhythm rhythm = {0};
    double before = 0;
    size_t index;
    const json_t *pair;
    json_array_foreach(trial->json.delivered, index, pair)
    {
        double received = json_number_value(json_array_get(pair, 1));
        rhythm_add(&rhythm, trial, (json_number_value(json_array_get(pair, 0)) - trial->start_unix_ns) / 1e9,
                   received - before);
        before = received;
    }
    rhythm_end(&rhythm, trial);
}

/* Sets each row's share of events that pass the filter, which may keep all events of one connection and none of another.
 * The share is what arrived in the end of what was sent in this trial: the share that the looks and other trials showed
 * comes from few events and has an error, by which the rate would be wrong. ps_search_filter() uses it for losses. */
static void row_passes_fill(const struct ps_trial *trial, const struct samples *samples, double *passes)
{
    const json_t *rows = json_object_get(trial->json.arrivals, "received");
    double due = trial->rate * trial->seconds / samples->rows;
    if (trial->sent < trial->offered * ALL_SENT)
        due *= trial->sent / trial->offered;
    for (unsigned row = 0; row < samples->rows; row++) {
        double received = trial->received;
        size_t step;
        const json_t *count;
        if (rows != NULL) {
            received = 0;
            json_array_foreach(json_array_get(rows, row), step, count) received += json_number_value(count);
        }
        passes[row] = due > 0 ? fmin(received / due, 1) : 0;
    }
}

/* Takes from the timeline how late the youngest event of each step came: it did not wait for a batch. Returns the number of
 * steps in which events came. */
static unsigned delays_fill(const struct ps_trial *trial, double *at_s, double *delay_s)
{
    static const char key[] = "latency_p0_ns";
    unsigned count = 0;
    size_t index;
    const json_t *step;
    json_array_foreach(trial->json.timeline, index, step)
    {
        if (!json_is_number(json_object_get(step, key)))
            continue;
        at_s[count] = number(step, "t");
        delay_s[count++] = number(step, key) / 1e9;
    }
    return count;
}

/* ---- the verdict ---- */

static void judge(struct ps_trial *trial, const struct samples *samples)
{
    double *due = NULL, *row_passes = NULL;
    size_t steps = trial->by_chance ? json_array_size(trial->json.timeline) : 0;
    double *delay_at_s = ps_must_alloc(steps + 1, sizeof *delay_at_s, "the delays of a trial");
    double *delay_s = ps_must_alloc(steps + 1, sizeof *delay_s, "the delays of a trial");
    if (trial->passes > 0 && trial->passes < 1) {
        row_passes = ps_must_alloc(samples->rows, sizeof *row_passes, "the samples of a trial");
        row_passes_fill(trial, samples, row_passes);
    }
    if (trial->uneven) {
        due = ps_must_alloc(samples->count, sizeof *due, "the samples of a trial");
        for (unsigned i = 0; i < samples->count; i++)
            due[i] = due_at(trial, samples->at_s[i]);
    }
    const struct ps_flow flow = {
        .rate = trial->rate,
        .seconds = trial->seconds,
        .connections = samples->rows == 1 ? 1 : trial->connections,
        .rows = samples->rows,
        .samples = samples->count,
        .at_s = samples->at_s,
        .received = samples->received,
        .due = due,
        .lost = row_passes != NULL ? 0 : trial->lost,
        .passes = trial->passes,
        .by_chance = trial->by_chance,
        .row_passes = row_passes,
        .delays = steps > 0 ? delays_fill(trial, delay_at_s, delay_s) : 0,
        .delay_at_s = delay_at_s,
        .delay_s = delay_s,
        .rhythm_s = trial->rhythm_s,
        .stall_s = stall_of(trial),
        .latency_p99_s = number(trial->json.latency, "p99") / 1e9,
    };
    ps_flow_judge(&flow, &trial->flow);
    free(due);
    free(row_passes);
    free(delay_at_s);
    free(delay_s);
}

void ps_trial_conclude(struct ps_trial *trial)
{
    struct samples samples;
    if (trial->start_unix_ns > 0 && trial->json.arrivals != NULL)
        rhythm_of_arrivals(trial);
    else if (trial->start_unix_ns > 0)
        rhythm_of_counters(trial);
    if (from_arrivals(trial, &samples) || from_counters(trial, &samples)) {
        judge(trial, &samples);
        samples_fini(&samples);
    }
    struct ps_flow_result *flow = &trial->flow;
    if (flow->verdict == PS_FLOW_UNKNOWN) { /* only what the target accepted is known */
        trial->behind = trial->shortfall > SHORTFALL_LEAST;
        trial->growth = fmax(trial->shortfall, 0);
        trial->goodput_worst = trial->goodput;
        return;
    }
    trial->behind = flow->verdict != PS_FLOW_LEVEL;
    trial->untold = flow->verdict == PS_FLOW_UNTOLD;
    trial->growth = flow->growth;
    if (flow->goodput > 0)
        trial->goodput = fmin(trial->goodput, flow->goodput);
    trial->goodput_worst = fmin(trial->goodput, flow->goodput_worst);
    /* If the generator itself was late by half of the delay's growth or more, the trial tells nothing about the
     * subject. If all events arrived in time, it does not matter that the generator was late. */
    double late_s = flow->verdict == PS_FLOW_SLOW ? number(trial->json.latency, "p99") / 1e9 : flow->growth_s;
    trial->generator_held =
        !trial->behind || trial->untold || trial->schedule_error_p90_ns / 1e9 < late_s / 2;
}
