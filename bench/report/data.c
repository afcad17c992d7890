/* Implements data.h. */
#include "bench/report/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 1e18 /* larger numbers are not plausible as a count, a rate or a time in ns */

const char *const ps_quantile_names[PS_QUANTILES] = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};
const double ps_quantile_shares[PS_QUANTILES] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};

const char *ps_report_verdict_meaning(enum ps_trial_verdict verdict)
{
    static const char *const meanings[PS_VERDICTS] = {
        [PS_TRIAL_HELD] = "kept the goal",
        [PS_TRIAL_LOST] = "lost more than the goal allows",
        [PS_TRIAL_LATE] = "later than the goal allows, or a queue that grew",
        [PS_TRIAL_GENERATOR] = "the load was not offered: no result for the subject",
        [PS_TRIAL_FAILED] = "the trial could not be completed",
        [PS_TRIAL_UNTOLD] = "a first look, or shorter than the pipeline's rhythm: no result",
    };
    return meanings[verdict];
}

double ps_report_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double number = json_is_number(value) ? json_number_value(value) : (double)NAN;
    return fabs(number) <= NUMBER_MAX ? number : (double)NAN;
}

const char *ps_report_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const json_t *ps_report_array(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_array_size(value) ? value : NULL;
}

/* Counts, rates and times below zero are invalid: NaN. */
static double not_negative(const json_t *object, const char *key)
{
    double number = ps_report_number(object, key);
    return number >= 0 ? number : (double)NAN;
}

static enum ps_trial_verdict verdict_of(const char *name)
{
    for (unsigned index = 0; name && index < PS_VERDICTS; index++)
        if (!strcmp(name, ps_trial_verdict_text((enum ps_trial_verdict)index)))
            return (enum ps_trial_verdict)index;
    return PS_TRIAL_FAILED;
}

static void read_trial(struct ps_report_trial *trial, const json_t *json)
{
    const json_t *latency = json_object_get(json, "latency_ns");
    *trial = (struct ps_report_trial){
        .number = not_negative(json, "number"),
        .rate = not_negative(json, "rate"),
        .seconds = not_negative(json, "seconds"),
        .offered = not_negative(json, "offered"),
        .achieved_rate = not_negative(json, "achieved_rate"),
        .received = not_negative(json, "received"),
        .lost = not_negative(json, "lost"),
        .duplicated = not_negative(json, "duplicated"),
        .reordered = not_negative(json, "reordered"),
        .corrupted = not_negative(json, "corrupted"),
        .loss = not_negative(json, "loss"),
        .cpu_seconds = not_negative(json, "cpu_seconds"),
        .rss_bytes = not_negative(json, "rss_bytes"),
        .goal = ps_report_string(json, "goal"),
        .verdict_text = ps_report_string(json, "verdict"),
        .note = ps_report_string(json, "note"),
        .histogram = ps_report_array(json, "histogram"),
        .timeline = ps_report_array(json, "timeline"),
        .utilisation = ps_report_array(json, "utilisation"),
    };
    trial->verdict = verdict_of(trial->verdict_text);
    for (unsigned index = 0; index < PS_QUANTILES; index++)
        trial->latency_ns[index] = not_negative(latency, ps_quantile_names[index]);
}

static void read_goal(struct ps_report_goal *goal, const json_t *json)
{
    *goal = (struct ps_report_goal){
        .goal = ps_report_string(json, "goal"),
        .text = ps_report_string(json, "text"),
        .status = ps_report_string(json, "status"),
        .note = ps_report_string(json, "note"),
        .loss_max = not_negative(json, "loss_max"),
        .percentile = not_negative(json, "percentile"),
        .latency_limit_ns = not_negative(json, "latency_limit_ns"),
        .rate = not_negative(json, "rate"),
        .lower = not_negative(json, "lower"),
        .upper = not_negative(json, "upper"),
        .confidence = not_negative(json, "confidence"),
        .repeats = not_negative(json, "repeats"),
    };
    if (goal->percentile <= 1)
        goal->percentile *= 100;
}

bool ps_report_data_init(struct ps_report *report, const json_t *json)
{
    *report = (struct ps_report){.json = json};
    const json_t *goals = ps_report_array(json, "goals"), *trials = ps_report_array(json, "trials");
    size_t count = json_array_size(trials);
    if (count > PS_REPORT_TRIALS_MAX) {
        report->trials_left_out = count - PS_REPORT_TRIALS_MAX;
        count = PS_REPORT_TRIALS_MAX;
    }
    report->trials = calloc(count + 1, sizeof(*report->trials));
    if (!report->trials)
        return false;
    for (size_t index = 0; index < json_array_size(goals) && index < PS_REPORT_GOALS_MAX; index++)
        if (json_is_object(json_array_get(goals, index)))
            read_goal(&report->goals[report->goal_count++], json_array_get(goals, index));
    for (size_t index = 0; index < count; index++)
        if (json_is_object(json_array_get(trials, index)))
            read_trial(&report->trials[report->trial_count++], json_array_get(trials, index));
    return true;
}

void ps_report_data_fini(struct ps_report *report)
{
    free(report->trials);
    *report = (struct ps_report){0};
}

const struct ps_report_goal *ps_report_answer(const struct ps_report *report)
{
    for (size_t index = 0; index < report->goal_count; index++)
        if (report->goals[index].rate > 0)
            return &report->goals[index];
    return NULL;
}

const struct ps_report_trial *ps_report_trial_at(const struct ps_report *report, double rate)
{
    const struct ps_report_trial *best = NULL;
    for (size_t index = 0; index < report->trial_count; index++) {
        const struct ps_report_trial *trial = &report->trials[index];
        if (trial->verdict == PS_TRIAL_HELD && trial->rate <= rate * 1.01 &&
            (!best || trial->rate >= best->rate))
            best = trial;
    }
    return best;
}
