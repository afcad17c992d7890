#include "bench/support/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double ps_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double ps_thread_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void ps_sleep_s(double seconds)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)seconds,
                                 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)},
              NULL);
}

struct ps_usage ps_usage_self(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct ps_usage){
        .wall_s = ps_now_s(),
        .cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        .rss_bytes = (uint64_t)usage.ru_maxrss * 1024,
    };
}

struct ps_usage ps_usage_of(int pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    struct ps_usage usage = {.wall_s = ps_now_s()};
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return usage;
    if (fgets(line, sizeof line, file) != NULL) {
        const char *after = strrchr(line, ')'); /* the name may contain blanks */
        if (after != NULL)
            sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    }
    fclose(file);
    usage.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long kib;
        if (sscanf(line, "VmHWM: %lu kB", &kib) == 1)
            usage.rss_bytes = (uint64_t)kib * 1024;
    }
    if (file != NULL)
        fclose(file);
    return usage;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

struct ps_spread ps_spread_of(double *figures, size_t count)
{
    PS_ASSERT(count > 0);
    qsort(figures, count, sizeof *figures, compare_doubles);
    double median = (figures[(count - 1) / 2] + figures[count / 2]) / 2;
    return (struct ps_spread){figures[0], median, figures[count - 1]};
}
