/* Measures how fast `penstock load` sends over TCP from one core: a closed loop on loopback to a process on
 * another core that discards everything without reading it (MSG_TRUNC). The reference is a bare loop that
 * sends the same bytes, rendered once.
 *
 *   bench_load_tcp [--seconds 2] [--rounds 3]
 *
 * Prints a record: events per second, wall clock, including rendering, stamps and their checksums. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/suite/drain.h"
#include "bench/suite/paired.h"

#define EVENT_BYTES 256
#define CHUNK_EVENTS 256
#define CONNECTIONS 4

struct job {
    double seconds;
    char program[512];
    unsigned port;
    int send_cpu, drain_cpu;
    double events_per_cpu_second; /* of load, in the last round */
};

/* ---- bare ---- */

static double run_bare(void *argument)
{
    const struct job *job = argument;
    static char chunk[CHUNK_EVENTS * EVENT_BYTES];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)job->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int lanes[CONNECTIONS];
    memset(chunk, 'x', sizeof chunk);
    ps_cpu_pin(job->send_cpu);
    for (int i = 0; i < CONNECTIONS; i++) {
        lanes[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        PS_ASSERT(lanes[i] >= 0 && connect(lanes[i], (struct sockaddr *)&to, sizeof to) == 0);
    }
    struct ps_usage before = ps_usage_self(), after;
    double bytes = 0;
    do {
        for (int i = 0; i < 4 * CONNECTIONS; i++) {
            ssize_t sent = send(lanes[i % CONNECTIONS], chunk, sizeof chunk, MSG_NOSIGNAL);
            PS_ASSERT(sent > 0);
            bytes += (double)sent;
        }
        after = ps_usage_self();
    } while (after.wall_s - before.wall_s < job->seconds);
    for (int i = 0; i < CONNECTIONS; i++)
        close(lanes[i]);
    return bytes / EVENT_BYTES / (after.wall_s - before.wall_s);
}

/* ---- load ---- */

static double member(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(json, key);
    return at != NULL ? strtod(at + strlen(key), NULL) : 0;
}

static _Noreturn void become_load(const struct job *job, int out)
{
    char target[64], duration[32], connections[16], size[16], cpu[16];
    snprintf(target, sizeof target, "tcp://127.0.0.1:%u", job->port);
    snprintf(duration, sizeof duration, "%gs", job->seconds);
    snprintf(connections, sizeof connections, "%d", CONNECTIONS);
    snprintf(size, sizeof size, "%d", EVENT_BYTES);
    snprintf(cpu, sizeof cpu, "%d", job->send_cpu);
    dup2(out, STDOUT_FILENO);
    ps_cpu_pin(job->send_cpu);
    execl(job->program, job->program, "load", "--target", target, "--duration", duration, "--format",
          "rfc3164", "--size", size, "--connections", connections, "--threads", "1", "--cpus", cpu, "--json",
          (char *)NULL);
    _exit(127);
}

static double run_load(void *argument)
{
    struct job *job = argument;
    int ends[2];
    struct rusage usage;
    static char text[1 << 16];
    char *line = NULL;
    size_t room = 0;
    PS_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child == 0)
        become_load(job, ends[1]);
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    PS_ASSERT(lines != NULL);
    while (getline(&line, &room, lines) > 0) {
        if (strstr(line, "\"summary\"") != NULL)
            snprintf(text, sizeof text, "%s", line);
    }
    free(line);
    fclose(lines);
    int status;
    PS_ASSERT(wait4(child, &status, 0, &usage) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || member(text, "achieved_rate") <= 0) {
        fprintf(stderr, "bench_load_tcp: penstock load ended with %d: %s\n", status, text);
        exit(1);
    }
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    job->events_per_cpu_second = member(text, "completed") / cpu;
    return member(text, "achieved_rate");
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 3};
    static struct ps_paired_result result;
    struct job job = {0};
    char self[512];
    ps_bench_options_parse(&options, argc, argv);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    PS_ASSERT(length > 0);
    self[length] = '\0';
    snprintf(job.program, sizeof job.program, "%.400s/../penstock", dirname(self));
    if (access(job.program, X_OK) != 0) {
        printf("SKIP: no program at %s\n", job.program);
        return 77;
    }
    job.seconds = options.seconds;
    ps_cpu_ends(&job.send_cpu, &job.drain_cpu);
    pid_t drainer = ps_drain_start(job.drain_cpu, &job.port);
    const struct ps_paired paired = {.bench = "load_tcp",
                                     .variant = "rfc3164",
                                     .unit = "events/s",
                                     .reference = "send of bytes rendered once",
                                     .goal = 4e6,
                                     .subject = run_load,
                                     .bare = run_bare,
                                     .argument = &job};
    ps_paired_run(&paired, options.rounds, &result);
    ps_paired_print(&paired, &result, "\"bytes\":%d,\"connections\":%d,\"events_per_cpu_second\":%.0f",
                    EVENT_BYTES, CONNECTIONS, job.events_per_cpu_second);
    ps_drain_stop(drainer);
    return 0;
}
