/* Evaluates the trials: verdicts, bounds and confidence. */
#include "bench/plan/search/posterior.h"
#include "bench/plan/search/search_internal.h"

#include <math.h>
#include <string.h>

#define RATES_MAX 256U
#define SAME 1.1 /* rates with a smaller ratio come from the same hint */
/* The search confirms no rate if the share of events that the generator sent late is more than this many times the
 * precision. */
#define BUSY 2.0
#define LASTING 0.75          /* a rate is near the lasting one by this many times the precision */
#define CARRIED_FAR 1.25      /* a carried rate that is above the lasting one by this needs no second trial */
#define DECISIVE 2.0          /* a decisive miss counts as this many trials */
#define LOSS_DECISIVE 0.03    /* of the events that were to arrive */
#define FULL_TRIAL_WEIGHT 1.4 /* a full trial counts as this many short ones in the posterior */

const char *ps_trial_verdict_text(enum ps_trial_verdict verdict)
{
    static const char *const texts[] = {"held", "lost", "late", "generator", "failed", "untold"};
    return texts[verdict];
}

const char *ps_search_status_text(enum ps_search_status status)
{
    static const char *const texts[] = {"out-of-time",       "found", "below-range", "above-range",
                                        "generator-limited", "failed"};
    return texts[status];
}

/* Returns the number of sent events that pass the filter, and so should arrive. */
static double expected_of(const struct ps_search_trial *trial)
{
    return trial->answer.sent * (trial->ask.passes > 0 ? trial->ask.passes : 1);
}

double ps_search_burst(const struct ps_search *search, unsigned from, unsigned trial)
{
    const struct ps_search_answer *last = &search->trials[trial].answer;
    double burst = last->burst;
    for (unsigned i = from; burst > 0 && i < trial; i++) {
        const struct ps_search_trial *before = &search->trials[i];
        double passes = before->ask.passes > 0 ? before->ask.passes : 1;
        burst += fmax(before->answer.received / passes - last->lasting * before->answer.cost_s, 0);
    }
    return burst;
}

/* Returns the rate that lasts, as the trial showed that found out that a burst may have carried this one; 0: none did. */
static double carried_beyond(const struct ps_search *search, unsigned trial)
{
    PS_ASSERT(trial < search->trial_count);
    const struct ps_search_ask *ask = &search->trials[trial].ask;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *other = &search->trials[i];
        double lasting = other->answer.lasting;
        if (other->ask.look || other->answer.failed || !(other->answer.burst > 0) ||
            other->ask.rate <= ask->rate)
            continue;
        if (ask->rate > lasting * (1 + LASTING * search->config.precision) &&
            (ask->rate - lasting) * ask->seconds <= ps_search_burst(search, trial, i))
            return lasting;
    }
    return 0;
}

bool ps_search_is_carried(const struct ps_search *search, unsigned trial)
{
    return carried_beyond(search, trial) > 0;
}

enum ps_trial_verdict ps_search_verdict(const struct ps_search *search, unsigned trial, unsigned goal)
{
    PS_ASSERT(trial < search->trial_count && goal < search->config.goal_count);
    const struct ps_search_answer *answer = &search->trials[trial].answer;
    const struct ps_goal *wish = &search->config.goals[goal];
    if (answer->failed)
        return PS_TRIAL_FAILED;
    if (search->trials[trial].ask.look)
        return PS_TRIAL_UNTOLD;
    double lost = answer->lost - wish->loss_max * expected_of(&search->trials[trial]);
    /* the events that the generator sent in bunches can overflow a queue that is large enough for the rate */
    if (lost > 0)
        return lost <= answer->bunched ? PS_TRIAL_GENERATOR : PS_TRIAL_LOST;
    if (answer->untold &&
        !(wish->percentile > 0 && answer->latency_ns[goal] > (double)wish->latency_limit_ns))
        return PS_TRIAL_UNTOLD;
    /* tested before latency: latency counts from the due time, so it includes the generator's delay */
    if (!answer->generator_held)
        return PS_TRIAL_GENERATOR;
    if (wish->percentile > 0 && answer->latency_ns[goal] > (double)wish->latency_limit_ns)
        return answer->generator_late[goal] ? PS_TRIAL_GENERATOR : PS_TRIAL_LATE;
    if (answer->behind || ps_search_is_carried(search, trial))
        return PS_TRIAL_LATE;
    return PS_TRIAL_HELD;
}

/* ---- the trials of one rate ---- */

struct tally {
    double rate;
    double full_good_s, full_bad_s, short_good_s, short_bad_s;
    unsigned generator, bad;
};

