/* Measures the events per CPU-second of a source, 1,000 rules and their selector: netcat -> rules -> memory
 * -> null in this process on one worker pinned to one CPU, with log lines over TCP from another CPU. The
 * reference is the same pipeline without rules.
 *
 *   bench_rules_pipeline [--seconds 2] [--rounds 5] [--only spread|dense]
 *
 * Records: events per CPU-second of the whole process, including the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/suite/drain.h"
#include "bench/suite/paired.h"
#include "bench/suite/pump.h"
#include "bench/suite/rule_agent.h"
#include "bench/suite/rule_traffic.h"
#include "bench/support/measure.h"

#define RULES 1000U
#define EVENTS 8192U
#define LINE_BYTES (PS_RULE_TRAFFIC_BYTES + 1)

struct job {
    double seconds, per_second; /* wall clock, in the last round */
    int worker_cpu, pump_cpu;
    char rules[256]; /* path */
    char *lines;
    double hits; /* share of events that are hit */
};

static double run(struct job *job, bool rules)
{
    struct ps_agent_account account;
    unsigned port = ps_pump_port();
    struct ps_agent *agent = ps_rule_agent_start(
        &(struct ps_rule_agent){.rules = rules ? job->rules : NULL, .cpu = job->worker_cpu, .port = port});
    pid_t pump = ps_pump_start(job->pump_cpu, port, job->lines, (size_t)EVENTS * LINE_BYTES);
    ps_sleep_s(0.5);
    struct ps_usage before = ps_usage_self();
    uint64_t first = ps_bench_agent_delivered(agent);
    ps_sleep_s(job->seconds);
    struct ps_usage after = ps_usage_self();
    uint64_t events = ps_bench_agent_delivered(agent) - first;
    ps_pump_stop(pump);
    ps_agent_stop(agent, 5000, NULL, NULL, &account);
    PS_ASSERT(account.undelivered == 0 && account.accepted == account.delivered);
    if (rules)
        job->per_second = (double)events / (after.wall_s - before.wall_s);
    return (double)events / (after.cpu_s - before.cpu_s);
}

static double run_rules(void *job)
{
    return run(job, true);
}

static double run_bare(void *job)
{
    return run(job, false);
}

static void job_prepare(struct job *job, enum ps_rule_traffic_kind kind)
{
    struct ps_rule_traffic traffic;
    uint64_t hits = 0;
    ps_rule_traffic_init(&traffic, kind, RULES);
    FILE *file = fopen(job->rules, "we");
    PS_ASSERT(file != NULL);
    ps_rule_traffic_rules(&traffic, PS_RULE_TRAFFIC_ROUTE, file);
    PS_ASSERT(fclose(file) == 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        hits += ps_rule_traffic_event(&traffic, job->lines + (size_t)i * LINE_BYTES) != PS_RULE_TRAFFIC_NONE;
        job->lines[(size_t)(i + 1) * LINE_BYTES - 1] = '\n';
    }
    job->hits = (double)hits / EVENTS;
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5};
    static struct ps_paired_result result;
    struct job job = {.lines = ps_must_alloc(1, (size_t)EVENTS * LINE_BYTES, "lines")};
    char folder[] = "/tmp/penstock-rules-XXXXXX";
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    PS_ASSERT(mkdtemp(folder) != NULL);
    snprintf(job.rules, sizeof job.rules, "%s/traffic.rules", folder);
    ps_cpu_ends(&job.pump_cpu, &job.worker_cpu);
    job.seconds = options.seconds;
    for (int kind = PS_RULE_TRAFFIC_SPREAD; kind <= PS_RULE_TRAFFIC_DENSE; kind++) {
        const char *name = ps_rule_traffic_name((enum ps_rule_traffic_kind)kind);
        char variant[64];
        if (!ps_bench_wants(&options, name))
            continue;
        snprintf(variant, sizeof variant, "%s %u", name, RULES);
        const struct ps_paired paired = {.bench = "rules_pipeline",
                                         .variant = variant,
                                         .unit = "events/CPU-s",
                                         .reference = "the same pipeline without rules",
                                         .goal = kind == PS_RULE_TRAFFIC_SPREAD ? 1.5e6 : 0,
                                         .subject = run_rules,
                                         .bare = run_bare,
                                         .argument = &job};
        job_prepare(&job, (enum ps_rule_traffic_kind)kind);
        ps_paired_run(&paired, options.rounds, &result);
        ps_paired_print(
            &paired, &result,
            "\"bytes\":%u,\"rules\":%u,\"hit\":%.4g,\"connections\":%d,\"events_per_second\":%.0f",
            PS_RULE_TRAFFIC_BYTES, RULES, job.hits, PS_PUMP_CONNECTIONS, job.per_second);
    }
    unlink(job.rules);
    rmdir(folder);
    free(job.lines);
    return 0;
}
