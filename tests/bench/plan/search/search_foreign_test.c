/* The verdict and the search against simulated foreign targets, in virtual time: queueing models that know
 * nothing of the planner, behind a generator and a far end that a busy machine stops now and then. The search,
 * the verdict and the trial's account are the real ones; only the programs are not.
 *
 * PENSTOCK_SEED draws the same targets again, PENSTOCK_CASES sets their number, PENSTOCK_SHOW prints each. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/plan/search/search_internal.h"
#include "bench/plan/trial/trial.h"
#include "tests/support/support.h"

#define TICK_S 0.002
#define SAMPLE_S 0.02
#define SAMPLES_MAX 8192U
#define CONNECTIONS_MAX 64U
#define LATE_BINS 4096U
#define SETTLE_S 2.0
#define DRAIN_S 60.0
#define OVERHEAD_S 2.0
#define EVENT_BYTES 100.0
/* A sanitizer looks at memory, and one case of each kind and noise is enough for that; the success
 * rates need many cases. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CASES 30U
#else
#define CASES 210U
#endif
#define SHARES_MIN_CASES 210U

enum kind {
    BUCKET_FAIR,    /* token bucket, back-pressure, shared evenly */
    BUCKET_UNFAIR,  /* the same, the first connections first */
    QUEUE_DROPS,    /* a bounded queue in front of a server of constant speed, drops what does not fit */
    QUEUE_BLOCKS,   /* the same, back-pressure */
    PER_CONNECTION, /* a token bucket for each connection; one may be slower than the others */
    PAUSES,         /* stops now and then, is faster in between */
    BURSTS,         /* a token bucket that saves up for bursts, and drops */
    SAGS,           /* is faster for the first 10 s */
    BATCHES,        /* forwards every 200 ms */
    WINDOWS,        /* forwards a fixed number in each window of some seconds, and drops the others */
    KINDS,
};
static const char *const kind_names[KINDS] = {"token bucket, fair",   "token bucket, unfair",
                                              "bounded queue, drops", "bounded queue, blocks",
                                              "limit a connection",   "pauses",
                                              "bursts, drops",        "sags after 10 s",
                                              "batches of 200 ms",    "windowed limit, drops"};

/* The number and length of times in which a process does not get a CPU. */
struct noise {
    const char *name;
    double stalls_per_s, stall_s;
};
static const struct noise noises[] = {{"quiet", 0.2, 0.002}, {"busy", 2, 0.010}, {"very busy", 4, 0.030}};

struct target {
    enum kind kind;
    unsigned noise;
    double capacity; /* events/s: the truth */
    unsigned connections;
    double buffer;  /* events between generator and target, for each connection */
    double depth_s; /* of the bucket */
    double queue_s; /* length of the queue, at the capacity */
    double pause_s, pause_every_s;
    double credit; /* how much faster at the beginning */
    double window_s;
    double slow; /* the slowest connection's share of the others' limit */
    uint64_t random;
};

static double chance(uint64_t *random)
{
    return (double)(ps_test_random(random) >> 11) / 9007199254740992.0;
}

static double between(uint64_t *random, double low, double high)
{
    return low * exp(chance(random) * log(high / low));
}

/* ---- one trial ---- */

struct stall {
    double until_s;
};

struct connection {
    double generated, handed, taken; /* events that were made; put into the buffer; taken from it */
    double queued, sent, dropped;    /* events in the target; that it sent; that it dropped */
    double received;
    double tokens;
};

struct simulation {
    struct target *target;
    double rate, seconds, t;
    struct connection connections[CONNECTIONS_MAX];
    struct stall generator, subject, far_end;
    double tokens, queued, window_begin_s, window_used, pause_from_s, batch_at_s;
    double late[LATE_BINS]; /* events by how many ticks late they were generated */
    double bunched;
    double latency[LATE_BINS * 4]; /* events by their latency in steps of 5 ms */
    double at_s[SAMPLES_MAX];
    double received[CONNECTIONS_MAX * SAMPLES_MAX];
    unsigned samples;
};

