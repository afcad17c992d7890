/* Reads a plan's result document for the report's sections: numbers that are missing or of another type
 * become NaN, texts NULL, lists empty. The document is untrusted: it may come from elsewhere.
 *
 * Thread: any; constant once read. Borrows from the document. */
#pragma once

#include "bench/plan/search/search.h"

#include <jansson.h>

#define PS_REPORT_GOALS_MAX 12U
#define PS_REPORT_TRIALS_MAX 1000U
#define PS_REPORT_ITEMS_MAX 64U /* in any inner list: limits, scaling points, assumptions */

#define PS_VERDICTS ((unsigned)PS_TRIAL_VERDICTS)

/* Returns the explanation of a verdict for the page. */
const char *ps_report_verdict_meaning(enum ps_trial_verdict verdict);

enum ps_quantile { PS_P50, PS_P90, PS_P99, PS_P999, PS_P9999, PS_MAX };
#define PS_QUANTILES 6U
extern const char *const ps_quantile_names[PS_QUANTILES];
extern const double ps_quantile_shares[PS_QUANTILES]; /* 0.5 ... 1 */

struct ps_report_trial {
    double number, rate, seconds, offered, achieved_rate, received, lost, duplicated, reordered, corrupted,
        loss;
    double latency_ns[PS_QUANTILES];
    double cpu_seconds, rss_bytes;
    const char *goal, *verdict_text, *note;
    enum ps_trial_verdict verdict;
    const json_t *histogram, *timeline, *utilisation; /* NULL when missing or empty */
};

struct ps_report_goal {
    const char *goal, *text, *status, *note;
    double loss_max, percentile, latency_limit_ns; /* percentile: 0 to 100 */
    double rate, lower, upper, confidence, repeats;
};

struct ps_report {
    const json_t *json;
    struct ps_report_goal goals[PS_REPORT_GOALS_MAX];
    size_t goal_count;
    struct ps_report_trial *trials; /* in the order of the document */
    size_t trial_count;
    size_t trials_left_out; /* number of trials above PS_REPORT_TRIALS_MAX */
};

/* Returns false when there is no memory. `json` may be anything. Owns: ps_report_data_fini. */
bool ps_report_data_init(struct ps_report *report, const json_t *json);
void ps_report_data_fini(struct ps_report *report);

double ps_report_number(const json_t *object, const char *key);
const char *ps_report_string(const json_t *object, const char *key);
/* Returns the array of this key, or NULL when the value is not an array or is empty. */
const json_t *ps_report_array(const json_t *object, const char *key);

/* Returns the first goal whose rate is known, or NULL. */
const struct ps_report_goal *ps_report_answer(const struct ps_report *report);
/* Returns the held trial with the highest rate up to `rate` (plus one percent); the latest of several. NULL:
 * none. */
const struct ps_report_trial *ps_report_trial_at(const struct ps_report *report, double rate);
