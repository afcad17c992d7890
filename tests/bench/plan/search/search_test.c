/* The search of `penstock plan` in simulated time, against targets whose capacity is known. */
#include <math.h>
#include <stdio.h>

#include "bench/plan/flow.h"
#include "bench/plan/search/search.h"
#include "tests/support/support.h"

/* An artificial target. */
struct target {
    double capacity;         /* events/s */
    double queue;            /* events it can hold back */
    bool back_pressure;      /* slows the sender down instead of dropping */
    double noise;            /* each trial's capacity is evenly distributed within this share of `capacity` */
    double false_loss;       /* share of trials that lose something for no reason */
    double false_hold;       /* share of trials at which overload does not show */
    double bad_from, bad_to; /* rates at which something is lost whatever the capacity */
    double generator_max;    /* the rate that the load generator can offer; 0: any */
    double broken_from;      /* at this rate and above trials fail, 0: never */
    double overhead_s;
    uint64_t random;
};

static double chance(struct target *target)
{
    return (double)(ps_test_random(&target->random) >> 11) / 9007199254740992.0;
}

/* Returns p99 of the time in an M/D/1 queue, from the exponential tail of its waiting time. */
static double p99_ns(double capacity, double rate)
{
    double load = rate / capacity;
    return load >= 1 ? 1e12 : (1 + log(100) * load / (2 * (1 - load))) / capacity * 1e9;
}

/* Returns the rate at which p99_ns is `limit_ns`. */
static double p99_rate(double capacity, double limit_ns)
{
    double x = 2 * (limit_ns / 1e9 * capacity - 1) / log(100);
    return capacity * x / (1 + x);
}

static struct ps_search_answer run_trial(struct target *target, const struct ps_search_ask *ask,
                                         const struct ps_search_config *config)
{
    struct ps_search_answer answer = {.generator_held = true, .cost_s = ask->seconds + target->overhead_s};
    double rate = ask->rate, capacity = target->capacity * (1 + target->noise * (2 * chance(target) - 1));
    if (target->broken_from > 0 && rate >= target->broken_from) {
        answer.failed = true;
        return answer;
    }
    if (target->generator_max > 0 && rate > target->generator_max) {
        answer.generator_held = false;
        rate = target->generator_max;
    }
    answer.sent = rate * ask->seconds;
    answer.goodput = fmin(rate, capacity);
    double excess = fmax(0, (rate - capacity) * ask->seconds);
    if (excess > 0 && chance(target) < target->false_hold)
        excess = 0;
    double queued = target->back_pressure ? excess : fmin(excess, target->queue);
    answer.behind = queued / capacity > ps_flow_allowed_s(ask->seconds, 0);
    answer.decisive = queued / capacity > 2 * ps_flow_allowed_s(ask->seconds, 0);
    answer.lost = floor(excess - queued);
    if (chance(target) < target->false_loss || (rate >= target->bad_from && rate <= target->bad_to))
        answer.lost += answer.sent * 0.01 + 1;
    for (unsigned i = 0; i < config->goal_count; i++)
        answer.latency_ns[i] = p99_ns(capacity, rate);
    return answer;
}

static struct ps_search_config config_for(double rate_min, double rate_max)
{
    return (struct ps_search_config){.goals = {{.name = "ndr"}},
                                     .goal_count = 1,
                                     .rate_min = rate_min,
                                     .rate_max = rate_max,
                                     .precision = 0.03,
                                     .budget_s = 120};
}

/* Runs a search to its end within its budget. */
static struct ps_search *run(struct target *target, const struct ps_search_config *config)
{
    struct ps_search *search = ps_search_create(config);
    struct ps_search_ask ask;
    double spent_s = 0;
    while (ps_search_next(search, &ask)) {
        assert_true(ask.rate >= config->rate_min && ask.rate <= config->rate_max);
        struct ps_search_answer answer = run_trial(target, &ask, config);
        ps_search_feed(search, &answer);
        spent_s += answer.cost_s;
    }
    assert_true(spent_s <= config->budget_s);
    return search;
}

static struct ps_search_figure figure_of(struct target *target, const struct ps_search_config *config)
{
    struct ps_search *search = run(target, config);
    struct ps_search_figure figure;
    ps_search_figure(search, 0, &figure);
    ps_search_destroy(search);
    return figure;
}

