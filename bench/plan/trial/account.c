/* Combines the reports of load, verify and the agent about one trial. Nothing here waits or measures. */
#include "bench/plan/trial/trial.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENERATOR_LATE_S 0.05     /* if later than this, the generator did not keep up */
#define GENERATOR_LATE_SHARE 0.02 /* of the trial's length */

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static bool is_summary(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL && strcmp(type, "summary") == 0;
}

/* ---- the timeline ---- */

/* Returns the timeline's object for the step that ends at `t` (a line of progress reports the time before it); creates
 * it when missing. */
static json_t *step_of(struct ps_trial *trial, double t)
{
    if (trial->json.timeline == NULL)
        trial->json.timeline = json_array();
    size_t step = t > PS_TRIAL_STEP_S ? (size_t)(t / PS_TRIAL_STEP_S - 0.5) : 0;
    if (step > 100000)
        return NULL;
    while (json_array_size(trial->json.timeline) <= step)
        json_array_append_new(trial->json.timeline,
                              json_pack("{s:f,s:b}", "t",
                                        ((double)json_array_size(trial->json.timeline) + 1) * PS_TRIAL_STEP_S,
                                        "outage", 0));
    return json_array_get(trial->json.timeline, step);
}

void ps_trial_take_load_step(struct ps_trial *trial, double t, const json_t *progress)
{
    json_t *step = step_of(trial, t);
    json_object_set_new(step, "offered", json_real(number(progress, "asked")));
    json_object_set_new(step, "completed", json_real(number(progress, "rate")));
    json_object_set_new(step, "backlog", json_real(number(progress, "backlog")));
    json_object_set_new(step, "outage", json_boolean(json_is_true(json_object_get(progress, "outage"))));
    if (!trial->uneven)
        return;
    if (trial->json.due == NULL)
        trial->json.due = json_array();
    json_array_append_new(trial->json.due, json_pack("[f,f]", t, number(progress, "due")));
}

void ps_trial_take_delivered(struct ps_trial *trial, double unix_ns, double delivered)
{
    if (trial->json.delivered == NULL)
        trial->json.delivered = json_array();
    json_array_append_new(trial->json.delivered, json_pack("[f,f]", unix_ns, delivered));
}

void ps_trial_take_verify_step(struct ps_trial *trial, double t, const json_t *progress)
{
    const json_t *latency = json_object_get(progress, "latency_ns");
    if (t < PS_TRIAL_STEP_S / 2)
        return; /* before the load began */
    json_t *step = step_of(trial, t);
    json_object_set_new(step, "received", json_real(number(progress, "rate")));
    if (number(progress, "rate") <= 0)
        return;
    json_object_set_new(step, "latency_p0_ns", json_real(number(latency, "p0")));
    json_object_set_new(step, "latency_p50_ns", json_real(number(latency, "p50")));
    json_object_set_new(step, "latency_p99_ns", json_real(number(latency, "p99")));
}

void ps_trial_take_fills(struct ps_trial *trial, double t, const struct ps_scrape *scrape)
{
    json_t *step = step_of(trial, t + PS_TRIAL_STEP_S / 2), *fills = json_object();
    for (unsigned i = 0; i < scrape->count; i++) {
        const struct ps_scrape_sample *sample = &scrape->samples[i];
        char channel[64];
        if (strcmp(sample->name, "penstock_channel_size_events") != 0 ||
            !ps_scrape_label(sample, "component", channel, sizeof channel))
            continue;
        double capacity = ps_scrape_value(scrape, "penstock_channel_capacity_events", sample->labels, 0);
        if (capacity > 0)
            json_object_set_new(fills, channel, json_real(sample->value / capacity));
    }
    json_object_set_new(step, "fill", fills);
}

/* ---- summaries ---- */

bool ps_trial_take_load(struct ps_trial *trial, const json_t *summary)
{
    if (!is_summary(summary))
        return false;
    double seconds = number(summary, "seconds"), failed = number(summary, "failed");
    trial->offered = number(summary, "due");
    trial->sent = number(summary, "completed") + failed;
    trial->achieved_rate = number(summary, "achieved_rate");
    trial->schedule_error_p90_ns = number(json_object_get(summary, "schedule_error_ns"), "p90");
    trial->schedule_error_p99_ns = number(json_object_get(summary, "schedule_error_ns"), "p99");
    trial->interrupted = json_is_true(json_object_get(summary, "interrupted"));
    if (trial->sent > failed)
        trial->event_bytes = number(summary, "bytes") / (trial->sent - failed);
    trial->goodput = trial->achieved_rate;
    /* Events that were due and not accepted in time also form a queue, inside the generator. */
    trial->shortfall = trial->rate > 0 ? 1 - trial->achieved_rate / trial->rate : 0;
    trial->bunched = number(summary, "schedule_late");
    trial->start_unix_ns = number(summary, "start_unix_ns");
    trial->connections = (unsigned)fmin(fmax(number(summary, "sources"), 0), 1U << 24);
    double late_s = trial->schedule_error_p99_ns / 1e9;
    trial->generator_held =
        late_s <= fmax(GENERATOR_LATE_S, GENERATOR_LATE_SHARE * seconds) || trial->shortfall <= 0.001;
    trial->refused = failed;
    if (number(summary, "clock_step_ms") > 10 || number(summary, "clock_step_ms") < -10)
        snprintf(trial->note, sizeof trial->note, "the clock was moved %s by %s",
                 number(summary, "clock_step_ms") < 0 ? "back" : "forward",
                 ps_quantity_print_s(fabs(number(summary, "clock_step_ms")) / 1e3).text);
    trial->json.latency = json_deep_copy(json_object_get(summary, "latency_ns"));
    return trial->offered > 0;
}

