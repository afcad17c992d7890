/* Measures flows SOURCE -> memory -> null in this process, with sources that answer requests. The client is `penstock load` in another process,
 * with eight connections and one batch of 100 events of 256 bytes under way on each. Prints a record for each source: events
 * per CPU-second of this process.
 *
 *   bench_requests [--seconds 3] [--rounds 5] [--only http]
 *
 * The client gets the CPU time that it needs: the figure is not the rate. */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/paired.h"
#include "bench/suite/pump.h"
#include "bench/support/measure.h"

#define BODY_BYTES "256"
#define CONNECTIONS "8"
#define WARM_S 0.5

struct kind {
    const char *name, *type, *target; /* target: the port */
    double goal;
};

static const struct kind kinds[] = {
    {"avro", "avro", "avro://127.0.0.1:%u?batch=100", 4e6},
    {"http JSON", "http", "http://127.0.0.1:%u/?batch=100", 600e3},
};

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\n"
    "a.sources.s.type = %s\na.sources.s.bind = 127.0.0.1\na.sources.s.port = %u\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\na.channels.c.transactionCapacity = 10000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

struct job {
    const struct ps_bench_options *options;
    const struct kind *kind;
    char program[4096];
    double per_second; /* wall clock, of the last round */
};

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void find_program(struct job *job)
{
    char self[3072];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        fatal("this program does not know where it is");
    self[length] = '\0';
    snprintf(job->program, sizeof job->program, "%s/../penstock", dirname(self));
}

static pid_t start_load(const struct job *job, unsigned port)
{
    char target[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(target, sizeof target, job->kind->target, port);
#pragma GCC diagnostic pop
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        execl(job->program, job->program, "load", "--target", target, "--connections", CONNECTIONS,
              "--format", "fixed", "--size", BODY_BYTES, "--pace", "sleep", NULL);
        _exit(1);
    }
    return child;
}

/* Returns events per CPU-second. */
static double run(void *argument)
{
    struct job *job = argument;
    struct ps_agent_account account;
    char text[2048];
    unsigned port = ps_pump_port();
    snprintf(text, sizeof text, agent_text, job->kind->type, port);
    struct ps_agent *agent = ps_bench_agent_start(text);
    pid_t load = start_load(job, port);
    while (ps_bench_agent_delivered(agent) == 0) {
        if (waitpid(load, NULL, WNOHANG) != 0)
            fatal("penstock load ended");
        ps_sleep_s(0.005);
    }
    ps_sleep_s(WARM_S);
    struct ps_usage before = ps_usage_self();
    uint64_t events = ps_bench_agent_delivered(agent);
    ps_sleep_s(job->options->seconds);
    struct ps_usage after = ps_usage_self();
    events = ps_bench_agent_delivered(agent) - events;
    ps_pump_stop(load);
    ps_agent_stop(agent, 5000, NULL, NULL, &account);
    if (account.undelivered != 0 || account.accepted != account.delivered)
        fatal("the agent's account does not add up");
    job->per_second = (double)events / (after.wall_s - before.wall_s);
    return (double)events / (after.cpu_s - before.cpu_s);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 3, .rounds = 5};
    static struct ps_paired_result result;
    static struct job job;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    find_program(&job);
    job.options = &options;
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        if (!ps_bench_wants(&options, kinds[i].name))
            continue;
        job.kind = &kinds[i];
        const struct ps_paired paired = {.bench = "requests",
                                         .variant = kinds[i].name,
                                         .unit = "events/CPU-s",
                                         .goal = kinds[i].goal,
                                         .subject = run,
                                         .argument = &job};
        ps_paired_run(&paired, options.rounds, &result);
        ps_paired_print(&paired, &result, "\"bytes\":" BODY_BYTES ",\"events_per_second\":%.0f",
                        job.per_second);
    }
    return 0;
}