static void assert_found(const struct ps_search_figure *figure, double capacity)
{
    assert_int_equal(figure->status, PS_SEARCH_FOUND);
    assert_true(fabs(figure->rate / capacity - 1) <= 0.03);
    assert_true(figure->lower <= figure->rate && figure->rate <= figure->upper);
    assert_true(figure->upper <= figure->lower * 1.03);
    assert_true(figure->low95 <= figure->rate && figure->rate <= figure->high95);
    assert_true(figure->confidence > 0 && figure->confidence <= 1); /* low when an end is the threshold */
    assert_true(figure->repeats >= 1);
}

/* A token bucket whose queue holds 20 ms of events: ten successes in ten searches. */
static void test_token_bucket(void **state)
{
    for (unsigned i = 0; i < 10; i++) {
        struct target target = {.capacity = 87654, .queue = 1753, .overhead_s = 1.5, .random = i + 1};
        struct ps_search_config config = config_for(100, 10e6);
        struct ps_search_figure figure = figure_of(&target, &config);
        assert_found(&figure, target.capacity);
        assert_true(figure.confidence > 0.6);
    }
}

static void test_back_pressure(void **state)
{
    struct target target = {.capacity = 412345, .back_pressure = true, .overhead_s = 1.5, .random = 1};
    struct ps_search_config config = config_for(100, 10e6);
    struct ps_search_figure figure = figure_of(&target, &config);
    /* A queue that grows by less than half the precision is not seen. */
    assert_int_equal(figure.status, PS_SEARCH_FOUND);
    assert_true(fabs(figure.rate / (target.capacity * 1.015) - 1) <= 0.016);
}

/* Random capacities, queues, overheads, noise and unlucky trials. */
static void test_any_target(void **state)
{
    uint64_t seed = ps_test_seed(), random = seed;
    unsigned quiet_misses = 0, noisy_misses = 0, count = 1000;
    for (unsigned i = 0; i < count; i++) {
        struct target target = {.random = ps_test_random(&random) | 1};
        bool noisy = i % 2 == 1;
        target.capacity = exp(log(200) + chance(&target) * log(2e4));
        target.queue = target.capacity * 0.02 * chance(&target);
        target.overhead_s = 0.5 + chance(&target);
        if (noisy) {
            target.noise = 0.01;
            target.false_loss = 0.03;
            target.false_hold = 0.03;
        }
        struct ps_search_config config = config_for(100, 10e6);
        struct ps_search_figure figure = figure_of(&target, &config);
        bool missed = fabs(figure.rate / target.capacity - 1) > 0.03 || figure.lower == 0;
        if (missed)
            print_message("capacity %.0f queue %.0f: %s %.0f [%.0f, %.0f], trial %u\n", target.capacity,
                          target.queue, ps_search_status_text(figure.status), figure.rate, figure.lower,
                          figure.upper, i);
        if (!noisy)
            assert_found(&figure, target.capacity);
        quiet_misses += missed && !noisy;
        noisy_misses += missed && noisy;
        if (i == 999 && noisy_misses > 10)
            count =
                5000; /* some 0.8 % of the noisy searches miss; of 500, one seed in 200 has more than ten */
    }
    assert_int_equal(quiet_misses, 0);
    assert_true(noisy_misses <= count / 100); /* 2 % of the searches with noisy trials */
}

/* The confidence is right: with noise, the threshold is in the interval about as often as stated. */
static void test_confidence(void **state)
{
    uint64_t random = ps_test_seed();
    double promised = 0, kept = 0, kept95 = 0;
    for (unsigned i = 0; i < 300; i++) {
        struct target target = {
            .capacity = 50000, .noise = 0.02, .overhead_s = 1, .random = ps_test_random(&random) | 1};
        target.capacity *= 1 + chance(&target);
        struct ps_search_config config = config_for(1000, 1e6);
        struct ps_search_figure figure = figure_of(&target, &config);
        promised += figure.confidence;
        kept += figure.lower <= target.capacity && target.capacity <= figure.upper;
        kept95 += figure.low95 <= target.capacity && target.capacity <= figure.high95;
    }
    print_message("promised %.0f of 300, kept %.0f; 95 %% interval kept %.0f\n", promised, kept, kept95);
    assert_true(kept >= promised - 25);
    assert_true(kept95 >= 0.92 * 300);
}

