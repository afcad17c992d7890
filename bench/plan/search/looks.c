/* The looks: what a pipeline does at a low rate, before the search loads it. */
#include "bench/plan/flow.h"
#include "bench/plan/search/search_internal.h"

#include <math.h>

/* events/s. A prime number: the last batch of a look is not full, whatever its size is. */
#define LOOK_RATE 199.0
#define LOOK_S 1.0        /* length of a look */
#define LOOKS_MAX 6U      /* looks in which something arrived */
#define QUIET_SHARE 0.1   /* share of a goal's time in which a first event may come */
#define QUIET_LEAST_S 2.0 /* but this long */
#define QUIET_MOST_S 15.0 /* and no longer at first; a look in which nothing arrived waits twice as long */
/* The look that waits for a batch that is not full waits as long as the first look, multiplied by this. */
#define PATIENT 4.0
#define PATIENT_SHARE 0.3 /* but no longer than this share of a goal's time */
/* Such a look follows when the look at FILTER_STEP times the rate misses at most the events of the first one multiplied by this. */
#define PATIENT_LOST 1.5
#define SILENT_SHARE 0.5  /* share of the whole time after which the looks give up */
#define FILTER_STEP 4.0   /* the share that a filter keeps is the same at this many times the rate */
#define FILTER_MOST 0.95  /* a larger share is loss, not a filter */
#define EVEN 1.5          /* a filter that keeps each n-th event is not farther from its share, in events */
#define EVEN_FACTOR 16.0  /* EVEN decides only where chance may go this much farther */
#define SIGMAS 4.0        /* a share that differs by less is the same */
#define RHYTHMS_ASKED 3.2 /* a trial takes the rhythm multiplied by this */
#define REST_S 1.0        /* and this */
#define LEAST_MARGIN 0.02 /* a trial is not asked for to be exactly as long as it must be */
#define LONGER 1.6        /* a trial that told nothing is repeated this many times as long */
#define QUIET_RHYTHMS 1.5 /* nothing more comes after this many times the rhythm */

static double quiet_of(double rhythm_s)
{
    return rhythm_s > 0 ? QUIET_RHYTHMS * rhythm_s + REST_S : 0;
}

/* Returns how far the share of `sent` events that pass a filter may be from `share` by chance, when that was seen in
 * `seen` events. */
static double chance_of(double share, double sent, double seen)
{
    return SIGMAS * sqrt(sent * share * (1 - share) * (1 + sent / seen)) + 1;
}

/* The same for a filter that keeps each n-th event: its share is known to EVEN events. */
static double even_of(double sent, double seen)
{
    return EVEN * (1 + sent / seen);
}

bool ps_search_look(struct ps_search *search, struct ps_search_ask *ask)
{
    const struct ps_search_config *config = &search->config;
    struct ps_looks *looks = &search->looks;
    if (!config->looks || config->rhythm_s > 0)
        looks->done = true;
    if (looks->done)
        return false;
    double rate = fmin(fmax(LOOK_RATE, config->rate_min), config->rate_first);
    if (looks->share_sent >
        0) /* more events tell the share better, and whether the filter keeps each n-th event */
        rate = fmin(looks->rate * FILTER_STEP, config->rate_max);
    else if (looks->count == 2) /* another rate shows whether what is missing is a constant share */
        rate = rate * FILTER_STEP <= config->rate_max ? rate * FILTER_STEP : fmax(rate / FILTER_STEP, 1);
    double goal_s = config->budget_s / config->goal_count;
    double quiet_s = fmin(fmax(goal_s * QUIET_SHARE, QUIET_LEAST_S), QUIET_MOST_S);
    if (looks->patient)
        quiet_s = fmin(quiet_s * PATIENT, goal_s * PATIENT_SHARE);
    else if (looks->rate > 0)
        quiet_s = fmax(quiet_of(looks->rhythm_s), QUIET_LEAST_S);
    else if (search->trial_count > 0)
        quiet_s = 2 * search->trials[search->trial_count - 1].ask.quiet_s;
    *ask = (struct ps_search_ask){.rate = rate, .seconds = LOOK_S, .look = true, .quiet_s = quiet_s};
    return true;
}

/* Adds a look to what is known of a filter. Returns whether its share is what earlier looks showed. */
static bool share_add(struct ps_looks *looks, const struct ps_search_answer *answer, double share,
                      double seen)
{
    double apart = fabs(answer->received - share * answer->sent), even = even_of(answer->sent, seen);
    double chance = chance_of(share, answer->sent, seen);
    if (apart > chance)
        return false;
    looks->by_chance |= apart > even;
    looks->even = chance > EVEN_FACTOR * even; /* chance would have been seen */
    looks->share_sent += answer->sent;
    looks->share_received += answer->received;
    return true;
}

