/* Reads the part of the machine that this process may use: CPUs (affinity mask, cgroup quota), memory (RAM, cgroup
 * limit). Thread: control. */
#include "core/engine/plan.h"

#include "core/text/list.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 8192U
#define LINE_BYTES 4096U

/* Opens "<root>/sys/fs/cgroup<mount><group>/<file>"; returns NULL when it does not exist. */
static FILE *open_limit(const char *root, const char *mount, const char *group, const char *file)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s%s/%s", root, mount,
                          strcmp(group, "/") == 0 ? "" : group, file);
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

/* Returns the number in the file; 0: no file, or no number in it ("max", -1). */
static uint64_t read_number(const char *root, const char *mount, const char *group, const char *file)
{
    long long number = 0;
    FILE *stream = open_limit(root, mount, group, file);
    if (stream == NULL)
        return 0;
    if (fscanf(stream, "%lld", &number) != 1 || number < 0)
        number = 0;
    fclose(stream);
    return (uint64_t)number;
}

/* Rounds a quota of CPU time up to whole CPUs, as the JVM does; 0: no quota. */
static uint64_t whole_cpus(uint64_t quota_us, uint64_t period_us)
{
    return quota_us == 0 || period_us == 0 ? 0 : (quota_us - 1) / period_us + 1;
}

static uint64_t read_cpu_max(const char *root, const char *group)
{
    unsigned long long quota_us = 0, period_us = 0;
    FILE *stream = open_limit(root, "", group, "cpu.max");
    if (stream == NULL)
        return 0;
    if (fscanf(stream, "%llu %llu", &quota_us, &period_us) != 2) /* "max 100000" */
        quota_us = 0;
    fclose(stream);
    return whole_cpus(quota_us, period_us);
}

/* The mount points of cgroup v1's CPU controller differ between distributions. */
static uint64_t read_cfs_quota(const char *root, const char *group)
{
    static const char *const mounts[] = {"/cpu,cpuacct", "/cpu", "/cpuacct,cpu"};
    for (size_t i = 0; i < PS_COUNT_OF(mounts); i++) {
        uint64_t cpus = whole_cpus(read_number(root, mounts[i], group, "cpu.cfs_quota_us"),
                                   read_number(root, mounts[i], group, "cpu.cfs_period_us"));
        if (cpus > 0)
            return cpus;
    }
    return 0;
}

static void lower(uint64_t *lowest, uint64_t limit)
{
    if (limit > 0 && (*lowest == 0 || limit < *lowest))
        *lowest = limit;
}

struct limits {
    uint64_t cpus, memory_bytes; /* 0: no limit */
};

/* Reads the limits of one line of /proc/self/cgroup, "number:controllers:group". The limits of the groups above it
 * apply as well. In a container the path may be the host's: then only the root of the mount exists, which is the
 * container's own group. */
static void read_group(const char *root, char *line, struct limits *limits)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return;
    *controllers++ = *group++ = '\0';
    bool v2 = controllers[0] == '\0';
    bool cpu = ps_list_has(controllers, ",", "cpu", 3), memory = ps_list_has(controllers, ",", "memory", 6);
    for (;;) {
        if (v2) {
            lower(&limits->cpus, read_cpu_max(root, group));
            lower(&limits->memory_bytes, read_number(root, "", group, "memory.max"));
        }
        if (cpu)
            lower(&limits->cpus, read_cfs_quota(root, group));
        if (memory)
            lower(&limits->memory_bytes, read_number(root, "/memory", group, "memory.limit_in_bytes"));
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
    }
}

static struct limits read_limits(const char *root)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    struct limits limits = {0};
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *stream = fopen(path, "re");
    while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_group(root, line, &limits);
    }
    if (stream != NULL)
        fclose(stream);
    return limits;
}

void ps_machine_read(struct ps_machine *machine, const char *root)
{
    cpu_set_t set;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    struct limits limits = read_limits(root);
    *machine = (struct ps_machine){.cores = 1};
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        machine->cores = (unsigned)CPU_COUNT(&set);
    if (limits.cpus > 0 && limits.cpus < machine->cores)
        machine->cores = (unsigned)limits.cpus;
    machine->memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_C(1) << 30;
    if (limits.memory_bytes > 0 && limits.memory_bytes < machine->memory_bytes)
        machine->memory_bytes = limits.memory_bytes;
}