static void test_outside_range(void **state)
{
    struct target target = {.capacity = 500, .overhead_s = 1, .random = 7};
    struct ps_search_config config = config_for(1000, 10000);
    struct ps_search_figure figure = figure_of(&target, &config);
    assert_int_equal(figure.status, PS_SEARCH_BELOW_RANGE);
    assert_true(figure.lower == 0 && figure.upper == 1000);
    target.capacity = 50000;
    figure = figure_of(&target, &config);
    assert_int_equal(figure.status, PS_SEARCH_ABOVE_RANGE);
    assert_true(figure.lower == 10000 && figure.rate == 10000 && figure.upper == 0);
    assert_true(figure.repeats >= 1);
}

static void test_generator_limited(void **state)
{
    struct target target = {.capacity = 5e6, .generator_max = 400000, .overhead_s = 1, .random = 7};
    struct ps_search_config config = config_for(100, 10e6);
    struct ps_search_figure figure = figure_of(&target, &config);
    assert_int_equal(figure.status, PS_SEARCH_GENERATOR_LIMITED);
    assert_true(figure.rate == figure.lower && figure.lower <= 400000 && figure.lower > 400000 * 0.96);
    /* A generator just above the subject's capacity does not matter. */
    target = (struct target){.capacity = 300000, .generator_max = 330000, .overhead_s = 1, .random = 7};
    figure = figure_of(&target, &config);
    assert_found(&figure, 300000);
    /* The generator cannot even offer the lowest rate. */
    target.generator_max = 50;
    figure = figure_of(&target, &config);
    assert_int_equal(figure.status, PS_SEARCH_GENERATOR_LIMITED);
    assert_true(figure.lower == 0);
}

static void test_broken(void **state)
{
    struct target target = {.capacity = 1e6, .broken_from = 1, .overhead_s = 1, .random = 7};
    struct ps_search_config config = config_for(100, 10e6);
    struct ps_search_figure figure = figure_of(&target, &config);
    assert_int_equal(figure.status, PS_SEARCH_FAILED);
    /* A target that fails above a rate holds below it. */
    target = (struct target){.capacity = 1e7, .broken_from = 150000, .overhead_s = 1, .random = 7};
    config.repeats_max = 2;
    struct ps_search *search = run(&target, &config);
    ps_search_figure(search, 0, &figure);
    assert_true(figure.lower <= 150000 && figure.lower >= 1000);
    ps_search_destroy(search);
}

/* A band of rates that lose lies below rates that are held: the lower rate counts, once it has been seen. */
static void test_loss_inversion(void **state)
{
    struct target target = {
        .capacity = 100000, .bad_from = 39000, .bad_to = 41000, .overhead_s = 1, .random = 3};
    struct ps_search_config config = config_for(10000, 1e6); /* 10,000, 40,000, ... */
    struct ps_search_figure figure = figure_of(&target, &config);
    assert_found(&figure, 39000);
    /* The band appears where short trials had held, below rates that still hold. */
    struct ps_search *search = ps_search_create(&config);
    struct ps_search_ask ask;
    target.capacity = 103456;
    target.bad_from = target.bad_to = 0;
    while (ps_search_next(search, &ask)) {
        if (ask.seconds > 3.9 && ask.rate < target.capacity && target.bad_to == 0) {
            target.bad_from = ask.rate * 0.99;
            target.bad_to = ask.rate;
        }
        struct ps_search_answer answer = run_trial(&target, &ask, &config);
        ps_search_feed(search, &answer);
    }
    ps_search_figure(search, 0, &figure);
    assert_true(target.bad_from > 0 && target.bad_to < target.capacity);
    assert_found(&figure, target.bad_from);
    ps_search_destroy(search);
}

static void test_latency_goal(void **state)
{
    for (unsigned i = 1; i <= 10; i++) {
        struct target target = {.capacity = 1000.0 * i * i, .noise = 0.002, .overhead_s = 1, .random = i};
        struct ps_search_config config = config_for(10, 1e6);
        config.goals[0] = (struct ps_goal){"p99<20ms", 0, 99, 20000000};
        struct ps_search_figure figure = figure_of(&target, &config);
        assert_found(&figure, p99_rate(target.capacity, 20e6));
    }
}