/* Takes a look after one that showed a filter: more events tell its share better. */
static void share_check(struct ps_looks *looks, const struct ps_search_answer *answer, double share)
{
    double known = looks->share_received / looks->share_sent;
    bool full = answer->behind && !answer->untold; /* a pipeline that is full may lose */
    bool same = full || share_add(looks, answer, known, looks->share_sent);
    looks->by_chance = looks->by_chance || !looks->even;
    if (!same && share > known) { /* no filter passes on more at a higher rate */
        looks->share_sent = looks->share_received = 0;
        looks->by_chance = false;
    }
}

/* Takes a look in which events were missing. Returns whether no more looks are needed. */
static bool lossy_take(struct ps_looks *looks, const struct ps_search_ask *ask,
                       const struct ps_search_answer *answer, double share)
{
    double missing = answer->sent - answer->received, missing_before = (1 - looks->share) * looks->sent;
    if (looks->share_sent > 0) {
        share_check(looks, answer, share);
        return true;
    }
    if (looks->patient)
        return true;
    if (looks->rate <= 0)
        return false;
    if (ask->rate == looks->rate) {
        looks->uneven = (looks->share - share) * looks->sent > chance_of(share, looks->sent, answer->sent);
        return false;
    }
    if (looks->share >= 1)
        return false;
    if (!looks->uneven && share < FILTER_MOST && share_add(looks, answer, looks->share, looks->sent)) {
        looks->share_sent += looks->sent;
        looks->share_received += looks->share * looks->sent;
        return false;
    }
    /* No share, but a number is missing: perhaps the last batch, which waits until it is full or old enough. */
    looks->patient = ask->rate > looks->rate && missing <= PATIENT_LOST * missing_before;
    return !looks->patient;
}

void ps_search_look_feed(struct ps_search *search, const struct ps_search_ask *ask,
                         const struct ps_search_answer *answer)
{
    struct ps_looks *looks = &search->looks;
    struct ps_search_config *config = &search->config;
    if (answer->failed)
        return;
    if (answer->received <= 0) {
        if (looks->rate > 0) /* something came before: it comes more rarely than this */
            looks->silence_s = fmax(looks->silence_s, ask->seconds + ask->quiet_s);
        looks->rhythm_s = fmax(looks->rhythm_s, looks->silence_s);
        looks->done = search->spent_s + answer->cost_s > SILENT_SHARE * config->budget_s;
        looks->silent = looks->done && looks->rate <= 0;
        return;
    }
    double share = answer->sent > 0 ? fmin(answer->received / answer->sent, 1) : 1;
    bool all = answer->lost <= 0, first = looks->rate <= 0;
    /* A look begins at any point of a period, so that the longest silence counts. After a prompt look, the silence before
     * was that of a group that joined. */
    if (answer->rhythm_s > 0 ||
        looks->share_sent <= 0) /* a batch fills up sooner in the look at a high rate */
        looks->rhythm_s = answer->rhythm_s > 0 ? fmax(answer->rhythm_s, looks->rhythm_s) : looks->silence_s;
    if (all && (!first || answer->rhythm_s <= 0))
        looks->done = true;
    else if (looks->share_sent > 0 || !all)
        looks->done = lossy_take(looks, ask, answer, share);
    looks->rate = ask->rate;
    looks->share = share;
    looks->sent = answer->sent;
    looks->done = looks->done || ++looks->count == LOOKS_MAX;
    if (looks->done && answer->behind && !answer->untold && answer->goodput > 0) { /* it is full already */
        double passes = looks->share_sent > 0 ? looks->share_received / looks->share_sent : 1;
        config->rate_first = fmax(fmin(config->rate_first, answer->goodput / passes), config->rate_min);
    }
    looks->pool_sent = looks->share_sent;
    looks->pool_received = looks->share_received;
}

/* Returns the rhythm that is to be expected at a rate: what the trials at the nearest rate that is not higher showed, since
 * batches fill up sooner at higher rates. */
static double rhythm_at(const struct ps_search *search, double rate)
{
    double rhythm_s = search->looks.rhythm_s, nearest = 0;
    if (search->config.rhythm_s > 0)
        return search->config.rhythm_s;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        if (trial->ask.look || trial->answer.failed || trial->answer.lost > 0 || trial->ask.rate > rate ||
            trial->ask.rate < nearest)
            continue;
        rhythm_s =
            trial->ask.rate > nearest ? trial->answer.rhythm_s : fmax(rhythm_s, trial->answer.rhythm_s);
        nearest = trial->ask.rate;
    }
    return rhythm_s;
}

static double seconds_of(double rhythm_s)
{
    return rhythm_s > 0 ? RHYTHMS_ASKED * rhythm_s + REST_S : 0;
}