static int is_full(const struct ps_search_trial *trial, const struct ps_search_level *level)
{
    return trial->ask.seconds > level->seconds * 0.999;
}

/* Returns whether the trial missed by so much that chance is not the reason. Such a miss counts as DECISIVE trials. */
static bool is_decisive(const struct ps_search *search, unsigned number, enum ps_trial_verdict verdict,
                        double loss_max)
{
    const struct ps_search_trial *trial = &search->trials[number];
    const struct ps_search_answer *answer = &trial->answer;
    double lasting = verdict == PS_TRIAL_LATE ? carried_beyond(search, number) : 0;
    if (lasting > 0 && trial->ask.rate > lasting * CARRIED_FAR)
        return true;
    double expected = expected_of(trial), lost = answer->lost - loss_max * expected;
    return (verdict == PS_TRIAL_LATE && answer->decisive) ||
           (verdict == PS_TRIAL_LOST && lost > 2 * answer->bunched + LOSS_DECISIVE * expected);
}

static void tally_add(struct tally *tally, const struct ps_search *search, unsigned number,
                      enum ps_trial_verdict verdict, const struct ps_search_level *level, double loss_max)
{
    const struct ps_search_trial *trial = &search->trials[number];
    bool good = verdict == PS_TRIAL_HELD, full = is_full(trial, level);
    double weight = is_decisive(search, number, verdict, loss_max) ? DECISIVE : 1;
    double *sum = full ? (good ? &tally->full_good_s : &tally->full_bad_s)
                       : (good ? &tally->short_good_s : &tally->short_bad_s);
    *sum += trial->ask.seconds * weight;
    tally->bad += !good;
    tally->generator += verdict == PS_TRIAL_GENERATOR;
}

/* Groups all trials by rate, ascending. Returns the number of rates. */
static unsigned tally_all(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                          struct tally tallies[RATES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        enum ps_trial_verdict verdict = ps_search_verdict(search, i, goal);
        unsigned at = 0;
        if (verdict == PS_TRIAL_UNTOLD)
            continue;
        while (at < count && tallies[at].rate < trial->ask.rate)
            at++;
        if (at == count || tallies[at].rate > trial->ask.rate) {
            if (count == RATES_MAX)
                continue;
            memmove(&tallies[at + 1], &tallies[at], (count - at) * sizeof *tallies);
            tallies[at] = (struct tally){.rate = trial->ask.rate};
            count++;
        }
        tally_add(&tallies[at], search, i, verdict, level, search->config.goals[goal].loss_max);
    }
    return count;
}

/* Returns the seconds of the trials that show that the rate was not held. Successful short trials only offset failed
 * short ones; they do not show that the rate was held, because a queue may have absorbed a rate that is too high. */
static double bad_seconds(const struct tally *tally)
{
    return tally->full_bad_s + fmax(0, tally->short_bad_s - tally->short_good_s);
}

enum bound { UNDECIDED, LOWER, UPPER };

/* The draft's rule (its appendix on load classification) with an exceed ratio of one half: a rate is a lower
 * bound when at most half of the time asked for can still turn out bad, and an upper bound when more than
 * half of it is already bad. */
static enum bound classify(const struct tally *tally, const struct ps_search_level *level)
{
    double asked_s = level->seconds * level->repeats;
    double bad_s = bad_seconds(tally);
    double whole_s = fmax(bad_s + tally->full_good_s, asked_s);
    if (whole_s - tally->full_good_s <= 0.5 * whole_s)
        return LOWER;
    return bad_s > 0.5 * whole_s ? UPPER : UNDECIDED;
}

void ps_search_bound(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                     struct ps_search_bounds *bounds)
{
    struct tally tallies[RATES_MAX];
    unsigned count = tally_all(search, goal, level, tallies);
    *bounds = (struct ps_search_bounds){0};
    for (unsigned i = 0; i < count && bounds->upper == 0; i++) {
        switch (classify(&tallies[i], level)) {
        case LOWER:
            bounds->lower = tallies[i].rate;
            bounds->open = 0;
            break;
        case UPPER:
            bounds->upper = tallies[i].rate;
            bounds->generator = 2 * tallies[i].generator > tallies[i].bad;
            break;
        case UNDECIDED:
            if (tallies[i].full_good_s + tallies[i].full_bad_s > 0)
                bounds->open = tallies[i].rate;
            break;
        }
    }
}

unsigned ps_search_repeats(const struct ps_search *search, const struct ps_search_level *level, double rate)
{
    unsigned count = 0;
    for (unsigned i = 0; i < search->trial_count; i++)
        count += search->trials[i].ask.rate == rate && !search->trials[i].ask.look &&
                 !search->trials[i].answer.untold && is_full(&search->trials[i], level);
    return count;
}