/* Three goals share their trials: far fewer than three searches. */
static void test_many_goals(void **state)
{
    struct target target = {.capacity = 20000, .queue = 100, .overhead_s = 1.5, .random = 3};
    struct ps_search_config config = config_for(100, 1e7);
    config.goals[1] = (struct ps_goal){"pdr=10%", 0.1, 0, 0};
    config.goals[2] = (struct ps_goal){"p99<1ms", 0, 99, 1000000};
    config.goal_count = 3;
    config.budget_s = 360;
    struct ps_search *search = run(&target, &config);
    const double expected[] = {20000, 20000 / 0.9, p99_rate(20000, 1e6)};
    for (unsigned goal = 0; goal < 3; goal++) {
        struct ps_search_figure figure;
        ps_search_figure(search, goal, &figure);
        assert_found(&figure, expected[goal]);
    }
    unsigned shared = ps_search_count(search);
    config.goal_count = 1;
    config.budget_s = 120;
    struct ps_search *alone = run(&target, &config);
    assert_true(shared < 3 * ps_search_count(alone));
    ps_search_destroy(alone);
    ps_search_destroy(search);
}

/* A budget for only a few trials: the interval shows it. */
static void test_out_of_time(void **state)
{
    for (double budget_s = 3; budget_s < 40; budget_s += 1) {
        struct target target = {.capacity = 54321, .overhead_s = 2, .random = 3};
        struct ps_search_config config = config_for(100, 1e7);
        config.budget_s = budget_s;
        config.long_s = 4;
        struct ps_search_figure figure = figure_of(&target, &config);
        assert_true(figure.status == PS_SEARCH_OUT_OF_TIME || budget_s > 30);
        assert_true(figure.lower <= 54321 && (figure.upper == 0 || figure.upper >= 54321));
    }
}

/* A trial that could not be run, and verdicts by name. */
static void test_verdicts(void **state)
{
    struct ps_search_config config = config_for(100, 1e7);
    config.goals[0].loss_max = 0.01;
    config.goals[0].percentile = 99;
    config.goals[0].latency_limit_ns = 1000;
    static const struct {
        struct ps_search_answer answer;
        enum ps_trial_verdict verdict;
    } cases[] = {
        {{.sent = 100, .lost = 1, .latency_ns = {1000}, .generator_held = true}, PS_TRIAL_HELD},
        {{.sent = 100, .lost = 2, .latency_ns = {1000}, .generator_held = true}, PS_TRIAL_LOST},
        {{.sent = 100, .lost = 2, .latency_ns = {2000}}, PS_TRIAL_LOST},
        {{.sent = 100, .latency_ns = {1001}, .generator_held = true}, PS_TRIAL_LATE},
        {{.sent = 100, .latency_ns = {2000}}, PS_TRIAL_GENERATOR},
        {{.sent = 100, .latency_ns = {2000}, .generator_held = true, .generator_late = {true}},
         PS_TRIAL_GENERATOR},
        {{.sent = 100, .latency_ns = {1000}, .generator_held = true, .generator_late = {true}},
         PS_TRIAL_HELD},
        {{.sent = 100, .behind = true, .generator_held = true}, PS_TRIAL_LATE},
        {{.sent = 100, .behind = true}, PS_TRIAL_GENERATOR},
        {{.sent = 100, .lost = 9, .bunched = 7, .latency_ns = {1000}}, PS_TRIAL_LOST},
        {{.sent = 100, .lost = 9, .bunched = 8, .latency_ns = {1000}}, PS_TRIAL_GENERATOR},
        {{.sent = 100, .generator_held = true, .failed = true}, PS_TRIAL_FAILED},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_search *search = ps_search_create(&config);
        struct ps_search_ask ask, again;
        assert_true(ps_search_next(search, &ask) && ps_search_next(search, &again));
        assert_memory_equal(&ask, &again, sizeof ask);
        ps_search_feed(search, &cases[i].answer);
        assert_int_equal(ps_search_verdict(search, 0, 0), cases[i].verdict);
        ps_search_destroy(search);
    }
    assert_string_equal(ps_trial_verdict_text(PS_TRIAL_GENERATOR), "generator");
    assert_string_equal(ps_search_status_text(PS_SEARCH_FAILED), "failed");
    assert_string_equal(ps_search_status_text(PS_SEARCH_GENERATOR_LIMITED), "generator-limited");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_bucket),  cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_any_target),    cmocka_unit_test(test_confidence),
        cmocka_unit_test(test_outside_range), cmocka_unit_test(test_generator_limited),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_loss_inversion),
        cmocka_unit_test(test_latency_goal),  cmocka_unit_test(test_many_goals),
        cmocka_unit_test(test_out_of_time),   cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