void ps_search_fit(const struct ps_search *search, struct ps_search_ask *ask)
{
    const struct ps_looks *looks = &search->looks;
    double rhythm_s = rhythm_at(search, ask->rate);
    double left_s = search->config.budget_s - search->spent_s - search->overhead_s;
    double wanted_s = fmax(ask->seconds, seconds_of(rhythm_s));
    if (wanted_s > left_s && rhythm_s > 0) /* what is left may be enough for the windows */
        wanted_s = fmax(fmax(ask->seconds, ps_flow_least_s(rhythm_s) * (1 + LEAST_MARGIN)), left_s);
    ask->seconds = wanted_s;
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = &search->trials[i];
        if (trial->ask.look || !trial->answer.untold)
            continue;
        if (trial->ask.rate == ask->rate)
            ask->seconds = fmax(ask->seconds, trial->ask.seconds * LONGER);
        rhythm_s =
            fmax(rhythm_s, trial->answer.rhythm_s); /* not for the length: a queue makes it longer, too */
    }
    /* The last, partial batch comes as late as at a low rate. */
    ask->quiet_s = quiet_of(fmax(rhythm_s, looks->rhythm_s));
    ask->by_chance = looks->by_chance;
    ask->passes = looks->pool_sent > 0 ? looks->pool_received / looks->pool_sent : 1;
}

/* Lists the trials that a filter's share is judged in, by rate. Returns their number. */
static unsigned by_rate(const struct ps_search *search, unsigned order[PS_SEARCH_TRIALS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < search->trial_count; i++) {
        unsigned at = count;
        if (search->trials[i].ask.look || search->trials[i].answer.failed)
            continue;
        for (; at > 0 && search->trials[order[at - 1]].ask.rate > search->trials[i].ask.rate; at--)
            order[at] = order[at - 1];
        order[at] = i;
        count++;
    }
    return count;
}

/* Counts as lost what is missing in a trial beyond the filter's share. Adds a trial that held to what is known of the
 * share. */
static void weigh(struct ps_looks *looks, struct ps_search_trial *trial)
{
    struct ps_search_answer *answer = &trial->answer;
    double share = looks->pool_received / looks->pool_sent;
    double missing = share * answer->sent - answer->received;
    bool even = fabs(missing) <= even_of(answer->sent, looks->pool_sent);
    bool full = answer->behind || answer->untold;
    /* More came than a filter that keeps each n-th event passes on, or less at a rate at which a look lost nothing. */
    if (!even && !full && (missing < 0 || trial->ask.rate <= looks->rate))
        looks->by_chance = true;
    answer->lost = even || (looks->by_chance && missing <= chance_of(share, answer->sent, looks->pool_sent))
                       ? 0
                       : fmax(missing, 0);
    if (answer->lost > 0 && trial->ask.seconds > 0)
        answer->goodput = fmin(answer->goodput, answer->received / share / trial->ask.seconds);
    if (answer->lost > 0 || full)
        return;
    looks->pool_sent += answer->sent;
    looks->pool_received += answer->received;
}

void ps_search_filter(struct ps_search *search)
{
    struct ps_looks *looks = &search->looks;
    unsigned order[PS_SEARCH_TRIALS_MAX];
    bool by_chance;
    if (looks->share_sent <= 0)
        return;
    unsigned count = by_rate(search, order);
    do {
        by_chance = looks->by_chance;
        looks->pool_sent = looks->share_sent;
        looks->pool_received = looks->share_received;
        for (unsigned i = 0; i < count; i++)
            weigh(looks, &search->trials[order[i]]);
    } while (by_chance != looks->by_chance);
}

void ps_search_pipeline(const struct ps_search *search, struct ps_search_pipeline *pipeline)
{
    const struct ps_looks *looks = &search->looks;
    double rhythm_s = fmax(looks->rhythm_s, search->config.rhythm_s);
    *pipeline = (struct ps_search_pipeline){
        .passes = looks->pool_sent > 0 ? looks->pool_received / looks->pool_sent : 1,
        .silent = looks->silent};
    for (unsigned i = 0; i < search->trial_count; i++)
        if (!search->trials[i].ask.look && search->trials[i].answer.lost <= 0)
            rhythm_s = fmax(rhythm_s, search->trials[i].answer.rhythm_s);
    unsigned in_steps = 0;
    for (unsigned i = 0; i < search->trial_count; i++)
        in_steps += !search->trials[i].ask.look && search->trials[i].answer.rhythm_s > 0;
    if (looks->rhythm_s <= 0 && search->config.rhythm_s <= 0 && in_steps < 2)
        rhythm_s = 0; /* a stall of the machine, in one trial */
    bool carried = false;
    for (unsigned i = 0; i < search->trial_count; i++)
        carried = carried || (ps_search_is_carried(search, i) && !search->trials[i].answer.behind);
    for (unsigned i = 0; carried && i < search->trial_count; i++) {
        double burst = ps_search_burst(search, 0, i);
        if (burst <= pipeline->burst)
            continue;
        pipeline->burst = burst;
        pipeline->lasting = search->trials[i].answer.lasting;
    }
    pipeline->rhythm_s = rhythm_s;
    pipeline->least_s = seconds_of(rhythm_s);
}