static double due(const struct simulation *sim, unsigned connection, double t)
{
    double reached = sim->rate * fmin(fmax(t, 0), sim->seconds);
    return reached >= connection ? floor((reached - connection) / sim->target->connections) + 1 : 0;
}

static bool is_stalled(struct simulation *sim, struct stall *stall)
{
    const struct noise *noise = &noises[sim->target->noise];
    uint64_t *random = &sim->target->random;
    if (sim->t < stall->until_s)
        return true;
    if (chance(random) >= noise->stalls_per_s * TICK_S)
        return false;
    stall->until_s = sim->t - noise->stall_s * log(1 - chance(random));
    return sim->t < stall->until_s;
}

static void generate(struct simulation *sim)
{
    const struct target *target = sim->target;
    bool stalled = is_stalled(sim, &sim->generator);
    for (unsigned i = 0; !stalled && i < target->connections; i++) {
        struct connection *one = &sim->connections[i];
        double now = due(sim, i, sim->t), more = now - one->generated;
        if (more > 0) { /* spread over the time since they were generated last */
            double spread_s = more * target->connections / sim->rate;
            unsigned late = (unsigned)fmin(spread_s / 2 / TICK_S, LATE_BINS - 1);
            bool bunch = spread_s > 0.01 + 2 * target->connections / sim->rate;
            sim->late[bunch ? late : 0] += more;
            sim->bunched += bunch ? more * (1 - 0.01 / spread_s) : 0;
            one->generated = now;
        }
        if (sim->t < sim->seconds + SETTLE_S)
            one->handed = fmin(one->generated, one->taken + fmax(target->buffer, 1));
    }
}

/* Takes up to `most` events out of the buffers into the target, fairly or the first connections first.
 * Returns how many. `*dropped` of them would not fit: the last ones. */
static double take(struct simulation *sim, double most, bool unfair)
{
    const struct target *target = sim->target;
    double left = most;
    for (unsigned pass = 0; pass < 3 && left > 1e-9; pass++) {
        unsigned active = 0;
        for (unsigned i = 0; i < target->connections; i++)
            active += sim->connections[i].handed > sim->connections[i].taken;
        double share = unfair ? left : left / fmax(active, 1);
        for (unsigned i = 0; i < target->connections && left > 1e-9; i++) {
            struct connection *one = &sim->connections[i];
            double count = fmin(fmin(one->handed - one->taken, share), left);
            one->taken += count;
            one->queued += count;
            left -= count;
        }
    }
    return most - left;
}

/* Drops what waits in the buffers: the target reads it and has no room. */
static void drop_rest(struct simulation *sim)
{
    for (unsigned i = 0; i < sim->target->connections; i++) {
        struct connection *one = &sim->connections[i];
        one->dropped += one->handed - one->taken;
        one->taken = one->handed;
    }
}

/* Forwards up to `most` of what is queued in the target, in proportion. */
static void forward(struct simulation *sim, double most)
{
    double queued = 0;
    for (unsigned i = 0; i < sim->target->connections; i++)
        queued += sim->connections[i].queued;
    double share = queued > most ? most / queued : 1;
    for (unsigned i = 0; i < sim->target->connections; i++) {
        struct connection *one = &sim->connections[i];
        one->sent += one->queued * share;
        one->queued -= one->queued * share;
    }
    sim->queued = fmax(queued - most, 0);
}

/* Refills the bucket for one tick and returns its tokens. */
static double refill(struct simulation *sim, double rate, double depth)
{
    sim->tokens = fmin(sim->tokens + rate * TICK_S, fmax(depth, rate * TICK_S * 1.5));
    return sim->tokens;
}

