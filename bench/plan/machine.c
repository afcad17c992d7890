#include "bench/plan/machine.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Copies the value after "key<separator>" in the first line that begins with the key; "" when there is
 * none. */
static void line_value(const char *path, const char *key, char separator, char *value, size_t room)
{
    char line[512];
    FILE *file = fopen(path, "re");
    value[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *at = strchr(line, separator);
        if (strncmp(line, key, strlen(key)) != 0 || at == NULL)
            continue;
        at++;
        at += strspn(at, " \t\"");
        at[strcspn(at, "\"\n")] = '\0';
        snprintf(value, room, "%s", at);
        break;
    }
    if (file != NULL)
        fclose(file);
}

json_t *ps_machine_describe(void)
{
    char cpu[256], os[256], kernel[256] = "";
    struct utsname name;
    line_value("/proc/cpuinfo", "model name", ':', cpu, sizeof cpu);
    line_value("/etc/os-release", "PRETTY_NAME", '=', os, sizeof os);
    if (uname(&name) == 0)
        snprintf(kernel, sizeof kernel, "%.100s %.100s", name.sysname, name.release);
    json_int_t memory = (json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE);
    return json_pack("{s:s,s:i,s:I,s:s,s:s,s:n,s:s}", "cpu", cpu, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN),
                     "memory_bytes", memory, "kernel", kernel, "librdkafka", ps_kafka_version(), "hyperscan",
                     "os", os);
}
