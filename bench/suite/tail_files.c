/* Measures taildir with 10,000 files. One in a hundred of them gets a line each second. Prints two records:
 *
 *   at rest   CPU time of the agent, in percent of a core
 *   latency   p99 from the write of a line to its delivery by the sink
 *
 *   bench_tail_files [--seconds 10] [--rounds 3]
 *
 * The program's main thread writes the lines; its own CPU time is not counted. It reads the sink's counter every 0.2
 * ms, so latencies are up to 0.2 ms too long. The directory is below TMPDIR, else /var/tmp. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/disk.h"
#include "bench/suite/paired.h"
#include "bench/support/measure.h"
#include "core/clock.h"

#define FILES 10000U
#define ACTIVE 100U
#define LINE "a line of a log that somebody writes now and then, and that is waited for at the other end\n"
#define LOOK_NS 200000L
#define WAIT_NS (10 * PS_NS_PER_S) /* longest wait for a line, before the bench gives up */

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\n"
    "a.sources.s.type = taildir\na.sources.s.filegroups = f\n"
    "a.sources.s.filegroups.f = %s/logs/.*log\na.sources.s.positionFile = %s/positions\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\na.channels.c.transactionCapacity = 10000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

struct job {
    const struct ps_bench_options *options;
    struct ps_agent *agent;
    uint64_t delivered; /* number of lines that were written and delivered */
    int files[ACTIVE];
};

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void make_files(struct job *job, const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/logs", directory);
    if (mkdir(path, 0700) != 0)
        fatal("no directory for the files");
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/logs/%u.log", directory, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        /* Files that begin alike could be copies of each other. */
        if (fd < 0 || dprintf(fd, "%u: %s", i, LINE) < 0)
            fatal("a file cannot be written");
        if (i % (FILES / ACTIVE) == 0)
            job->files[i / (FILES / ACTIVE)] = fd;
        else
            close(fd);
    }
}

/* Waits until one more line is delivered. Returns the time since `from_ns`, in milliseconds. */
static double await_line(struct job *job, uint64_t from_ns)
{
    const struct timespec moment = {.tv_nsec = LOOK_NS};
    while (ps_bench_agent_delivered(job->agent) < job->delivered) {
        if (ps_clock_now().mono_ns - from_ns > WAIT_NS)
            fatal("a line was not delivered");
        nanosleep(&moment, NULL);
    }
    return (double)(ps_clock_now().mono_ns - from_ns) / 1e6;
}

/* Writes a line every 10 ms, to the active files in turn, for this number of seconds. Returns the p99 of their
 * latencies. */
static double write_lines(struct job *job, double seconds)
{
    size_t count = (size_t)(seconds * ACTIVE) > 0 ? (size_t)(seconds * ACTIVE) : 1;
    double *waited_ms = ps_must_alloc(count, sizeof *waited_ms, "latencies");
    uint64_t due_ns = ps_clock_now().mono_ns;
    for (size_t i = 0; i < count; i++) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (now_ns < due_ns)
            nanosleep(&(struct timespec){.tv_nsec = (long)(due_ns - now_ns)}, NULL);
        due_ns += PS_NS_PER_S / ACTIVE;
        now_ns = ps_clock_now().mono_ns;
        if (write(job->files[i % ACTIVE], LINE, sizeof LINE - 1) != sizeof LINE - 1)
            fatal("a file cannot be written");
        job->delivered++;
        waited_ms[i] = await_line(job, now_ns);
    }
    (void)ps_spread_of(waited_ms, count); /* sorts */
    double p99_ms = waited_ms[count * 99 / 100];
    free(waited_ms);
    return p99_ms;
}

static double at_rest(void *argument)
{
    struct job *job = argument;
    double own_s = ps_thread_cpu_s();
    struct ps_usage before = ps_usage_self();
    (void)write_lines(job, job->options->seconds);
    struct ps_usage after = ps_usage_self();
    own_s = ps_thread_cpu_s() - own_s;
    return 100 * (after.cpu_s - before.cpu_s - own_s) / (after.wall_s - before.wall_s);
}

static double latency(void *argument)
{
    struct job *job = argument;
    return write_lines(job, job->options->seconds);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.rounds = 3, .seconds = 10};
    static struct ps_paired_result result;
    static struct job job;
    static char text[16384];
    struct ps_agent_account account;
    const char *directory = ps_disk_directory();
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    job.options = &options;
    make_files(&job, directory);
    snprintf(text, sizeof text, agent_text, directory, directory);
    job.agent = ps_bench_agent_start(text);
    job.delivered = FILES;
    (void)await_line(&job, ps_clock_now().mono_ns);
    struct ps_paired paired = {.bench = "tail_files",
                               .variant = "at rest",
                               .unit = "% of a core",
                               .lower_is_better = true,
                               .goal = 2,
                               .subject = at_rest,
                               .argument = &job};
    ps_paired_run(&paired, options.rounds, &result);
    ps_paired_print(&paired, &result, "\"files\":%u,\"active\":%u", FILES, ACTIVE);
    paired.variant = "latency";
    paired.unit = "ms";
    paired.goal = 20;
    paired.subject = latency;
    ps_paired_run(&paired, options.rounds, &result);
    ps_paired_print(&paired, &result, "\"files\":%u,\"active\":%u", FILES, ACTIVE);
    ps_agent_stop(job.agent, 10000, NULL, NULL, &account);
    if (account.undelivered != 0 || account.accepted != job.delivered)
        fatal("the agent's account does not add up");
    return 0;
}