static void serve_connections(struct simulation *sim)
{
    const struct target *target = sim->target;
    double limit = target->capacity / target->connections; /* of the slowest */
    for (unsigned i = 0; i < target->connections; i++) {
        struct connection *one = &sim->connections[i];
        double rate = i == target->connections / 2 ? limit : limit / target->slow;
        one->tokens = fmin(one->tokens + rate * TICK_S, fmax(rate * target->depth_s, 1));
        double count = fmin(one->handed - one->taken, one->tokens);
        one->tokens -= count;
        one->taken += count;
        one->sent += count;
    }
}

static bool is_paused(struct simulation *sim)
{
    const struct target *target = sim->target;
    if (sim->t >= sim->pause_from_s + target->pause_s)
        sim->pause_from_s += target->pause_every_s * (0.8 + 0.4 * chance(&sim->target->random));
    return sim->t >= sim->pause_from_s && sim->t < sim->pause_from_s + target->pause_s;
}

static void serve_awake(struct simulation *sim)
{
    const struct target *target = sim->target;
    double capacity = target->capacity;
    switch (target->kind) {
    case PER_CONNECTION:
        serve_connections(sim);
        return;
    case QUEUE_DROPS:
    case QUEUE_BLOCKS:
        refill(sim, capacity, 0);
        take(sim, capacity * target->queue_s - sim->queued, false);
        if (target->kind == QUEUE_DROPS)
            drop_rest(sim);
        forward(sim, sim->tokens);
        sim->tokens = 0;
        return;
    case BATCHES:
        take(sim, 1e18, false);
        if (sim->t < sim->batch_at_s)
            return;
        sim->batch_at_s = sim->t + 0.2;
        forward(sim, capacity * 0.2);
        return;
    case WINDOWS:
        if (sim->t >= sim->window_begin_s + target->window_s) {
            sim->window_begin_s = sim->t;
            sim->window_used = 0;
        }
        sim->window_used += take(sim, floor(capacity * target->window_s) - sim->window_used, false);
        drop_rest(sim);
        forward(sim, 1e18);
        return;
    case PAUSES:
        capacity /= 1 - target->pause_s / target->pause_every_s;
        break;
    case SAGS:
        capacity *= sim->t < 10 ? target->credit : 1;
        break;
    default:
        break;
    }
    double used = take(sim, refill(sim, capacity, capacity * target->depth_s), target->kind == BUCKET_UNFAIR);
    sim->tokens -= used;
    if (target->kind == BURSTS)
        drop_rest(sim);
    forward(sim, 1e18);
}

static void serve(struct simulation *sim)
{
    bool paused = sim->target->kind == PAUSES && is_paused(sim);
    if (!is_stalled(sim, &sim->subject) && !paused)
        serve_awake(sim);
    else if (sim->target->kind != PER_CONNECTION && !paused && sim->target->kind != QUEUE_DROPS &&
             sim->target->kind != QUEUE_BLOCKS) /* the clock of a bucket keeps running */
        refill(sim,
               sim->target->capacity * (sim->target->kind == SAGS && sim->t < 10 ? sim->target->credit : 1),
               sim->target->capacity * sim->target->depth_s);
}

static void receive(struct simulation *sim)
{
    const struct target *target = sim->target;
    bool stalled = is_stalled(sim, &sim->far_end);
    for (unsigned i = 0; !stalled && i < target->connections; i++) {
        struct connection *one = &sim->connections[i];
        double count = floor(one->sent + 1e-6) - one->received;
        if (count <= 0)
            continue;
        double middle = one->received + one->dropped + count / 2;
        double late_s = sim->t - middle * target->connections / sim->rate;
        unsigned bin = (unsigned)fmin(fmax(late_s, 0) / 0.005, LATE_BINS * 4 - 1);
        sim->latency[bin] += count;
        one->received += count;
    }
}

static void sample(struct simulation *sim)
{
    if (sim->samples == SAMPLES_MAX || sim->t + 1e-9 < sim->samples * SAMPLE_S)
        return;
    sim->at_s[sim->samples] = sim->t;
    for (unsigned i = 0; i < sim->target->connections; i++)
        sim->received[(size_t)i * SAMPLES_MAX + sim->samples] = sim->connections[i].received;
    sim->samples++;
}

