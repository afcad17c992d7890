/* Measures a source of files -> memory -> null in this process, and a bare loop over the same file in turn: `read` into
 * a buffer of 256 KiB and a search for newlines. The file has lines of 512 bytes and is in the page cache. Prints a
 * record for each source: bytes per CPU-second of both.
 *
 *   bench_tail_read [--events 1000000] [--rounds 5] [--only taildir|spooldir]
 *
 * The source begins at the file's beginning each time, without a position; the opening and ending of the agent is
 * not counted. The directory is below TMPDIR, else /var/tmp. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/disk.h"
#include "bench/suite/paired.h"

#define LINE_BYTES 512U
#define BUFFER_BYTES (256U * 1024U)

struct kind {
    const char *name, *keys; /* keys: text into which the directory is put three times */
};

static const struct kind kinds[] = {
    {"taildir", "a.sources.s.type = taildir\na.sources.s.filegroups = f\n"
                "a.sources.s.filegroups.f = %s/logs/.*log\na.sources.s.positionFile = %s/positions\n"},
    {"spooldir", "a.sources.s.type = spooldir\na.sources.s.deletePolicy = never\n"
                 "a.sources.s.spoolDir = %s/logs\na.sources.s.trackerDir = %s/tracker\n"},
};

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\na.channels.c.transactionCapacity = 10000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

struct job {
    const struct kind *kind;
    const char *directory;
    uint64_t lines;
    double agent_per_second, bare_per_second; /* bytes by the wall clock, of the last round */
};

static void path_of(const struct job *job, const char *name, char *path, size_t room)
{
    if (snprintf(path, room, "%s/%s", job->directory, name) >= (int)room)
        ps_bench_fatal("the directory's name is too long");
}

static void write_file(const struct job *job)
{
    char path[4096];
    path_of(job, "logs", path, sizeof path);
    if (mkdir(path, 0700) != 0)
        ps_bench_fatal("no directory for the file");
    path_of(job, "logs/log", path, sizeof path);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        ps_bench_fatal("the file cannot be made");
    for (uint64_t i = 0; i < job->lines; i++) {
        char line[LINE_BYTES + 1];
        snprintf(line, sizeof line, "%0*llu\n", (int)LINE_BYTES - 1, (unsigned long long)i);
        fwrite(line, 1, LINE_BYTES, file);
    }
    if (fclose(file) != 0)
        ps_bench_fatal("the file cannot be written");
}

static void forget_positions(const struct job *job)
{
    char path[4096];
    path_of(job, "positions", path, sizeof path);
    (void)unlink(path);
    path_of(job, "positions.identities", path, sizeof path);
    (void)unlink(path);
    char read_path[4096]; /* spooldir renames a file that it has read */
    path_of(job, "logs/log.COMPLETED", read_path, sizeof read_path);
    path_of(job, "logs/log", path, sizeof path);
    (void)rename(read_path, path);
}

static double run_agent(void *argument)
{
    struct job *job = argument;
    static char text[16384];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", agent_text);
    forget_positions(job);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text + length, sizeof text - length, job->kind->keys, job->directory, job->directory);
#pragma GCC diagnostic pop
    struct ps_agent_cost cost = ps_bench_agent_until(ps_bench_agent_start(text), job->lines);
    job->agent_per_second = cost.per_second * LINE_BYTES;
    return cost.per_cpu_second * LINE_BYTES;
}

static double run_bare(void *argument)
{
    struct job *job = argument;
    static char buffer[BUFFER_BYTES];
    char path[4096];
    uint64_t bytes = 0, lines = 0;
    ssize_t length;
    path_of(job, "logs/log", path, sizeof path);
    forget_positions(job);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        ps_bench_fatal("the file cannot be read");
    struct ps_usage before = ps_usage_self();
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
        const char *end = buffer + length, *at = buffer;
        while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            lines++;
            at++;
        }
        bytes += (uint64_t)length;
    }
    struct ps_usage after = ps_usage_self();
    close(fd);
    if (lines != job->lines)
        ps_bench_fatal("the file has other lines");
    job->bare_per_second = (double)bytes / (after.wall_s - before.wall_s);
    return (double)bytes / (after.cpu_s - before.cpu_s);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.rounds = 5, .events = 1000000, .seconds = 1};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    struct job job = {.directory = ps_disk_directory(), .lines = options.events};
    write_file(&job);
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        job.kind = &kinds[i];
        if (!ps_bench_wants(&options, kinds[i].name))
            continue;
        const struct ps_paired paired = {.bench = "tail_read",
                                         .variant = kinds[i].name,
                                         .unit = "bytes/CPU-s",
                                         .reference = "read and a search for newlines",
                                         .goal = 2e9,
                                         .goal_ratio = 0.4,
                                         .subject = run_agent,
                                         .bare = run_bare,
                                         .argument = &job};
        ps_paired_run(&paired, options.rounds, &result);
        ps_paired_print(&paired, &result,
                        "\"bytes\":%u,\"bytes_per_second\":%.0f,\"reference_bytes_per_second\":%.0f",
                        LINE_BYTES, job.agent_per_second, job.bare_per_second);
    }
    return 0;
}