double ps_trial_percentile(const json_t *histogram, double percentile)
{
    double total = 0, sum = 0, value = 0;
    size_t at;
    const json_t *pair;
    json_array_foreach(histogram, at, pair) total += json_number_value(json_array_get(pair, 1));
    json_array_foreach(histogram, at, pair)
    {
        sum += json_number_value(json_array_get(pair, 1));
        value = json_number_value(json_array_get(pair, 0));
        if (sum >= total * percentile / 100 * (1 - 1e-12))
            break;
    }
    return value;
}

static void account(struct ps_trial *trial, double received)
{
    trial->received = received;
    double passes = trial->passes > 0 ? trial->passes : 1, passed = trial->sent * passes;
    trial->lost = fmax(trial->refused, passed - received);
    trial->loss = passed > 0 ? trial->lost / passed : 0;
    /* With a filter the share is too inexact for this; ps_search_filter() lowers the goodput when events were lost. */
    if (trial->seconds > 0 && passes >= 1)
        trial->goodput = fmin(trial->goodput, received / trial->seconds);
}

bool ps_trial_take_verify(struct ps_trial *trial, const json_t *summary, const struct ps_goal *goals,
                          unsigned goal_count)
{
    if (!is_summary(summary))
        return false;
    const char *lossy = json_string_value(json_object_get(summary, "lossy_far_end"));
    trial->duplicated = number(summary, "duplicated");
    trial->reordered = number(summary, "reordered");
    trial->corrupted = number(summary, "corrupted") + number(summary, "cut") + number(summary, "broken");
    account(trial, number(summary, "received"));
    trial->lossy = lossy != NULL;
    if (lossy != NULL)
        snprintf(trial->note, sizeof trial->note, "%.150s", lossy);
    json_decref(trial->json.latency);
    trial->json.latency = json_deep_copy(json_object_get(summary, "latency_ns"));
    trial->json.histogram = json_deep_copy(json_object_get(summary, "histogram"));
    trial->json.arrivals = json_incref(json_object_get(summary, "arrivals"));
    for (unsigned i = 0; i < goal_count; i++)
        if (goals[i].percentile > 0)
            trial->latency_ns[i] = ps_trial_percentile(trial->json.histogram, goals[i].percentile);
    return true;
}

void ps_trial_take_counters(struct ps_trial *trial, double delivered)
{
    size_t length = strlen(trial->note);
    account(trial, delivered);
    /* load's own latencies end when the target accepted the event: they are not the pipeline's */
    if (!trial->lossy) {
        json_decref(trial->json.latency);
        trial->json.latency = NULL;
    }
    if (trial->lossy)
        snprintf(trial->note + length, sizeof trial->note - length,
                 "; so the agent's own counters tell the number of delivered events");
}

void ps_trial_answer(const struct ps_trial *trial, const struct ps_goal *goals, unsigned goal_count,
                     struct ps_search_answer *answer)
{
    *answer = (struct ps_search_answer){
        .sent = trial->sent,
        .received = trial->received,
        .lost = trial->lost,
        .bunched = trial->bunched,
        .behind = trial->behind,
        .untold = trial->untold,
        .rhythm_s = trial->rhythm_s,
        .silent_s = trial->silent_s,
        .decisive = trial->flow.decisive,
        .goodput = trial->goodput,
        .goodput_worst = trial->goodput_worst,
        .lasting = trial->flow.lasting,
        .burst = trial->flow.burst,
        .generator_held = trial->generator_held,
        .failed = trial->failed,
        .cost_s = trial->cost_s,
    };
    for (unsigned i = 0; i < goal_count; i++) {
        answer->latency_ns[i] = trial->latency_ns[i];
        /* The generator itself was late by more than half of the goal's limit. */
        answer->generator_late[i] =
            goals[i].percentile > 0 && trial->schedule_error_p99_ns > (double)goals[i].latency_limit_ns / 2;
    }
}

void ps_trial_fini(struct ps_trial *trial)
{
    json_decref(trial->json.latency);
    json_decref(trial->json.histogram);
    json_decref(trial->json.timeline);
    json_decref(trial->json.arrivals);
    json_decref(trial->json.delivered);
    json_decref(trial->json.due);
    trial->json.latency = trial->json.histogram = trial->json.timeline = NULL;
    trial->json.arrivals = trial->json.delivered = trial->json.due = NULL;
}