static double percentile(const double *bins, unsigned count, double share)
{
    double total = 0, sum = 0;
    for (unsigned i = 0; i < count; i++)
        total += bins[i];
    for (unsigned i = 0; i < count; i++) {
        sum += bins[i];
        if (total > 0 && sum >= total * share)
            return i;
    }
    return 0;
}

/* Fills in the trial from what happened, as the reports of load and verify do. */
static void account(struct simulation *sim, struct ps_trial *trial, double sent, double received)
{
    const struct target *target = sim->target;
    trial->offered = sim->rate * sim->seconds;
    trial->sent = sent;
    trial->received = received;
    trial->lost = fmax(sent - received, 0);
    trial->loss = sent > 0 ? trial->lost / sent : 0;
    trial->bunched = sim->bunched;
    trial->goodput = fmin(sim->rate, received / sim->seconds);
    trial->schedule_error_p90_ns = percentile(sim->late, LATE_BINS, 0.9) * TICK_S * 1e9;
    trial->schedule_error_p99_ns = percentile(sim->late, LATE_BINS, 0.99) * TICK_S * 1e9;
    trial->connections = target->connections;
    trial->generator_held = trial->schedule_error_p99_ns <= 0.05e9;
    trial->start_unix_ns = 1e18;
    trial->json.latency =
        json_pack("{s:f}", "p99", percentile(sim->latency, LATE_BINS * 4, 0.99) * 0.005 * 1e9);
    json_t *rows = json_array();
    for (unsigned i = 0; i < target->connections; i++) {
        json_t *counts = json_array();
        for (unsigned k = 0; k < sim->samples; k++) {
            const double *at = &sim->received[(size_t)i * SAMPLES_MAX + k];
            json_array_append_new(counts, json_real(k == 0 ? at[0] : at[0] - at[-1]));
        }
        json_array_append_new(rows, counts);
    }
    trial->json.arrivals = json_pack("{s:f,s:f,s:o}", "start_unix_ns", trial->start_unix_ns - SAMPLE_S * 1e9,
                                     "step_ns", SAMPLE_S * 1e9, "received", rows);
}

static struct ps_search_answer run_trial(struct target *target, const struct ps_search_ask *ask,
                                         const struct ps_search_config *config)
{
    struct simulation *sim = calloc(1, sizeof *sim);
    struct ps_trial trial = {.rate = ask->rate, .seconds = ask->seconds};
    struct ps_search_answer answer;
    double received = 0, sent = 0, dropped = 0, came_s = 0;
    sim->target = target;
    sim->rate = ask->rate;
    sim->seconds = ask->seconds;
    sim->tokens = target->capacity * target->depth_s; /* full after the time between trials */
    sim->pause_from_s = target->pause_every_s * chance(&target->random);
    for (unsigned i = 0; i < target->connections; i++)
        sim->connections[i].tokens = target->capacity * target->depth_s;
    for (sim->t = 0; sim->t < ask->seconds + SETTLE_S + DRAIN_S; sim->t += TICK_S) {
        double before = received;
        generate(sim);
        serve(sim);
        receive(sim);
        sample(sim);
        sent = received = dropped = 0;
        for (unsigned i = 0; i < target->connections; i++) {
            sent += sim->connections[i].handed;
            received += sim->connections[i].received;
            dropped += sim->connections[i].dropped;
        }
        came_s = received > before ? sim->t : came_s;
        bool all_sent = sim->t >= ask->seconds + SETTLE_S || sent >= floor(ask->rate * ask->seconds);
        if (sim->t > ask->seconds && all_sent &&
            (received + dropped >= sent - target->connections || sim->t > came_s + 1))
            break;
    }
    if (sent - dropped - received < target->connections + 1) /* fractions of events that the model splits */
        received = sent - floor(dropped);
    account(sim, &trial, sent, received);
    ps_trial_conclude(&trial);
    trial.cost_s = sim->t + OVERHEAD_S;
    ps_trial_answer(&trial, config->goals, config->goal_count, &answer);
    ps_trial_fini(&trial);
    free(sim);
    return answer;
}

