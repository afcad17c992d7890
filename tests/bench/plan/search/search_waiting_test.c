/* The search against simulated pipelines that wait before they deliver: for a period, for a batch to fill, for their
 * consumer group to join; and against filters that keep a share of the events. They are simulated event by event, in
 * virtual time, and know nothing of the planner. Their capacity is what they are given.
 *
 * PENSTOCK_SEED draws the same pipelines again, PENSTOCK_SHOW prints each trial. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/plan/search/search.h"
#include "bench/plan/trial/trial.h"
#include "tests/support/support.h"

#define TICK_S 0.004
#define STEP_TICKS 5 /* of 20 ms, as verify counts them */
#define STEPS_MAX 20000U
#define CONNECTIONS_MAX 10U
#define SETTLE_S 2.0
#define OVERHEAD_S 1.5
#define DRAIN_S 60.0
#define NEAR 0.05
#define LATENCY_STEP_S 0.01
#define LATENCIES 20000U
#define TIMELINE_MAX 2000U

enum delivery {
    AT_ONCE,
    PERIODS, /* all that it took, at the end of each period */
    LINGERS, /* when `batch` events wait, or the oldest waited for the period */
    POLLS,   /* takes at most capacity * period at the end of each period, and writes it */
};
enum filter { KEEPS_ALL, KEEPS_TENTH, KEEPS_BY_CHANCE }; /* by chance: others in each trial */

struct pipeline {
    const char *name;
    enum delivery delivery;
    double capacity, period_s;
    double batch; /* with LINGERS */
    enum filter filter;
    double share;   /* with KEEPS_BY_CHANCE; 0: a tenth */
    double joins_s; /* when its consumer joins */
    bool latest;    /* it misses what came before */
    bool drops;     /* when its buffer is full */
    unsigned connections;
    double buffer;   /* events */
    double burst;    /* events that it saves up; it takes them at once */
    double stated_s; /* its period as the user states it (--rhythm); 0: the search looks for it */
    /* state that lives longer than a trial */
    double clock_s, backlog, saved, saved_s;
    uint64_t trials;
};

struct simulation {
    double generated, handed, taken, delivered, credit;
    double queued;             /* with drops: events in the buffer */
    bool *dropped;             /* with drops: [event] */
    double oldest_s, served_s; /* when the oldest waiting event was taken; when the last period ended */
    double received[CONNECTIONS_MAX], came;
    unsigned steps[CONNECTIONS_MAX][STEPS_MAX];
    unsigned latencies[LATENCIES];
    struct {
        double least_s, count;
    } timeline[TIMELINE_MAX];
};

