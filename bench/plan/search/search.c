/* Chooses the next trial. The search has three levels: short single trials find the range, longer trials
 * narrow it, and repeated full-length trials confirm both ends. */
#include "bench/plan/search/search_internal.h"

#include <math.h>
#include <stdlib.h>

#define FIRST_STEP 4.0    /* factor by which the first trials raise the rate */
#define LONG_SHARE 7.5    /* a goal's time is enough for this number of full trials */
#define MIDDLE_SHARE 4.0  /* a full trial takes as long as this number of trials that narrow the range */
#define SHORT_SHARE 16.0  /* or as this number of trials that find the range */
#define SHORT_LEAST_S 1.0 /* a shorter trial would see half a batch or half a pause */

struct ps_search *ps_search_create(const struct ps_search_config *config)
{
    PS_ASSERT(config->goal_count > 0 && config->goal_count <= PS_GOALS_MAX);
    PS_ASSERT(config->rate_min > 0 && config->rate_max >= config->rate_min && config->precision > 0);
    struct ps_search *search = ps_must_alloc(1, sizeof *search, "a search");
    search->config = *config;
    struct ps_search_config *own = &search->config;
    if (own->repeats == 0)
        own->repeats = 2;
    if (own->repeats_max == 0)
        own->repeats_max = 5;
    if (own->confidence == 0)
        own->confidence = 0.95;
    if (own->rate_first == 0)
        own->rate_first = own->rate_min;
    own->rate_first = fmin(fmax(own->rate_first, own->rate_min), own->rate_max);
    if (own->long_s == 0)
        own->long_s = fmin(fmax(own->budget_s / own->goal_count / LONG_SHARE, 0.5), 30);
    double middle_s = fmin(fmax(own->long_s / MIDDLE_SHARE, SHORT_LEAST_S), own->long_s);
    double short_s = fmin(fmax(own->long_s / SHORT_SHARE, SHORT_LEAST_S), own->long_s);
    search->levels[0] = (struct ps_search_level){short_s, own->precision * 8, 2};
    search->levels[1] = (struct ps_search_level){middle_s, own->precision, 1};
    search->levels[2] = (struct ps_search_level){own->long_s, own->precision, own->repeats};
    search->overhead_s = own->long_s / 4;
    return search;
}

void ps_search_destroy(struct ps_search *search)
{
    free(search);
}

/* Rounds a rate to four digits, within the range. */
static double round_rate(const struct ps_search *search, double rate)
{
    double unit = pow(10, floor(log10(rate)) - 3);
    rate = round(rate / unit) * unit;
    return fmin(fmax(rate, search->config.rate_min), search->config.rate_max);
}

/* Chooses a rate between two ends: next to the hint if there is one, first just below, then just above; otherwise in
 * the middle. The rate that all connections received together is too high a hint when one connection has a limit of
 * its own: after following that hint in vain, the search tries the rate that the worst connection would hold. */
static double inside(const struct ps_search *search, unsigned goal, const struct ps_search_bounds *bounds,
                     double width)
{
    struct ps_search_hint hint = ps_search_hint(search, goal, bounds->upper);
    /* a little less than half of the width, so that rounding cannot make the interval too wide */
    double half = pow(1 + width, 0.48);
    double hints[] = {hint.refuted && hint.worst > 0 ? hint.worst : hint.goodput, hint.goodput};
    for (unsigned i = 0; i < PS_COUNT_OF(hints); i++) {
        double below = hints[i] / half, above = hints[i] * half;
        if (below > bounds->lower * half && below * half < bounds->upper)
            return below;
        if (hints[i] > bounds->lower && above * half < bounds->upper && above > bounds->lower)
            return above;
    }
    /* The rate just above the hint was held as well: tries the next rate above it. */
    if (hint.goodput > 0 && hint.goodput < bounds->lower * half &&
        bounds->lower < hint.goodput * (1 + 2 * width) && bounds->lower * half * half < bounds->upper)
        return bounds->lower * half * half;
    return sqrt(bounds->lower * bounds->upper);
}