/* ---- hints ---- */

struct ps_search_hint ps_search_hint(const struct ps_search *search, unsigned goal, double upper)
{
    struct ps_search_hint hint = {0};
    double nearest = INFINITY;
    if (search->config.goals[goal].percentile > 0)
        return hint;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        if (trial->answer.goodput <= 0 || trial->answer.failed || trial->ask.look || trial->answer.untold ||
            trial->ask.rate < upper || ps_search_is_carried(search, i))
            continue;
        hint.refuted |= trial->ask.rate > upper && trial->ask.rate < upper * SAME;
        /* the last of several trials at this rate, because a subject may have used up its credit */
        if (trial->ask.rate > nearest)
            continue;
        nearest = trial->ask.rate;
        hint.goodput = trial->answer.goodput;
        hint.worst = trial->answer.goodput_worst;
        if (trial->answer.burst > 0)
            hint.goodput = fmin(hint.goodput, trial->answer.lasting);
    }
    return hint;
}

/* ---- the figure ---- */

static struct ps_posterior posterior_of(const struct ps_search *search, unsigned goal, double lower,
                                        double upper)
{
    struct tally tallies[RATES_MAX];
    struct ps_posterior_point points[RATES_MAX];
    const struct ps_search_level *last = &search->levels[PS_SEARCH_LEVELS - 1];
    unsigned count = 0, rates = tally_all(search, goal, last, tallies);
    for (unsigned i = 0; i < rates; i++) {
        const struct tally *tally = &tallies[i];
        double near = fmax(2, pow(upper / lower, 4));
        if (tally->rate < lower / near || tally->rate > upper * near)
            continue; /* this rate is so far away that it only shows how often trials fail by chance */
        points[count++] =
            (struct ps_posterior_point){tally->rate, FULL_TRIAL_WEIGHT * tally->full_good_s / last->seconds,
                                        FULL_TRIAL_WEIGHT * bad_seconds(tally) / last->seconds};
    }
    return ps_posterior_of(points, count, lower, upper);
}

/* Returns the share of events that the generator sent late, together with others, in the trials at a rate. */
static double bunched_at(const struct ps_search *search, double rate)
{
    double bunched = 0, sent = 0;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        if (trial->ask.rate != rate || trial->answer.failed)
            continue;
        bunched += trial->answer.bunched;
        sent += trial->answer.sent;
    }
    return sent > 0 ? fmin(bunched / sent, 1) : 0;
}

/* Returns whether the generator offered this rate, or a higher one, in time in some trial. */
static bool is_offered(const struct ps_search *search, double rate)
{
    for (unsigned i = 0; rate > 0 && i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        if (trial->ask.rate >= rate && !trial->ask.look && !trial->answer.failed &&
            trial->answer.generator_held)
            return true;
    }
    return false;
}

/* Returns the status if the search ended now. */
static enum ps_search_status status_of(const struct ps_search *search, const struct ps_search_bounds *bounds,
                                       bool last_level)
{
    const struct ps_search_level *last = &search->levels[PS_SEARCH_LEVELS - 1];
    if (search->looks.silent || search->failed_in_a_row >= 3 ||
        (search->trial_count > 0 && search->failed_in_a_row == search->trial_count))
        return PS_SEARCH_FAILED;
    if (!last_level)
        return PS_SEARCH_OUT_OF_TIME;
    if (bounds->upper == 0 && bounds->lower >= search->config.rate_max)
        return PS_SEARCH_ABOVE_RANGE;
    if (bounds->lower == 0 && bounds->upper > 0 && bounds->upper <= search->config.rate_min)
        return bounds->generator ? PS_SEARCH_GENERATOR_LIMITED : PS_SEARCH_BELOW_RANGE;
    if (bounds->lower == 0 || bounds->upper == 0 || bounds->upper > bounds->lower * (1 + last->width))
        return PS_SEARCH_OUT_OF_TIME;
    return bounds->generator ? PS_SEARCH_GENERATOR_LIMITED : PS_SEARCH_FOUND;
}

/* Returns the length of the longest trial that held a rate. */
static double held_for(const struct ps_search *search, unsigned goal, double rate)
{
    double longest_s = 0;
    for (unsigned i = 0; i < search->trial_count; i++)
        if (search->trials[i].ask.rate == rate && ps_search_verdict(search, i, goal) == PS_TRIAL_HELD)
            longest_s = fmax(longest_s, search->trials[i].ask.seconds);
    return longest_s;
}

/* Returns the best estimate between two bounds: the throughput at the upper one. If that is not known: the
 * middle of a narrow interval, or the most likely rate of a wide one. */