/* The true answer: the rate that the target forwards when it always has input, on the same machine. A bucket that is not
 * full enough for a stall of its process loses capacity there. */
static double capacity_of(const struct target *drawn)
{
    static const double from_s = 12, to_s = 52;
    if (drawn->kind == WINDOWS)
        return drawn->capacity; /* its clock keeps running while its process does not */
    struct simulation *sim = calloc(1, sizeof *sim);
    struct target target = *drawn;
    double begin = 0, end = 0;
    target.buffer = fmax(target.buffer, target.capacity); /* never empty */
    sim->target = &target;
    sim->rate = target.capacity * 2.5;
    sim->seconds = to_s;
    for (sim->t = 0; sim->t < to_s; sim->t += TICK_S) {
        double sum = 0;
        generate(sim);
        serve(sim);
        receive(sim);
        for (unsigned i = 0; i < target.connections; i++)
            if (target.kind != PER_CONNECTION || i == target.connections / 2)
                sum += sim->connections[i].sent;
        begin = sim->t < from_s ? sum : begin;
        end = sum;
    }
    free(sim);
    return (end - begin) / (to_s - from_s) * (target.kind == PER_CONNECTION ? target.connections : 1);
}

/* ---- cases ---- */

static void draw(struct target *target, uint64_t *random, unsigned number)
{
    static const unsigned connections[] = {1, 2, 4, 8, 16, 32, 64};
    *target = (struct target){
        .kind = (enum kind)(number % KINDS),
        .noise = number / KINDS % PS_COUNT_OF(noises),
        .capacity = round(between(random, 1000, 1e6)),
        .connections = connections[ps_test_random(random) % PS_COUNT_OF(connections)],
        .buffer = between(random, 4096, 16 << 20) / EVENT_BYTES,
        .depth_s = between(random, 0.005, 0.05),
        .queue_s = between(random, 0.05, 0.5),
        .pause_s = between(random, 0.02, 0.2),
        .credit = between(random, 1.1, 2),
        .window_s = between(random, 1, 5),
        .slow = between(random, 0.5, 1),
        .random = ps_test_random(random) | 1,
    };
    target->buffer = fmax(target->buffer, 4 * target->capacity * TICK_S); /* a tick takes no more */
    target->pause_every_s = target->pause_s / between(random, 0.02, 0.2);
    if (target->kind == BURSTS)
        target->depth_s = between(random, 0.05, 0.3);
    if (target->connections == 1)
        target->slow = 1;
}

struct score {
    unsigned cases, near, inside, out_of_time, at_least, wrong;
};

static void add(struct score *score, const struct ps_search_figure *figure, double capacity)
{
    bool near = fabs(figure->rate / capacity - 1) <= 0.03;
    bool found = figure->status == PS_SEARCH_FOUND;
    bool at_least = ps_search_is_at_least(figure);
    bool inside = figure->low95 > 0
                      ? figure->low95 <= capacity && (figure->high95 == 0 || capacity <= figure->high95)
                      : figure->lower <= capacity && (figure->upper == 0 || capacity <= figure->upper);
    score->cases++;
    score->near += near;
    score->inside += inside;
    score->out_of_time += figure->status == PS_SEARCH_OUT_OF_TIME;
    score->at_least += at_least;
    score->wrong += (found && !near) || (at_least && figure->rate > capacity * 1.03);
}

static void print_score(const char *name, const struct score *score)
{
    print_message("| %-22s | %5u | %5u | %5u | %5u | %5u | %5u |\n", name, score->cases, score->near,
                  score->inside, score->out_of_time, score->at_least, score->wrong);
}