/* Chooses a rate when this level has only an upper end. Returns the previous level's lower end, unless the throughput
 * at the upper end shows that this rate is too high (for a subject that sags in a longer trial). */
static double below(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                    double upper, double before_lower, double stretch)
{
    double hint = ps_search_hint(search, goal, upper).goodput / sqrt(1 + level->width);
    bool hinted = hint > search->config.rate_min && hint < upper / sqrt(1 + level->width);
    if (before_lower > 0 && before_lower < upper && !(hinted && hint < before_lower))
        return before_lower;
    return round_rate(search, hinted ? hint : upper / stretch);
}

/* Returns the rate of the trial that this level needs next; 0: the level is finished. `before` are the bounds
 * of the previous level, where the search begins. */
static double step(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                   const struct ps_search_bounds *before, const struct ps_search_bounds *now)
{
    const struct ps_search_config *config = &search->config;
    double lower = now->lower, upper = now->upper, stretch = (1 + level->width) * (1 + level->width);
    if (level == &search->levels[0])
        stretch = FIRST_STEP;
    if (now->open > 0)
        return now->open;
    /* A wide interval from shorter trials is narrowed by trying rates between its ends; the ends themselves are not
     * tried again. */
    struct ps_search_bounds wide = {lower > 0 ? lower : before->lower, upper > 0 ? upper : before->upper, 0,
                                    false};
    if ((lower == 0 || upper == 0) && before->lower > 0 && before->upper > 0 && wide.lower < wide.upper &&
        wide.upper > wide.lower * stretch) {
        double rate = round_rate(search, inside(search, goal, &wide, level->width));
        if (rate > wide.lower && rate < wide.upper)
            return rate;
    }
    if (lower == 0 && upper == 0)
        return before->lower > 0 ? before->lower : before->upper > 0 ? before->upper : config->rate_first;
    if (upper == 0) {
        if (lower >= config->rate_max)
            return 0;
        return before->upper > lower ? before->upper : round_rate(search, lower * stretch);
    }
    if (lower == 0)
        return upper <= config->rate_min ? 0 : below(search, goal, level, upper, before->lower, stretch);
    if (upper <= lower * (1 + level->width))
        return 0;
    double rate = round_rate(search, inside(search, goal, now, level->width));
    return rate > lower && rate < upper ? rate : 0; /* 0: no representable rate lies between both ends */
}

/* Returns the trial for the first level that is not finished for this goal. */
static bool advance(struct ps_search *search, unsigned goal, unsigned level_count, struct ps_search_ask *ask)
{
    struct ps_search_bounds before = {0}, now;
    /* Shorter trials do not go above a rate that full trials showed to be too high. */
    ps_search_bound(search, goal, &search->levels[PS_SEARCH_LEVELS - 1], &now);
    unsigned first = now.upper > 0 ? PS_SEARCH_LEVELS - 1 : 0;
    for (unsigned i = 0; i < level_count; i++) {
        const struct ps_search_level *level = &search->levels[i];
        ps_search_bound(search, goal, level, &now);
        if (i < first) {
            before = now;
            continue;
        }
        double rate = step(search, goal, level, &before, &now);
        if (rate > 0) {
            *ask = (struct ps_search_ask){rate, level->seconds, goal};
            return true;
        }
        before = now;
    }
    return false;
}

/* When both ends are confirmed: repeats the trial at the end that has fewer trials, to raise the
 * confidence. */