static bool keeps(const struct pipeline *pipeline, uint64_t event)
{
    if (pipeline->filter == KEEPS_TENTH)
        return event % 10 == 3;
    if (pipeline->filter == KEEPS_ALL)
        return true;
    uint64_t drawn = event * UINT64_C(0x9e3779b97f4a7c15) + pipeline->trials; /* splitmix64 */
    drawn = (drawn ^ (drawn >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    drawn = (drawn ^ (drawn >> 27)) * UINT64_C(0x94d049bb133111eb);
    double share = pipeline->share > 0 ? pipeline->share : 0.1;
    return (double)((drawn ^ (drawn >> 31)) % 1000000) < share * 1e6;
}

static void deliver(struct simulation *sim, const struct pipeline *pipeline, double t, double rate,
                    double until)
{
    unsigned step = (unsigned)fmin(t / (TICK_S * STEP_TICKS), STEPS_MAX - 1);
    for (; sim->delivered < until; sim->delivered++) {
        uint64_t event = (uint64_t)sim->delivered;
        if (!keeps(pipeline, event) || (sim->dropped != NULL && sim->dropped[event]))
            continue;
        double late_s = fmax(t - sim->delivered / rate, 0);
        sim->received[event % pipeline->connections]++;
        sim->steps[event % pipeline->connections][step]++;
        sim->latencies[(unsigned)fmin(late_s / LATENCY_STEP_S, LATENCIES - 1)]++;
        sim->came++;
        unsigned line = (unsigned)fmin(t / PS_TRIAL_STEP_S, TIMELINE_MAX - 1);
        sim->timeline[line].least_s =
            sim->timeline[line].count > 0 ? fmin(sim->timeline[line].least_s, late_s) : late_s;
        sim->timeline[line].count++;
    }
}

static void take(struct simulation *sim, struct pipeline *pipeline, double most, double t)
{
    double old = fmin(pipeline->backlog, most);
    pipeline->backlog -= old;
    double count = floor(fmin(pipeline->drops ? sim->queued : sim->handed - sim->taken, most - old));
    if (count > 0 && sim->taken <= sim->delivered)
        sim->oldest_s = t;
    sim->queued -= count;
    if (!pipeline->drops)
        sim->taken += count;
    for (double left = count; pipeline->drops && sim->taken < sim->handed; sim->taken++) {
        left -= !sim->dropped[(uint64_t)sim->taken];
        if (left < 0)
            break;
    }
    sim->credit -= old + count;
}

static void serve(struct simulation *sim, struct pipeline *pipeline, double t, double rate)
{
    double now_s = pipeline->clock_s + t;
    bool due = pipeline->period_s > 0 && floor(now_s / pipeline->period_s) > sim->served_s;
    if (now_s < pipeline->joins_s) {
        if (pipeline->latest) { /* nobody reads this */
            sim->taken = sim->delivered = sim->handed;
        }
        return;
    }
    if (due)
        sim->served_s = floor(now_s / pipeline->period_s);
    if (pipeline->delivery == POLLS) {
        sim->credit = pipeline->capacity * pipeline->period_s;
        if (due)
            take(sim, pipeline, sim->credit, t);
        deliver(sim, pipeline, t, rate, sim->taken);
        return;
    }
    if (pipeline->burst > 0) { /* what it saved up lasts longer than a trial */
        double since_s = fmax(now_s - pipeline->saved_s, 0);
        sim->credit = fmin(pipeline->saved + pipeline->capacity * since_s, pipeline->burst);
        pipeline->saved_s = now_s;
    } else {
        sim->credit = fmin(sim->credit + pipeline->capacity * TICK_S, pipeline->capacity * 0.02 + 1);
    }
    take(sim, pipeline, sim->credit, t);
    pipeline->saved = sim->credit;
    double waiting = sim->taken - sim->delivered;
    if (pipeline->delivery == AT_ONCE || (pipeline->delivery == PERIODS && due) ||
        (pipeline->delivery == LINGERS && waiting > 0 && t - sim->oldest_s >= pipeline->period_s))
        deliver(sim, pipeline, t, rate, sim->taken);
    else if (pipeline->delivery == LINGERS && waiting >= pipeline->batch) {
        deliver(sim, pipeline, t, rate, sim->delivered + floor(waiting / pipeline->batch) * pipeline->batch);
        sim->oldest_s = t;
    }
}

static double percentile(const struct simulation *sim, double share)
{
    double sum = 0;
    for (unsigned i = 0; i < LATENCIES; i++) {
        sum += sim->latencies[i];
        if (sum >= share * sim->came && sum > 0)
            return i * LATENCY_STEP_S;
    }
    return 0;
}

/* Fills in what load and verify report. */
static void report(const struct simulation *sim, const struct pipeline *pipeline, struct ps_trial *trial,
                   double sent, double end_s)
{
    unsigned steps = (unsigned)fmin(end_s / (TICK_S * STEP_TICKS) + 1, STEPS_MAX);
    double passes = trial->passes > 0 ? trial->passes : 1;
    trial->offered = trial->rate * trial->seconds;
    trial->sent = sent;
    trial->received = sim->came;
    trial->lost = fmax(sent * passes - sim->came, 0);
    trial->goodput = fmin(trial->rate, sim->came / passes / trial->seconds);
    trial->connections = pipeline->connections;
    trial->generator_held = true;
    trial->start_unix_ns = 1e18;
    trial->json.latency = json_pack("{s:f}", "p99", percentile(sim, 0.99) * 1e9);
    json_t *rows = json_array();
    for (unsigned row = 0; row < pipeline->connections; row++) {
        json_t *counts = json_array();
        for (unsigned step = 0; step < steps; step++)
            json_array_append_new(counts, json_integer(sim->steps[row][step]));
        json_array_append_new(rows, counts);
    }
    for (unsigned line = 0; line < TIMELINE_MAX; line++) {
        double count = sim->timeline[line].count;
        json_t *step = count > 0 ? json_pack("{s:f,s:{s:f}}", "rate", count / PS_TRIAL_STEP_S, "latency_ns",
                                             "p0", sim->timeline[line].least_s * 1e9)
                                 : NULL;
        if (step != NULL)
            ps_trial_take_verify_step(trial, (line + 1) * PS_TRIAL_STEP_S, step);
        json_decref(step);
    }
    trial->json.arrivals = json_pack("{s:f,s:f,s:o}", "start_unix_ns", trial->start_unix_ns, "step_ns",
                                     TICK_S * STEP_TICKS * 1e9, "received", rows);
}

static struct ps_search_answer run_trial(struct pipeline *pipeline, const struct ps_search_ask *ask,
                                         const struct ps_search_config *config)
{
    struct simulation *sim = calloc(1, sizeof *sim);
    struct ps_trial trial = {
        .rate = ask->rate, .seconds = ask->seconds, .passes = ask->passes, .by_chance = ask->by_chance};
    struct ps_search_answer answer;
    double quiet_s = ask->quiet_s > 0 ? ask->quiet_s : 1, came_s = 0, t = 0;
    if (pipeline->drops)
        sim->dropped = calloc((size_t)(ask->rate * ask->seconds) + 1, sizeof *sim->dropped);
    sim->served_s = pipeline->period_s > 0 ? floor(pipeline->clock_s / pipeline->period_s) : 0;
    pipeline->trials++;
    for (; t < ask->seconds + DRAIN_S; t += TICK_S) {
        double before = sim->came;
        sim->generated = floor(ask->rate * fmin(t, ask->seconds));
        for (; pipeline->drops && sim->handed < sim->generated; sim->handed++) {
            sim->dropped[(uint64_t)sim->handed] = sim->queued >= pipeline->buffer;
            sim->queued += sim->queued < pipeline->buffer;
        }
        if (t < ask->seconds + SETTLE_S && !pipeline->drops)
            sim->handed = fmin(sim->generated, sim->taken + pipeline->buffer);
        serve(sim, pipeline, t, ask->rate);
        if (sim->came > before)
            came_s = t;
        bool all = sim->came >= sim->handed && (t > ask->seconds + SETTLE_S || sim->handed >= sim->generated);
        double since_s = sim->came > 0 ? fmax(came_s, ask->seconds) : ask->seconds + 4;
        if (t > ask->seconds && (all || t > fmax(since_s, ask->seconds + 0.1) + quiet_s))
            break;
    }
    pipeline->backlog += pipeline->drops
                             ? sim->queued
                             : sim->handed - sim->taken; /* still in its buffers when the trial is given up */
    report(sim, pipeline, &trial, sim->handed, t);
    ps_trial_conclude(&trial);
    trial.cost_s = t + OVERHEAD_S;
    pipeline->clock_s += trial.cost_s;
    ps_trial_answer(&trial, config->goals, config->goal_count, &answer);
    ps_trial_fini(&trial);
    free(sim->dropped);
    free(sim);
    return answer;
}

static void print_trial(const struct ps_search *search, unsigned number)
{
    const struct ps_search_trial *trial = ps_search_trial(search, number);
    print_message(
        "    %s%9.0f %6.2f s cost %6.2f %-7s sent %.0f came %.0f lost %.0f rhythm %.2f goodput %.0f "
        "quiet %.1f passes %.3f\n",
        trial->ask.look ? "look " : "", trial->ask.rate, trial->ask.seconds, trial->answer.cost_s,
        ps_trial_verdict_text(ps_search_verdict(search, number, 0)), trial->answer.sent,
        trial->answer.received, trial->answer.lost, trial->answer.rhythm_s, trial->answer.goodput,
        trial->ask.quiet_s, trial->ask.passes);
}

static struct ps_search_config config_of(double budget_s)
{
    return (struct ps_search_config){.goals = {{.name = "ndr"}},
                                     .goal_count = 1,
                                     .rate_min = 10,
                                     .rate_max = 100e6,
                                     .rate_first = 10000,
                                     .precision = 0.03,
                                     .looks = true,
                                     .budget_s = budget_s};
}

static struct ps_search *search_run(struct pipeline *pipeline, double budget_s,
                                    struct ps_search_figure *figure)
{
    struct ps_search_config config = config_of(budget_s);
    config.rhythm_s = pipeline->stated_s;
    struct ps_search *search = ps_search_create(&config);
    struct ps_search_ask ask;
    while (ps_search_next(search, &ask)) {
        struct ps_search_answer answer = run_trial(pipeline, &ask, &config);
        ps_search_feed(search, &answer);
        if (getenv("PENSTOCK_SHOW") != NULL)
            print_trial(search, ps_search_count(search) - 1);
    }
    ps_search_figure(search, 0, figure);
    print_message("%-44s holds %7.0f: %s %.0f (%+.1f %%) [%.0f %.0f] %.0f %% sure, %u trials%s\n",
                  pipeline->name, pipeline->capacity, ps_search_status_text(figure->status), figure->rate,
                  (figure->rate / pipeline->capacity - 1) * 100, figure->lower, figure->upper,
                  figure->confidence * 100, ps_search_count(search),
                  figure->held > 0 ? "" : ", no full trial");
    return search;
}

/* The figure is near what the pipeline holds; `found`: it is also said to be found within two minutes. */
static void expect(struct pipeline pipeline, double near, bool found)
{
    struct ps_search_figure figure;
    struct ps_search *search = search_run(&pipeline, 120, &figure);
    if (fabs(figure.rate / pipeline.capacity - 1) > near || (found && figure.status != PS_SEARCH_FOUND))
        fail_msg("%s: %s %.0f, it holds %.0f", pipeline.name, ps_search_status_text(figure.status),
                 figure.rate, pipeline.capacity);
    ps_search_destroy(search);
}

static void test_periods(void **state)
{
    expect((struct pipeline){"writes each second", PERIODS, 3000, 1, .connections = 1, .buffer = 2000}, 0.03,
           true);
    expect((struct pipeline){"writes each 3 s", PERIODS, 2000, 3, .connections = 2, .buffer = 500}, 0.03,
           true);
    expect((struct pipeline){"writes each 5 s", PERIODS, 50000, 5, .connections = 1, .buffer = 20000}, 0.05,
           false);
    expect((struct pipeline){"writes each 10 s", PERIODS, 8000, 10, .connections = 1, .buffer = 2000}, 0.1,
           false);
    expect((struct pipeline){"writes each 3 s, drops", PERIODS, 4000, 3, .drops = true, .connections = 1,
                             .buffer = 500},
           0.05, false);
    expect((struct pipeline){"polls each 2 s", POLLS, 1500, 2, .connections = 4, .buffer = 9000}, 0.05,
           false);
}

static void test_lingers(void **state)
{
    expect((struct pipeline){"linger 3 s, batches of 1,000", LINGERS, 30000, 3, 1000, .connections = 1,
                             .buffer = 9000},
           0.03, true);
    expect((struct pipeline){"linger 3 s, batches of 16,000", LINGERS, 2500, 3, 16000, .connections = 1,
                             .buffer = 900},
           0.05, false);
}

static void test_late_groups(void **state)
{
    expect((struct pipeline){"joins after 6 s, reads all", AT_ONCE, 7000, .joins_s = 6, .connections = 1,
                             .buffer = 1e5},
           0.03, true);
    expect((struct pipeline){"joins after 6 s, misses what came", AT_ONCE, 7000, .joins_s = 6, .latest = true,
                             .connections = 1, .buffer = 3000},
           0.03, true);
    expect((struct pipeline){"joins after 20 s, misses what came", AT_ONCE, 900, .joins_s = 20,
                             .latest = true, .connections = 3, .buffer = 3000},
           0.03, false);
    expect((struct pipeline){"joins after 4 s, then each 2 s", PERIODS, 6000, 2, .joins_s = 4,
                             .connections = 1, .buffer = 1e5},
           0.03, false);
}

static void test_filters(void **state)
{
    expect((struct pipeline){"keeps 1 of 10", AT_ONCE, 4000, .filter = KEEPS_TENTH, .connections = 1,
                             .buffer = 2000},
           0.03, true);
    expect((struct pipeline){"keeps 1 connection of 10", AT_ONCE, 4000, .filter = KEEPS_TENTH,
                             .connections = 10, .buffer = 2000},
           0.03, true);
    expect((struct pipeline){"keeps 1 of 10 by chance", AT_ONCE, 40000, .filter = KEEPS_BY_CHANCE,
                             .connections = 3, .buffer = 2000},
           0.03, true);
    expect((struct pipeline){"keeps 1 of 10 by chance, slow", AT_ONCE, 4000, .filter = KEEPS_BY_CHANCE,
                             .connections = 1, .buffer = 2000},
           0.03, true);
    expect((struct pipeline){"keeps 1 of 30 by chance", AT_ONCE, 1500, .filter = KEEPS_BY_CHANCE,
                             .share = 0.033, .connections = 1, .buffer = 500},
           0.03, true);
    expect((struct pipeline){"keeps 1 of 2 by chance, writes each 2 s", PERIODS, 2000, 2,
                             .filter = KEEPS_BY_CHANCE, .share = 0.5, .connections = 2, .buffer = 1000},
           0.05, false);
    expect((struct pipeline){"keeps 1 of 10, writes each 2 s", PERIODS, 3000, 2, .filter = KEEPS_TENTH,
                             .connections = 1, .buffer = 2000},
           0.05, false);
}

/* The time is too short for these waits. The ends of the figure are true nevertheless. */
static void expect_no_untruth(struct pipeline pipeline, double budget_s)
{
    struct ps_search_figure figure;
    double capacity = pipeline.capacity;
    struct ps_search *search = search_run(&pipeline, budget_s, &figure);
    if (figure.held > capacity * (1 + NEAR) || (figure.failed > 0 && figure.failed < capacity * (1 - NEAR)) ||
        (figure.status == PS_SEARCH_FOUND && fabs(figure.rate / capacity - 1) > NEAR) ||
        figure.status == PS_SEARCH_BELOW_RANGE)
        fail_msg("%s: %s, %.0f held, %.0f failed, it holds %.0f", pipeline.name,
                 ps_search_status_text(figure.status), figure.held, figure.failed, capacity);
    ps_search_destroy(search);
}

static void test_long_waits(void **state)
{
    for (unsigned phase = 0; phase < 6; phase++) /* the first look begins at any point of a period */
        expect_no_untruth((struct pipeline){"writes each 30 s", PERIODS, 2000, 30, .connections = 2,
                                            .buffer = 1000, .clock_s = 2 + 5.0 * phase},
                          120);
    expect_no_untruth((struct pipeline){"linger 20 s, batches of 100", LINGERS, 4193, 20, 100,
                                        .connections = 1, .buffer = 900},
                      120);
    expect_no_untruth((struct pipeline){"linger 30 s, batches of 100", LINGERS, 5655, 30, 100,
                                        .connections = 3, .buffer = 900},
                      900);
    expect_no_untruth((struct pipeline){"writes each 30 s, stated as 3 s", PERIODS, 2000, 30,
                                        .connections = 2, .buffer = 1000, .stated_s = 3},
                      120);
    expect((struct pipeline){"writes each 5 s, stated", PERIODS, 2000, 5, .connections = 2, .buffer = 1000,
                             .stated_s = 5},
           0.03, false);
    expect((struct pipeline){"linger 5 s, batches of 100", LINGERS, 5000, 5, 100, .connections = 1,
                             .buffer = 900},
           0.03, false);
    expect((struct pipeline){"joins after 45 s, reads all", AT_ONCE, 2000, .joins_s = 45, .connections = 2,
                             .buffer = 1e5},
           0.03, false);
}

/* Feeds looks in which these numbers of events came; returns the share that is taken for a filter's. */
static double share_of(const double *sent, const double *came, unsigned count)
{
    const struct ps_search_config config = config_of(120);
    struct ps_search *search = ps_search_create(&config);
    struct ps_search_pipeline found;
    struct ps_search_ask ask;
    for (unsigned i = 0; i < count && ps_search_next(search, &ask) && ask.look; i++) {
        ps_search_feed(search, &(struct ps_search_answer){.sent = sent[i],
                                                          .received = came[i],
                                                          .lost = sent[i] - came[i],
                                                          .goodput = came[i],
                                                          .generator_held = true,
                                                          .cost_s = 2});
    }
    ps_search_pipeline(search, &found);
    ps_search_destroy(search);
    return found.passes;
}

/* The search takes only a constant share for that of a filter. */
static void test_no_constant_share(void **state)
{
    static const double sent[] = {199, 199, 796, 3184}, stuck[] = {160, 199, 796, 3184},
                        filter[] = {20, 20, 80, 318},
                        late[] = {4, 20, 80, 318}, /* its group joined in the first look */
        fewer[] = {100, 20, 76, 81},               /* events that come together count as one */
        more[] = {19, 19, 76, 2900},               /* the last batch was not full */
        all[] = {199, 199, 796, 3184};
    assert_true(fabs(share_of(sent, filter, 4) - 0.1) < 0.002);
    assert_true(fabs(share_of(sent, late, 4) - 0.1) < 0.002);
    assert_true(fabs(share_of(stuck, late, 4) - 0.1) < 0.002);
    assert_true(share_of(sent, fewer, 4) == 1);
    assert_true(share_of(sent, more, 4) == 1);
    assert_true(share_of(sent, all, 1) == 1);
}

/* A full pipeline drops a share that grows with the rate, so that the looks do not take it for a filter. */
static void test_no_filters(void **state)
{
    expect(
        (struct pipeline){"drops above 100/s", AT_ONCE, 100, .drops = true, .connections = 1, .buffer = 10},
        0.1, false);
}

/* The saved-up events carry a rate for longer than a trial lasts, but not for ever. */
static void test_bursts(void **state)
{
    expect((struct pipeline){"20,000 at once, then", AT_ONCE, 2000, .burst = 20000, .saved = 20000,
                             .connections = 1, .buffer = 1000},
           0.06, false);
    expect((struct pipeline){"5,000 at once, then", AT_ONCE, 500, .burst = 5000, .saved = 5000,
                             .connections = 2, .buffer = 300},
           0.06, false);
    expect((struct pipeline){"3,000 at once, drops", AT_ONCE, 1000, .burst = 3000, .saved = 3000,
                             .drops = true, .connections = 1, .buffer = 100},
           0.06, false);
    expect((struct pipeline){"200,000 at once, then", AT_ONCE, 30000, .burst = 200000, .saved = 200000,
                             .connections = 1, .buffer = 9000},
           0.06, false);
    expect((struct pipeline){"a minute of events at once, then", AT_ONCE, 20000, .burst = 1200000,
                             .saved = 1200000, .connections = 1, .buffer = 1000},
           0.035, false);
    /* The events in its buffers take half of the time: the first trial that uses up the burst shows it. */
    expect((struct pipeline){"a minute of events at once, large buffers", AT_ONCE, 1000, .burst = 60000,
                             .saved = 60000, .connections = 2, .buffer = 40000},
           0.1, false);
}

/* Nothing ever arrives: the search finds that out in bounded time. */
static void test_silent(void **state)
{
    struct pipeline pipeline = {"is deaf",      AT_ONCE,          1000,          .joins_s = 1e9,
                                .latest = true, .connections = 1, .buffer = 1000};
    struct ps_search_figure figure;
    struct ps_search *search = search_run(&pipeline, 120, &figure);
    struct ps_search_pipeline found;
    ps_search_pipeline(search, &found);
    assert_true(found.silent && figure.status == PS_SEARCH_FAILED && figure.lower == 0 && figure.upper == 0);
    assert_true(pipeline.clock_s <= 120);
    ps_search_destroy(search);
}

static struct pipeline pipeline_draw(uint64_t *random, unsigned i)
{
    static const double periods[] = {0.5, 1, 1.7, 2.5, 4, 6}, shares[] = {0.1, 0.5, 0.03, 0.8};
    struct pipeline pipeline = {.name = "drawn",
                                .delivery = (enum delivery)(i % 4),
                                .period_s = periods[ps_test_random(random) % PS_COUNT_OF(periods)],
                                .capacity = 500 * pow(40, (double)(ps_test_random(random) % 1000) / 1000),
                                .batch = (double)(1 + ps_test_random(random) % 5000),
                                .filter = (enum filter)(i / 4 % 3),
                                .share = shares[ps_test_random(random) % PS_COUNT_OF(shares)],
                                .joins_s = (double)(ps_test_random(random) % 9),
                                .latest = ps_test_random(random) % 2 == 0,
                                .connections = 1 + (unsigned)(ps_test_random(random) % 4)};
    pipeline.buffer = floor(pipeline.capacity * (pipeline.delivery == POLLS ? 8 : 0.3));
    return pipeline;
}

/* Drawn ones: a figure that is called found is near the truth. */
static void test_drawn(void **state)
{
    uint64_t random = ps_test_seed();
    unsigned misses = 0;
    for (unsigned i = 0; i < 24; i++) {
        struct pipeline pipeline = pipeline_draw(&random, i);
        struct ps_search_figure figure;
        struct ps_search *search = search_run(&pipeline, 180, &figure);
        double off = figure.rate / pipeline.capacity - 1;
        bool wrong = (figure.status == PS_SEARCH_FOUND && fabs(off) > NEAR) ||
                     figure.lower > pipeline.capacity * (1 + NEAR) ||
                     (figure.upper > 0 && figure.upper < pipeline.capacity * (1 - NEAR));
        if (wrong)
            print_message("case %u: %s %.0f, it holds %.0f\n", i, ps_search_status_text(figure.status),
                          figure.rate, pipeline.capacity);
        misses += wrong;
        ps_search_destroy(search);
    }
    assert_true(misses <= 1); /* of 720 drawn ones, two were off by more */
}

/* The time ends early: the rates `held` and `failed` are right, and the certainty of the interval between them
 * comes from trials, not from the width. */
static void test_short_of_time(void **state)
{
    uint64_t random = ps_test_seed();
    double promised = 0, kept = 0;
    unsigned misses = 0;
    for (unsigned i = 0; i < 96; i++) {
        struct pipeline pipeline = pipeline_draw(&random, i);
        struct ps_search_figure figure;
        struct ps_search *search = search_run(&pipeline, 15 + (double)(i % 8) * 10, &figure);
        bool wrong = figure.held > pipeline.capacity * (1 + NEAR) ||
                     (figure.failed > 0 && figure.failed < pipeline.capacity * (1 - NEAR));
        if (wrong)
            print_message("case %u: held %.0f, failed %.0f, it holds %.0f\n", i, figure.held, figure.failed,
                          pipeline.capacity);
        misses += wrong;
        promised += figure.confidence;
        kept += figure.confidence > 0 && figure.lower <= pipeline.capacity * 1.005 &&
                pipeline.capacity <= figure.upper * 1.005;
        /* a burst, or a queue, may hold any rate for the length of a short trial */
        if (figure.confidence > 0.9 || figure.low95 > 0)
            assert_true(figure.held > 0 || figure.held_s > 1);
        ps_search_destroy(search);
    }
    print_message("promised %.1f, kept %.0f\n", promised, kept);
    assert_true(promised <= kept + 3);
    assert_true(misses <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_constant_share),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_lingers),
        cmocka_unit_test(test_late_groups),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_long_waits),
        cmocka_unit_test(test_no_filters),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_short_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
