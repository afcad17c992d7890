/* What the machine has: CPUs this process may use, RAM or the cgroup's limit. */
#include "core/engine/plan.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t read_number(const char *path)
{
    unsigned long long number = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu", &number) != 1) /* "max" */
        number = 0;
    fclose(file);
    return number;
}

/* cgroup v2: the limit of this process's group or of the nearest one above it that has one; v1: the memory
 * controller's. */
static uint64_t cgroup_limit_bytes(void)
{
    char line[4096], path[4352];
    FILE *file = fopen("/proc/self/cgroup", "re");
    uint64_t lowest = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bool v2 = strncmp(line, "0::", 3) == 0;
        char *group = strstr(line, v2 ? "::" : ":memory:");
        if (group == NULL)
            continue;
        group += v2 ? 2 : 8;
        for (;;) {
            snprintf(path, sizeof path,
                     v2 ? "/sys/fs/cgroup%s/memory.max" : "/sys/fs/cgroup/memory%s/memory.limit_in_bytes",
                     strcmp(group, "/") == 0 ? "" : group);
            uint64_t limit = read_number(path);
            if (limit > 0 && (lowest == 0 || limit < lowest))
                lowest = limit;
            char *slash = strrchr(group, '/');
            if (slash == NULL || group[0] == '\0')
                break;
            *slash = '\0';
        }
    }
    if (file != NULL)
        fclose(file);
    return lowest;
}

void ps_machine_read(struct ps_machine *machine)
{
    cpu_set_t set;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    *machine = (struct ps_machine){.cores = 1};
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        machine->cores = (unsigned)CPU_COUNT(&set);
    machine->memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_C(1) << 30;
    uint64_t limit = cgroup_limit_bytes();
    if (limit > 0 && limit < machine->memory_bytes)
        machine->memory_bytes = limit;
}
