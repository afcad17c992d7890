/* Measures StressSource -> file channel -> null in this process, events of 256 bytes, synced before they are promised,
 * and read back from the log by the sink.
 *
 *   throughput   compared with a bare loop of write and fdatasync, of as many bytes as the channel wrote with one sync
 *   cpu          compared with the memory channel: what the file channel adds to an event, user and kernel
 *
 *   bench_file_channel [--seconds 2] [--rounds 5] [--only throughput|cpu]
 *
 * The directory is below TMPDIR, else /var/tmp. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/suite/agent.h"
#include "bench/suite/disk.h"
#include "bench/suite/paired.h"
#include "bench/support/measure.h"

#define BODY_BYTES 256
/* Bytes per sync of a bare loop that runs before the channel has run. */
#define FIRST_SYNC_BYTES (4U << 20)

static const char file_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\n"
    "a.sources.s.type = org.apache.flume.source.StressSource\na.sources.s.size = 256\na.sources.s.channels = "
    "c\n"
    "a.channels.c.type = file\na.channels.c.capacity = 10000000\n"
    "a.channels.c.checkpointDir = %s/state\na.channels.c.dataDirs = %s/data\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

static const char memory_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\n"
    "a.sources.s.type = org.apache.flume.source.StressSource\na.sources.s.size = 256\na.sources.s.channels = "
    "c\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

struct subject {
    const struct ps_bench_options *options;
    const char *directory;
    size_t sync_bytes;                     /* of the last run of the file channel */
    double per_second, user_ns, system_ns; /* of the last run */
    struct ps_disk_syncs syncs;
};

struct cpu {
    double user_s, system_s;
};

static struct cpu cpu_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct cpu){(double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
                        (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6};
}

static void run(struct subject *subject, const char *text)
{
    struct ps_agent *agent = ps_bench_agent_start(text);
    ps_sleep_s(0.5);
    ps_disk_syncs_begin();
    struct cpu before = cpu_now();
    struct ps_agent_cost cost = ps_bench_agent_for(agent, 0, subject->options->seconds);
    struct cpu after = cpu_now();
    subject->syncs = ps_disk_syncs_end();
    ps_bench_agent_stop(agent);
    subject->per_second = cost.per_second;
    subject->user_ns = (after.user_s - before.user_s) * 1e9 / cost.events;
    subject->system_ns = (after.system_s - before.system_s) * 1e9 / cost.events;
    if (subject->syncs.count > 0)
        subject->sync_bytes = (size_t)(cost.events * BODY_BYTES / (double)subject->syncs.count) + 1;
}

static void run_file(struct subject *subject)
{
    char text[sizeof file_text + 8192];
    ps_disk_clear(subject->directory);
    snprintf(text, sizeof text, file_text, subject->directory, subject->directory);
    run(subject, text);
    ps_disk_clear(subject->directory);
}

static double throughput(void *argument)
{
    struct subject *subject = argument;
    run_file(subject);
    return subject->per_second;
}

static double bare_throughput(void *argument)
{
    struct subject *subject = argument;
    double bytes = ps_disk_bare(subject->directory, subject->sync_bytes, subject->options->seconds, 0);
    ps_disk_clear(subject->directory);
    return bytes / BODY_BYTES;
}

static double file_cpu(void *argument)
{
    struct subject *subject = argument;
    run_file(subject);
    return subject->user_ns + subject->system_ns;
}

static double memory_cpu(void *argument)
{
    struct subject subject = *(struct subject *)argument;
    run(&subject, memory_text);
    return subject.user_ns + subject.system_ns;
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    struct subject subject = {
        .options = &options, .directory = ps_disk_directory(), .sync_bytes = FIRST_SYNC_BYTES};
    const struct ps_paired fast = {.bench = "file_channel",
                                   .variant = "throughput",
                                   .unit = "events/s",
                                   .reference = "bare write and fdatasync, as many bytes with a sync",
                                   .goal = 1e6,
                                   .goal_ratio = 0.8,
                                   .subject = throughput,
                                   .bare = bare_throughput,
                                   .argument = &subject};
    const struct ps_paired cheap = {.bench = "file_channel",
                                    .variant = "cpu",
                                    .unit = "ns/event",
                                    .reference = "memory channel",
                                    .lower_is_better = true,
                                    .goal = 100,
                                    .subject = file_cpu,
                                    .bare = memory_cpu,
                                    .argument = &subject};
    if (ps_bench_wants(&options, "throughput")) {
        ps_paired_run(&fast, options.rounds, &result);
        ps_paired_print(&fast, &result,
                        "\"bytes\":%d,\"bytes_per_sync\":%zu,\"sync_p50_ms\":%.3f,\"sync_p99_ms\":%.3f",
                        BODY_BYTES, subject.sync_bytes, subject.syncs.p50_ms, subject.syncs.p99_ms);
    }
    if (ps_bench_wants(&options, "cpu")) {
        ps_paired_run(&cheap, options.rounds, &result);
        ps_paired_print(&cheap, &result, "\"bytes\":%d,\"user_ns\":%.1f,\"system_ns\":%.1f", BODY_BYTES,
                        subject.user_ns, subject.system_ns);
    }
    return 0;
}