static void show(const struct ps_search *search, const struct target *target, unsigned number, double truth)
{
    struct ps_search_figure figure;
    ps_search_figure(search, 0, &figure);
    print_message("%u %s %s C %.0f (of %.0f) conns %u buffer %.0f depth %.3f: %s %.0f (%+.1f %%) [%.0f %.0f] "
                  "95 [%.0f %.0f]\n",
                  number, kind_names[target->kind], noises[target->noise].name, truth, target->capacity,
                  target->connections, target->buffer, target->depth_s, ps_search_status_text(figure.status),
                  figure.rate, (figure.rate / truth - 1) * 100, figure.lower, figure.upper, figure.low95,
                  figure.high95);
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct ps_search_trial *trial = ps_search_trial(search, i);
        print_message(
            "    %9.0f (%.3f) %5.2f s cost %5.2f %-9s lost %.0f bunched %.0f goodput %.3f worst %.3f\n",
            trial->ask.rate, trial->ask.rate / truth, trial->ask.seconds, trial->answer.cost_s,
            ps_trial_verdict_text(ps_search_verdict(search, i, 0)), trial->answer.lost, trial->answer.bunched,
            trial->answer.goodput / truth, trial->answer.goodput_worst / truth);
    }
}

static void test_family(void **state)
{
    uint64_t seed = ps_test_seed(), random = seed;
    const char *text = getenv("PENSTOCK_CASES");
    unsigned cases = text != NULL ? (unsigned)strtoul(text, NULL, 10) : CASES;
    const char *wanted = getenv("PENSTOCK_SHOW");
    struct score kinds[KINDS] = {{0}}, by_noise[PS_COUNT_OF(noises)] = {{0}}, all = {0};
    for (unsigned number = 0; number < cases; number++) {
        struct target target;
        draw(&target, &random, number);
        double truth = capacity_of(&target);
        const struct ps_search_config config = {.goals = {{.name = "ndr"}},
                                                .goal_count = 1,
                                                .rate_min = 10,
                                                .rate_max = 100e6,
                                                .rate_first = 10000,
                                                .precision = 0.03,
                                                .budget_s = 120};
        struct ps_search *search = ps_search_create(&config);
        struct ps_search_figure figure;
        struct ps_search_ask ask;
        while (ps_search_next(search, &ask)) {
            struct ps_search_answer answer = run_trial(&target, &ask, &config);
            ps_search_feed(search, &answer);
        }
        ps_search_figure(search, 0, &figure);
        add(&kinds[target.kind], &figure, truth);
        add(&by_noise[target.noise], &figure, truth);
        add(&all, &figure, truth);
        if (wanted != NULL && (strcmp(wanted, "all") == 0 || fabs(figure.rate / truth - 1) > 0.03))
            show(search, &target, number, truth);
        ps_search_destroy(search);
    }
    print_message("| target                 | cases |  ±3 %% |  95 %% |  late | least | wrong |\n");
    for (unsigned i = 0; i < KINDS; i++)
        print_score(kind_names[i], &kinds[i]);
    for (unsigned i = 0; i < PS_COUNT_OF(noises); i++)
        print_score(noises[i].name, &by_noise[i]);
    print_score("all", &all);
    if (all.cases < SHARES_MIN_CASES)
        return;
    /* The goals are 95 %; the bounds leave room for the luck of a seed. */
    const struct score *quiet = &by_noise[0], *busy = &by_noise[1], *very_busy = &by_noise[2];
    assert_true(quiet->near + busy->near >= 0.92 * (quiet->cases + busy->cases));
    assert_true(quiet->inside + busy->inside >= 0.93 * (quiet->cases + busy->cases));
    assert_true(quiet->wrong + busy->wrong <= 0.04 * (quiet->cases + busy->cases));
    /* Every process of this machine stops for an eighth of the time: the search may run out of time, not be wrong. */
    assert_true(very_busy->inside >= 0.6 * very_busy->cases);
    assert_true(very_busy->wrong <= 0.25 * very_busy->cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
