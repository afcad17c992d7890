/* Measures netcat -> file channel -> null in this process with clients that wait for the answers to their events of
 * 256 bytes: an answer comes when the event is synced. The clients are a separate process.
 *
 *   shared    100 clients, each with one event at a time, compared with one such client: they share the syncs
 *   latency   p99 of the answers at half the rate that four clients with many events under way reach, compared with
 *             twice the p99 of fdatasync in a bare loop that writes as many bytes with a sync, plus a millisecond: an
 *             event waits for the sync that is under way and for its own
 *
 *   bench_file_acknowledged [--seconds 2] [--rounds 5] [--only shared|latency]
 *
 * The directory is below TMPDIR, else /var/tmp. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/suite/agent.h"
#include "bench/suite/clients.h"
#include "bench/suite/disk.h"
#include "bench/suite/paired.h"
#include "bench/support/port.h"

#define BODY_BYTES 256

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\n"
    "a.sources.s.type = netcat\na.sources.s.bind = 127.0.0.1\na.sources.s.port = %u\na.sources.s.channels = "
    "c\n"
    "a.channels.c.type = file\na.channels.c.capacity = 10000000\n"
    "a.channels.c.checkpointDir = %s/state\na.channels.c.dataDirs = %s/data\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

struct subject {
    const struct ps_bench_options *options;
    const char *directory;
    double half;                     /* lines per second: half of what four clients reach */
    struct ps_clients_result result; /* of the last run */
    struct ps_disk_syncs syncs, bare;
};

static void run(struct subject *subject, unsigned connections, unsigned window, double per_second)
{
    char text[sizeof agent_text + 8192];
    struct ps_clients clients = {.port = ps_unused_port(SOCK_STREAM),
                                 .connections = connections,
                                 .window = window,
                                 .body_bytes = BODY_BYTES,
                                 .per_second = per_second,
                                 .warm_s = 0.5,
                                 .seconds = subject->options->seconds};
    snprintf(text, sizeof text, agent_text, clients.port, subject->directory, subject->directory);
    ps_disk_clear(subject->directory);
    struct ps_agent *agent = ps_bench_agent_start(text);
    ps_disk_syncs_begin();
    subject->result = ps_clients_run(&clients);
    subject->syncs = ps_disk_syncs_end();
    ps_bench_agent_stop(agent);
    ps_disk_clear(subject->directory);
}

static double hundred(void *argument)
{
    struct subject *subject = argument;
    run(subject, 100, 1, 0);
    return subject->result.per_second;
}

static double one(void *argument)
{
    struct subject subject = *(struct subject *)argument;
    run(&subject, 1, 1, 0);
    return subject.result.per_second;
}

static double latency(void *argument)
{
    struct subject *subject = argument;
    run(subject, 4, 1U << 20, subject->half);
    return subject->result.p99_ms;
}

static double allowed_latency(void *argument)
{
    struct subject *subject = argument;
    double total_s = subject->options->seconds + 0.5;
    double syncs = subject->syncs.count > 0 ? (double)subject->syncs.count : 1000;
    size_t bytes = (size_t)(subject->half * BODY_BYTES * total_s / syncs) + 1;
    ps_disk_syncs_begin();
    (void)ps_disk_bare(subject->directory, bytes, subject->options->seconds, total_s / syncs);
    subject->bare = ps_disk_syncs_end();
    ps_disk_clear(subject->directory);
    return 2 * subject->bare.p99_ms + 1;
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    struct subject subject = {.options = &options, .directory = ps_disk_directory()};
    const struct ps_paired shared = {.bench = "file_acknowledged",
                                     .variant = "shared",
                                     .unit = "events/s",
                                     .reference = "one client",
                                     .goal_ratio = 20,
                                     .subject = hundred,
                                     .bare = one,
                                     .argument = &subject};
    const struct ps_paired late = {.bench = "file_acknowledged",
                                   .variant = "latency",
                                   .unit = "ms",
                                   .reference = "2 x p99 of fdatasync in a bare loop + 1 ms",
                                   .lower_is_better = true,
                                   .goal_ratio = 1,
                                   .subject = latency,
                                   .bare = allowed_latency,
                                   .argument = &subject};
    if (ps_bench_wants(&options, "shared")) {
        ps_paired_run(&shared, options.rounds, &result);
        ps_paired_print(
            &shared, &result,
            "\"bytes\":%d,\"p99_ms\":%.3f,\"syncs\":%llu,\"sync_p50_ms\":%.3f,\"sync_p99_ms\":%.3f",
            BODY_BYTES, subject.result.p99_ms, (unsigned long long)subject.syncs.count, subject.syncs.p50_ms,
            subject.syncs.p99_ms);
    }
    if (ps_bench_wants(&options, "latency")) {
        run(&subject, 4, 4096, 0);
        subject.half = subject.result.per_second / 2;
        ps_paired_run(&late, options.rounds, &result);
        ps_paired_print(&late, &result,
                        "\"bytes\":%d,\"events_per_second\":%.0f,\"p50_ms\":%.3f,\"max_ms\":%.3f,\"sync_p99_"
                        "ms\":%.3f,\"bare_sync_p99_ms\":%.3f",
                        BODY_BYTES, subject.half, subject.result.p50_ms, subject.result.max_ms,
                        subject.syncs.p99_ms, subject.bare.p99_ms);
    }
    return 0;
}
