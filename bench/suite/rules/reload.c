/* Measures how a reload of 1,000 rules affects events at 1,000,000 per second: netcat -> rules -> memory ->
 * null in this process, its worker pinned to its own CPU; the sender (bench/suite/pump.h) runs on the first
 * CPU, open loop, in steps of a millisecond.
 *
 * A second source of the same worker, with the same rules, takes 10,000 probes per second that are answered
 * with OK; latencies are those of the probes, from the time each was due to its answer. (Answers to all
 * events would cost more than the rules.) Meanwhile the rules file is replaced; the agent reads it, compiles
 * it once per source in separate processes, and puts it into use.
 *
 *   bench_rules_reload [--seconds 2] [--rounds 5] [--events RATE]
 *
 * A round is --seconds without a reload and as long with one. Prints two records:
 *
 * - p99 latency during a reload, compared with that without one (medians over tenths of a second)
 * - the worker's longest cycle, without the time in which a watch on its CPU had to wait as well
 *   (bench/suite/cpu_watch.h). The engine does not list cycles up to 1 ms: 1 means that none was longer */
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/suite/drain.h"
#include "bench/suite/paired.h"
#include "bench/suite/pump.h"
#include "bench/suite/rule_agent.h"
#include "bench/suite/rule_traffic.h"
#include "bench/suite/cpu_watch.h"
#include "bench/support/measure.h"

#define RULES 1000U
#define EVENTS 8192U
#define LOOKS_MAX 8192U
#define WARM_S 3.0
#define PROBE_RATE 10000.0

/* A tenth of a second, as load reported it. */
struct look {
    uint64_t end_ns;
    double p99_ns, rate;
};

/* A running `penstock load`. */
struct sender {
    pid_t pid;
    int out;
    pthread_t reader;
    pthread_mutex_t lock; /* guards looks and summary */
    struct look looks[LOOKS_MAX];
    unsigned look_count;
    char summary[4096];
};

struct job {
    double rate, seconds;
    int worker_cpu, load_cpu;
    char program[512], folder[64], rules[128], next[128], lines[128];
    pid_t bulk;
    char *bytes; /* the bytes that it sends */
    struct sender probe;
    struct ps_agent *agent;
    struct ps_cpu_watch *watch;
    uint64_t slow_seen;
};

/* ---- files ---- */

static void rules_write(const char *path, unsigned count)
{
    struct ps_rule_traffic traffic;
    ps_rule_traffic_init(&traffic, PS_RULE_TRAFFIC_SPREAD, count);
    FILE *file = fopen(path, "we");
    PS_ASSERT(file != NULL);
    ps_rule_traffic_rules(&traffic, PS_RULE_TRAFFIC_ROUTE, file);
    PS_ASSERT(fclose(file) == 0);
}

#define LINE_BYTES (PS_RULE_TRAFFIC_BYTES + 1)

/* Writes the lines to a file for the probes and returns them for the bulk sender. */
static char *lines_make(const char *path)
{
    struct ps_rule_traffic traffic;
    char *lines = ps_must_alloc(1, EVENTS * LINE_BYTES, "lines");
    ps_rule_traffic_init(&traffic, PS_RULE_TRAFFIC_SPREAD, RULES);
    FILE *file = fopen(path, "we");
    PS_ASSERT(file != NULL);
    for (uint32_t i = 0; i < EVENTS; i++) {
        ps_rule_traffic_event(&traffic, lines + (size_t)i * LINE_BYTES);
        lines[(size_t)i * LINE_BYTES + PS_RULE_TRAFFIC_BYTES] = '\n';
    }
    fwrite(lines, LINE_BYTES, EVENTS, file);
    PS_ASSERT(fclose(file) == 0);
    return lines;
}

/* ---- load ---- */

static double member(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = json != NULL ? strstr(json, key) : NULL;
    return at != NULL ? strtod(at + strlen(key), NULL) : 0;
}

