#include "bench/plan/cpu_shares.h"
#include "core/array.h"
#include "core/clock.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 32768U
#define PATH_BYTES 512U
#define FAMILY_DEPTH 64U /* generations between a process and its root */

struct process {
    pid_t pid, parent;
    double cpu_s, ended_s; /* ended_s: CPU time of children that were waited for */
    char name[PS_CPU_NAME_BYTES];
};

struct table {
    struct process *items; /* sorted by pid */
    unsigned count;
};

static int by_pid(const void *left, const void *right)
{
    const struct process *a = left, *b = right;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

static pid_t number_of(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0' ? (pid_t)strtol(name, NULL, 10) : 0;
}

/* Parses PROC/PID/stat, in which the process's name may contain blanks and brackets. */
static bool process_read(struct process *process, const char *proc, pid_t pid)
{
    char path[PATH_BYTES], line[1024];
    unsigned long user, system;
    long ended_user, ended_system;
    int parent;
    snprintf(path, sizeof path, "%s/%d/stat", proc, (int)pid);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    const char *name = read ? strchr(line, '(') : NULL, *end = read ? strrchr(line, ')') : NULL;
    if (name == NULL || end == NULL || end < name ||
        sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &parent, &user,
               &system, &ended_user, &ended_system) != 5)
        return false;
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    *process = (struct process){.pid = pid,
                                .parent = parent,
                                .cpu_s = (double)(user + system) * tick_s,
                                .ended_s = (double)(ended_user + ended_system) * tick_s};
    snprintf(process->name, sizeof process->name, "%.*s", (int)(end - name - 1), name + 1);
    return true;
}

static bool table_read(struct table *table, const char *proc)
{
    DIR *list = opendir(proc);
    const struct dirent *entry;
    unsigned room = 0;
    *table = (struct table){0};
    while (list != NULL && (entry = readdir(list)) != NULL && table->count < PROCESSES_MAX) {
        pid_t pid = number_of(entry->d_name);
        if (pid <= 0)
            continue;
        PS_ARRAY_GROW(table->items, table->count, room, "a process table");
        table->count += process_read(&table->items[table->count], proc, pid);
    }
    if (list != NULL)
        closedir(list);
    if (table->count > 0)
        qsort(table->items, table->count, sizeof *table->items, by_pid);
    return list != NULL;
}

static const struct process *table_find(const struct table *table, pid_t pid)
{
    const struct process wanted = {.pid = pid};
    return table->count > 0 ? bsearch(&wanted, table->items, table->count, sizeof wanted, by_pid) : NULL;
}

/* Returns whether the process is one of the roots or descends from one. */
static bool is_own(const struct table *table, const struct process *process, const pid_t *roots,
                   unsigned root_count)
{
    for (unsigned depth = 0; process != NULL && depth < FAMILY_DEPTH; depth++) {
        for (unsigned i = 0; i < root_count; i++)
            if (roots[i] > 0 && process->pid == roots[i])
                return true;
        process = table_find(table, process->parent);
    }
    return false;
}

/* Reads the first line of PROC/stat. */
static bool machine_read(struct ps_cpu_reading *reading, const char *proc)
{
    char path[PATH_BYTES];
    double ticks[8] = {0}, all = 0;
    snprintf(path, sizeof path, "%s/stat", proc);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    int found = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
                       &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    fclose(file);
    for (unsigned i = 0; i < 8; i++)
        all += ticks[i];
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    reading->all_s = all * tick_s;
    reading->busy_s = (all - ticks[3] - ticks[4]) * tick_s; /* without idle and waiting for disks */
    return found == 8;
}

static bool reading_make(struct ps_cpu_reading *reading, struct table *table, const char *proc,
                         const pid_t *roots, unsigned root_count)
{
    *reading = (struct ps_cpu_reading){0};
    if (!machine_read(reading, proc) || !table_read(table, proc))
        return false;
    for (unsigned i = 0; i < table->count; i++)
        if (is_own(table, &table->items[i], roots, root_count))
            reading->own_s += table->items[i].cpu_s + table->items[i].ended_s;
    return true;
}

bool ps_cpu_read(struct ps_cpu_reading *reading, const char *proc, const pid_t *roots, unsigned root_count)
{
    struct table table = {0};
    bool good = reading_make(reading, &table, proc, roots, root_count);
    free(table.items);
    return good;
}

bool ps_cpu_shares_between(const struct ps_cpu_reading *before, const struct ps_cpu_reading *after,
                           struct ps_cpu_shares *shares)
{
    double all_s = after->all_s - before->all_s;
    *shares = (struct ps_cpu_shares){0};
    if (before->all_s <= 0 || all_s <= 0)
        return false;
    double busy = fmin(fmax((after->busy_s - before->busy_s) / all_s, 0), 1);
    shares->own = fmin(fmax((after->own_s - before->own_s) / all_s, 0), 1);
    shares->foreign = fmax(busy - shares->own, 0);
    return true;
}

bool ps_cpu_foreign_now(const char *proc, const pid_t *roots, unsigned root_count, unsigned ms,
                        double *foreign, char busiest[PS_CPU_NAME_BYTES])
{
    struct ps_cpu_reading before, after;
    struct ps_cpu_shares shares = {0};
    struct table old = {0}, new = {0};
    double most_s = 0;
    busiest[0] = '\0';
    bool good = reading_make(&before, &old, proc, roots, root_count);
    if (good) {
        nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * (long)PS_NS_PER_MS}, NULL);
        good = reading_make(&after, &new, proc, roots, root_count) &&
               ps_cpu_shares_between(&before, &after, &shares);
    }
    for (unsigned i = 0; good && i < new.count; i++) {
        const struct process *process = &new.items[i], *earlier = table_find(&old, process->pid);
        double used_s = process->cpu_s - (earlier != NULL ? earlier->cpu_s : 0);
        if (used_s <= most_s || is_own(&new, process, roots, root_count))
            continue;
        most_s = used_s;
        memcpy(busiest, process->name, PS_CPU_NAME_BYTES);
    }
    *foreign = shares.foreign;
    free(old.items);
    free(new.items);
    return good;
}
