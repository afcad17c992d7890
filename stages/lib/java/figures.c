#include "stages/lib/java/figures.h"

#include "core/watch/metrics/foreign.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set(const char *name, const char *type, const char *help, double value)
{
    ps_foreign_set_number(
        &(struct ps_foreign_number){.name = name, .help = help, .type = type, .value = value});
}

/* The first line is the component's name. */
static void take_bean(const struct ps_java_message *message)
{
    char name[PS_JAVA_MESSAGE_BYTES_MAX];
    const char *end = strchr(message->text, '\n');
    if (end == NULL)
        return;
    memcpy(name, message->text, (size_t)(end - message->text));
    name[end - message->text] = '\0';
    ps_foreign_set_component(name, end + 1);
}

const char *ps_java_process_stat(pid_t pid, char text[static PS_JAVA_STAT_BYTES])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    size_t length = fread(text, 1, PS_JAVA_STAT_BYTES - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strlen(name_end) > 2 ? name_end + 2 : NULL;
}

static void take_process(pid_t pid)
{
    char text[PS_JAVA_STAT_BYTES];
    unsigned long user = 0, system = 0;
    long pages = 0;
    const char *stat = ps_java_process_stat(pid, text);
    if (stat == NULL ||
        sscanf(stat,
               "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
               &user, &system, &pages) != 3)
        return;
    set("penstock_java_cpu_seconds_total", "counter",
        "Seconds of CPU time of the Java process, user and system",
        (double)(user + system) / (double)sysconf(_SC_CLK_TCK));
    set("penstock_java_resident_memory_bytes", "gauge", "Bytes of resident memory of the Java process",
        (double)pages * (double)sysconf(_SC_PAGESIZE));
}

void ps_java_figures_take(const struct ps_java_message *message, pid_t pid)
{
    const uint64_t *numbers = message->numbers;
    if (message->type == PS_JAVA_BEAN)
        take_bean(message);
    if (message->type != PS_JAVA_STATE || message->number_count != 4)
        return;
    set("penstock_java_heap_used_bytes", "gauge", "Bytes of its heap that the Java process uses",
        (double)numbers[0]);
    set("penstock_java_heap_max_bytes", "gauge", "Bytes that the heap of the Java process may have",
        (double)numbers[1]);
    set("penstock_java_gc_total", "counter", "Collections of garbage of the Java process",
        (double)numbers[2]);
    set("penstock_java_gc_seconds_total", "counter",
        "Seconds of these collections, during which the serial collector stops its threads",
        (double)numbers[3] / 1000);
    take_process(pid);
}

void ps_java_figures_clear(void)
{
    ps_foreign_clear();
}
