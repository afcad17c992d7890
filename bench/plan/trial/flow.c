/* Makes a trial's observations from what load, verify and the agent's counters recorded, and judges them. */
#include "bench/plan/flow.h"
#include "bench/plan/trial/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 100000U
#define NOW_AND_THEN 3.0 /* smallest ratio of p99 to p90 of the generator's lateness */
/* without arrivals, the rate was not held if the target accepted less than the rate by this share */
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

static void judge(struct ps_trial *trial, const struct samples *samples)
{
    double *due = NULL;
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
        .lost = trial->lost,
        .stall_s = stall_of(trial),
        .latency_p99_s = number(trial->json.latency, "p99") / 1e9,
    };
    ps_flow_judge(&flow, &trial->flow);
    free(due);
}

void ps_trial_conclude(struct ps_trial *trial)
{
    struct samples samples;
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
    trial->growth = flow->growth;
    if (flow->goodput > 0)
        trial->goodput = fmin(trial->goodput, flow->goodput);
    trial->goodput_worst = fmin(trial->goodput, flow->goodput_worst);
    /* If the generator itself was late by half of the delay's growth or more, the trial tells nothing about the
     * subject. If all events arrived in time, it does not matter that the generator was late. */
    trial->generator_held = !trial->behind || trial->schedule_error_p90_ns / 1e9 < flow->growth_s / 2;
}