static bool confirm(struct ps_search *search, unsigned goal, struct ps_search_ask *ask)
{
    const struct ps_search_level *last = &search->levels[PS_SEARCH_LEVELS - 1];
    struct ps_search_figure figure;
    ps_search_figure(search, goal, &figure);
    if (figure.lower == 0 || figure.upper == 0 || figure.confidence >= search->config.confidence)
        return false;
    unsigned at_lower = ps_search_repeats(search, last, figure.lower);
    unsigned at_upper = ps_search_repeats(search, last, figure.upper);
    if (at_lower >= search->config.repeats_max && at_upper >= search->config.repeats_max)
        return false;
    *ask = (struct ps_search_ask){at_upper < at_lower ? figure.upper : figure.lower, last->seconds, goal};
    return true;
}

/* Handles the coarse levels of all goals first, because they share their trials. */
static bool choose(struct ps_search *search, struct ps_search_ask *ask)
{
    for (unsigned levels = 1; levels <= PS_SEARCH_LEVELS; levels++)
        for (unsigned goal = 0; goal < search->config.goal_count; goal++)
            if (advance(search, goal, levels, ask))
                return true;
    for (unsigned goal = 0; goal < search->config.goal_count; goal++)
        if (confirm(search, goal, ask))
            return true;
    return false;
}

bool ps_search_next(struct ps_search *search, struct ps_search_ask *ask)
{
    if (search->out_of_time || search->failed_in_a_row >= 3 || search->trial_count == PS_SEARCH_TRIALS_MAX)
        return false;
    if (!search->asked) {
        if (!ps_search_look(search, &search->ask)) {
            if (search->looks.silent || !choose(search, &search->ask))
                return false;
            ps_search_fit(search, &search->ask);
        }
        double end_s = search->spent_s + search->ask.seconds + search->overhead_s;
        if (search->trial_count > 0 && end_s > search->config.budget_s) {
            search->out_of_time = true;
            return false;
        }
        search->asked = true;
    }
    *ask = search->ask;
    return true;
}

void ps_search_feed(struct ps_search *search, const struct ps_search_answer *answer)
{
    PS_ASSERT(search->asked && search->trial_count < PS_SEARCH_TRIALS_MAX);
    struct ps_search_trial *trial = &search->trials[search->trial_count++];
    *trial = (struct ps_search_trial){search->ask, *answer};
    search->asked = false;
    /* A silence was longer than the one after which the rest was given up: it may have been on its way. */
    if (!trial->ask.look && answer->lost > 0 && answer->rhythm_s > trial->ask.quiet_s &&
        trial->ask.quiet_s > 0) {
        trial->answer.lost = 0;
        trial->answer.untold = answer->untold || !answer->behind;
    }
    /* A pipeline with a rhythm stopped to deliver before the schedule ended: its rhythm is perhaps longer than it seemed. */
    if (!trial->ask.look && answer->lost > 0 && answer->silent_s > 0 &&
        fmax(search->looks.rhythm_s, search->config.rhythm_s) > 0) {
        trial->answer.lost = 0;
        trial->answer.untold = true;
        trial->answer.rhythm_s = fmax(answer->rhythm_s, answer->silent_s + trial->ask.quiet_s);
    }
    if (trial->ask.look)
        ps_search_look_feed(search, &trial->ask, answer);
    else
        ps_search_filter(search);
    search->spent_s += answer->cost_s;
    search->failed_in_a_row = answer->failed ? search->failed_in_a_row + 1 : 0;
    /* The time that trials take beyond their length, with more weight on the last one: overloaded trials
     * drain for long, and they come at the beginning. */
    double overhead_s = fmax(0, answer->cost_s - search->ask.seconds);
    search->overhead_s = search->trial_count == 1 ? overhead_s : (search->overhead_s + overhead_s) / 2;
}

unsigned ps_search_count(const struct ps_search *search)
{
    return search->trial_count;
}

const struct ps_search_trial *ps_search_trial(const struct ps_search *search, unsigned number)
{
    PS_ASSERT(number < search->trial_count);
    return &search->trials[number];
}

double ps_search_long_s(const struct ps_search *search)
{
    return search->levels[PS_SEARCH_LEVELS - 1].seconds;
}