static double best_of(const struct ps_search *search, unsigned goal, const struct ps_search_bounds *bounds,
                      const struct ps_posterior *posterior, enum ps_search_status status)
{
    double hint = ps_search_hint(search, goal, bounds->upper).goodput;
    double rate = status == PS_SEARCH_FOUND ? sqrt(bounds->lower * bounds->upper) : posterior->median;
    if (hint > 0 && status == PS_SEARCH_FOUND && hint <= bounds->upper)
        rate = hint;
    else if (hint > 0 && status != PS_SEARCH_FOUND)
        rate = fmin(rate, hint);
    return fmin(fmax(rate, bounds->lower), bounds->upper);
}

void ps_search_figure(const struct ps_search *search, unsigned goal, struct ps_search_figure *figure)
{
    struct ps_search_bounds bounds = {0};
    unsigned level = PS_SEARCH_LEVELS;
    *figure = (struct ps_search_figure){0};
    do /* the longest trials that give a bound */
        ps_search_bound(search, goal, &search->levels[--level], &bounds);
    while (level > 0 && bounds.lower == 0 && bounds.upper == 0);
    if (bounds.lower == 0 || bounds.upper == 0) { /* a level of shorter trials may have both ends */
        for (unsigned other = level; other-- > 0;) {
            struct ps_search_bounds wider;
            ps_search_bound(search, goal, &search->levels[other], &wider);
            bool agrees = wider.lower != 0 && wider.upper > wider.lower &&
                          (bounds.lower == 0 || wider.upper > bounds.lower) &&
                          (bounds.upper == 0 || wider.lower < bounds.upper);
            if (!agrees)
                continue;
            level = other;
            if (bounds.lower == 0)
                bounds.lower = wider.lower;
            if (bounds.upper == 0) {
                bounds.upper = wider.upper;
                bounds.generator = wider.generator;
            }
            break;
        }
    }
    figure->status = status_of(search, &bounds, level == PS_SEARCH_LEVELS - 1);
    figure->bunched = bunched_at(search, bounds.lower);
    figure->busy = figure->bunched > BUSY * search->config.precision;
    figure->offered = bounds.generator && is_offered(search, bounds.upper);
    if (figure->busy && figure->status == PS_SEARCH_FOUND)
        figure->status = PS_SEARCH_OUT_OF_TIME;
    figure->lower = bounds.lower;
    figure->upper = bounds.upper;
    figure->rate = bounds.lower;
    unsigned lower_repeats = ps_search_repeats(search, &search->levels[PS_SEARCH_LEVELS - 1], bounds.lower);
    unsigned upper_repeats = ps_search_repeats(search, &search->levels[PS_SEARCH_LEVELS - 1], bounds.upper);
    figure->repeats = bounds.upper == 0                                    ? lower_repeats
                      : bounds.lower == 0 || upper_repeats < lower_repeats ? upper_repeats
                                                                           : lower_repeats;
    figure->held = lower_repeats > 0 ? bounds.lower : 0;
    figure->held_s = held_for(search, goal, bounds.lower);
    figure->failed = bounds.generator ? 0 : bounds.upper;
    double hint = ps_search_hint(search, goal, bounds.upper).goodput;
    if (bounds.lower == 0 && figure->status == PS_SEARCH_OUT_OF_TIME && hint >= search->config.rate_min)
        figure->rate = fmin(hint, bounds.upper); /* no rate was tried that is low enough: what came through */
    /* The shortest trials tell no lower end, because a queue or a saved-up burst may have held the rate. */
    double least_s = fmax(search->levels[1].seconds * 0.999, search->levels[0].seconds * 1.5);
    bool shown = lower_repeats > 0 || figure->held_s >= least_s;
    if (bounds.lower > 0 && !shown && figure->status == PS_SEARCH_OUT_OF_TIME)
        figure->rate = bounds.upper > 0 && !bounds.generator ? fmin(hint, bounds.upper) : 0;
    if (bounds.lower == 0 || bounds.upper == 0 || !shown)
        return;
    struct ps_posterior posterior = posterior_of(search, goal, bounds.lower, bounds.upper);
    if (!bounds.generator)
        figure->rate = best_of(search, goal, &bounds, &posterior, figure->status);
    figure->confidence = posterior.confidence;
    /* A stall of the generator also stalls the subject: an error that all trials have in common. */
    figure->low95 = fmin(posterior.low95 / (1 + figure->bunched), figure->rate);
    figure->high95 = posterior.high95 * (1 + figure->bunched);
    /* A generator that could not offer the upper end shows no upper limit of the subject. */
    figure->high95 = bounds.generator ? 0 : fmax(figure->high95, figure->rate);
}