static void *read_load(void *argument)
{
    struct sender *sender = argument;
    char *line = NULL;
    size_t room = 0;
    FILE *file = fdopen(sender->out, "r");
    PS_ASSERT(file != NULL);
    while (getline(&line, &room, file) > 0) {
        pthread_mutex_lock(&sender->lock);
        if (strstr(line, "\"summary\"") != NULL)
            snprintf(sender->summary, sizeof sender->summary, "%s", line);
        else if (strstr(line, "\"progress\"") != NULL && sender->look_count < LOOKS_MAX) {
            /* On a busy machine a tenth of a second may pass without an answer, and then has no latency. */
            double p99_ns = member(strstr(line, "\"latency_ns\""), "p99");
            if (p99_ns > 0)
                sender->looks[sender->look_count++] =
                    (struct look){ps_clock_now().mono_ns, p99_ns, member(line, "rate")};
        }
        pthread_mutex_unlock(&sender->lock);
    }
    free(line);
    fclose(file);
    return NULL;
}

static void load_start(const struct job *job, struct sender *sender, unsigned port)
{
    char target[64], rate[32], cpu[16];
    int ends[2];
    snprintf(target, sizeof target, "netcat://127.0.0.1:%u?ack=true", port);
    snprintf(rate, sizeof rate, "%.0f", PROBE_RATE);
    snprintf(cpu, sizeof cpu, "%d", job->load_cpu);
    PS_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
    pthread_mutex_init(&sender->lock, NULL);
    sender->pid = fork();
    PS_ASSERT(sender->pid >= 0);
    if (sender->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        ps_cpu_pin(job->load_cpu);
        execl(job->program, job->program, "load", "--target", target, "--rate", rate, "--lines", job->lines,
              "--no-stamp", "--connections", "4", "--threads", "1", "--cpus", cpu, "--pace", "sleep",
              "--every", "100ms", "--json", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    sender->out = ends[0];
    PS_ASSERT(pthread_create(&sender->reader, NULL, read_load, sender) == 0);
}

static void load_stop(struct sender *sender)
{
    kill(sender->pid, SIGINT);
    pthread_join(sender->reader, NULL);
    waitpid(sender->pid, NULL, 0);
}

/* ---- the agent's metrics ---- */

struct found {
    double generation;
    uint64_t accepted;
    uint64_t slow_count;
    struct ps_slow_cycle slow[PS_SLOW_CYCLES_KEPT];
};

static void see_process(void *, const struct ps_metrics_process *)
{
}

static void see_component(void *argument, const struct ps_metrics_component *component)
{
    struct found *found = argument;
    if (component->kind == PS_KIND_SOURCE)
        found->accepted += component->counters[PS_COUNTER_EventAcceptedCount];
    for (size_t i = 0; i < component->series_count; i++) {
        if (strcmp(component->series[i].name, "rules_generation") == 0)
            found->generation += component->series[i].value; /* sum of both sources */
    }
}

static void see_worker(void *argument, const struct ps_metrics_worker *worker)
{
    struct found *found = argument;
    found->slow_count = worker->slow_cycles;
    memcpy(found->slow, worker->slow, sizeof found->slow);
}

static void look(struct job *job, struct found *found)
{
    struct ps_metrics_source source = ps_agent_metrics(job->agent);
    const struct ps_metrics_visitor visitor = {
        .argument = found, .process = see_process, .component = see_component, .worker = see_worker};
    *found = (struct found){.generation = 0};
    source.visit(source.argument, &visitor);
}

/* Returns the length of the longest cycle since the last call, in ms, at least 1. The gaps that the watch saw in a
 * cycle are subtracted. */
static double longest_cycle_ms(struct job *job, double *gross_ms, unsigned *count)
{
    struct found found;
    double longest = 1;
    *gross_ms = 1;
    *count = 0;
    look(job, &found);
    if (found.slow_count - job->slow_seen > PS_SLOW_CYCLES_KEPT)
        job->slow_seen = found.slow_count - PS_SLOW_CYCLES_KEPT;
    for (; job->slow_seen < found.slow_count; job->slow_seen++) {
        struct ps_slow_cycle slow = found.slow[job->slow_seen % PS_SLOW_CYCLES_KEPT];
        uint64_t gaps = ps_cpu_watch_gap_ns(job->watch, slow.start_ns, slow.start_ns + slow.took_ns);
        double net_ms = (double)(slow.took_ns - (gaps < slow.took_ns ? gaps : slow.took_ns)) / 1e6;
        longest = fmax(longest, net_ms);
        *gross_ms = fmax(*gross_ms, (double)slow.took_ns / 1e6);
        *count += net_ms > 1;
    }
    return longest;
}

/* Waits until load has reported a tenth of a second that began after from_ns, which on a busy machine comes late.
 * Returns its end. */
static uint64_t await_look(struct sender *probe, uint64_t from_ns)
{
    for (int tries = 0; tries < 1200; tries++) {
        uint64_t end_ns = 0;
        pthread_mutex_lock(&probe->lock);
        for (unsigned i = probe->look_count;
             i > 0 && probe->looks[i - 1].end_ns >= from_ns + 100 * PS_NS_PER_MS; i--)
            end_ns = probe->looks[i - 1].end_ns;
        pthread_mutex_unlock(&probe->lock);
        if (end_ns != 0)
            return end_ns;
        ps_sleep_s(0.05);
    }
    fprintf(stderr, "bench_rules_reload: load did not report anything within a minute: %s\n", probe->summary);
    exit(1);
}

/* Returns the median of the p99 latencies of the tenths of a second in this period; `*worst` is the highest p99 of
 * them. */
static double p99_ms(struct sender *probe, uint64_t from_ns, uint64_t to_ns, double *worst)
{
    static double figures[LOOKS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&probe->lock);
    for (unsigned i = 0; i < probe->look_count; i++) {
        uint64_t end = probe->looks[i].end_ns;
        if (end - 100 * PS_NS_PER_MS >= from_ns && end <= to_ns + 50 * PS_NS_PER_MS)
            figures[count++] = probe->looks[i].p99_ns / 1e6;
    }
    pthread_mutex_unlock(&probe->lock);
    PS_ASSERT(count > 0);
    struct ps_spread spread = ps_spread_of(figures, count);
    *worst = spread.high;
    return spread.median;
}

/* ---- the run ---- */

/* Replaces the rules and waits until the new ones are in use. Returns when that was. */
static uint64_t reload(struct job *job, unsigned round)
{
    struct found before, now;
    look(job, &before);
    rules_write(job->next, RULES + (round + 1) % 2);
    PS_ASSERT(rename(job->next, job->rules) == 0);
    for (int tries = 0; tries < 4800; tries++) { /* the compiling process gets the CPU only when no other
                                                  * process wants it */
        ps_sleep_s(0.05);
        look(job, &now);
        if (now.generation >= before.generation + 2)
            return ps_clock_now().mono_ns;
    }
    fprintf(stderr, "bench_rules_reload: the new rules were not in use within four minutes\n");
    exit(1);
}

struct figures {
    struct ps_paired_result latency, cycle;
    double worst_before, worst_during, gross_before, gross_during, reload_s, share, rate;
    unsigned slow_before, slow_during;
};

static void measure(struct job *job, unsigned rounds, struct figures *out)
{
    double worst, gross, reloads[PS_ROUNDS_MAX];
    unsigned count;
    out->latency.rounds = out->cycle.rounds = rounds;
    struct found first, last;
    longest_cycle_ms(job, &gross, &count);
    look(job, &first);
    struct ps_usage self = ps_usage_self(), bulk = ps_usage_of(job->bulk),
                    probe = ps_usage_of(job->probe.pid);
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t began = ps_clock_now().mono_ns;
        ps_sleep_s(job->seconds);
        await_look(&job->probe, began);
        out->latency.bare[i] = p99_ms(&job->probe, began, ps_clock_now().mono_ns, &worst);
        out->worst_before = fmax(out->worst_before, worst);
        out->cycle.bare[i] = longest_cycle_ms(job, &gross, &count);
        out->gross_before = fmax(out->gross_before, gross);
        out->slow_before += count;
        began = ps_clock_now().mono_ns;
        uint64_t done = reload(job, i);
        ps_sleep_s(0.15);
        uint64_t first_ns = await_look(&job->probe, began), end_ns = done + 50 * PS_NS_PER_MS;
        out->latency.subject[i] = p99_ms(&job->probe, began, first_ns > end_ns ? first_ns : end_ns, &worst);
        out->worst_during = fmax(out->worst_during, worst);
        out->cycle.subject[i] = longest_cycle_ms(job, &gross, &count);
        out->gross_during = fmax(out->gross_during, gross);
        out->slow_during += count;
        reloads[i] = (double)(done - began) / 1e9;
        out->latency.ratio[i] = out->latency.subject[i] / out->latency.bare[i];
        out->cycle.ratio[i] = out->cycle.subject[i] / out->cycle.bare[i];
    }
    struct ps_usage self_end = ps_usage_self();
    double loads =
        ps_usage_of(job->bulk).cpu_s - bulk.cpu_s + ps_usage_of(job->probe.pid).cpu_s - probe.cpu_s;
    look(job, &last);
    out->rate = (double)(last.accepted - first.accepted) / (self_end.wall_s - self.wall_s) - PROBE_RATE;
    out->share = (self_end.cpu_s - self.cpu_s + loads) / (self_end.wall_s - self.wall_s) / 2;
    out->reload_s = ps_spread_of(reloads, rounds).median;
}

/* Tells ps_paired_print that there is a reference. This function is never called. */
static double taken_in_turn(void *)
{
    return 0;
}

static void report(const struct job *job, const struct figures *out)
{
    const struct ps_paired latency = {.bench = "rules_reload",
                                      .variant = "p99 latency",
                                      .unit = "ms",
                                      .reference = "without a reload",
                                      .lower_is_better = true,
                                      .goal_ratio = 2,
                                      .bare = taken_in_turn};
    const struct ps_paired cycle = {.bench = "rules_reload",
                                    .variant = "longest cycle, net",
                                    .unit = "ms",
                                    .reference = "without a reload",
                                    .lower_is_better = true,
                                    .goal = 1,
                                    .bare = taken_in_turn};
    ps_paired_print(
        &latency, &out->latency,
        "\"bytes\":%u,\"rules\":%u,\"rate\":%.0f,\"achieved_rate\":%.0f,\"held\":%s,\"cpu_share\":%.3f,"
        "\"reload_s\":%.3g,\"worst\":%.4g,\"reference_worst\":%.4g",
        PS_RULE_TRAFFIC_BYTES, RULES, job->rate, out->rate, out->rate > 0.99 * job->rate ? "true" : "false",
        out->share, out->reload_s, out->worst_during, out->worst_before);
    ps_paired_print(
        &cycle, &out->cycle,
        "\"bytes\":%u,\"rules\":%u,\"rate\":%.0f,\"slow\":%u,\"reference_slow\":%u,\"gross\":%.4g,"
        "\"reference_gross\":%.4g",
        PS_RULE_TRAFFIC_BYTES, RULES, job->rate, out->slow_during, out->slow_before, out->gross_during,
        out->gross_before);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5};
    static struct job job = {.folder = "/tmp/penstock-rules-XXXXXX"};
    static struct figures figures;
    struct ps_agent_account account;
    char self[512];
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    PS_ASSERT(length > 0 && mkdtemp(job.folder) != NULL);
    self[length] = '\0';
    snprintf(job.program, sizeof job.program, "%.400s/../penstock", dirname(self));
    ps_cpu_ends(&job.load_cpu, &job.worker_cpu);
    if (access(job.program, X_OK) != 0 || job.load_cpu == job.worker_cpu) {
        printf("SKIP: needs %s and two CPUs\n", job.program);
        rmdir(job.folder);
        return 77;
    }
    job.seconds = options.seconds;
    job.rate = options.events > 0 && options.events < 1000000 ? (double)options.events : 1e6;
    snprintf(job.rules, sizeof job.rules, "%s/traffic.rules", job.folder);
    snprintf(job.next, sizeof job.next, "%s/next", job.folder);
    snprintf(job.lines, sizeof job.lines, "%s/lines", job.folder);
    rules_write(job.rules, RULES);
    job.bytes = lines_make(job.lines);
    unsigned port = ps_pump_port(), probe_port = ps_pump_port();
    job.agent = ps_rule_agent_start(&(struct ps_rule_agent){.rules = job.rules,
                                                            .program = job.program,
                                                            .cpu = job.worker_cpu,
                                                            .port = port,
                                                            .probe_port = probe_port});
    job.watch = ps_cpu_watch_start(job.worker_cpu);
    job.bulk = ps_pump_start_paced(job.load_cpu, port, job.bytes, EVENTS * LINE_BYTES,
                                   (size_t)(job.rate * LINE_BYTES / 1000));
    load_start(&job, &job.probe, probe_port);
    ps_sleep_s(WARM_S);
    measure(&job, options.rounds, &figures);
    load_stop(&job.probe);
    ps_pump_stop(job.bulk);
    ps_agent_stop(job.agent, 5000, NULL, NULL, &account);
    PS_ASSERT(account.undelivered == 0 && account.accepted == account.delivered);
    ps_cpu_watch_stop(job.watch);
    report(&job, &figures);
    free(job.bytes);
    unlink(job.rules);
    unlink(job.lines);
    rmdir(job.folder);
    return 0;
}
