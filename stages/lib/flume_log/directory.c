#include "stages/lib/flume_log/directory.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "log-"

/* Returns the rest of a name after "log-N", and sets *number to N; NULL if the name begins otherwise. */
static const char *log_name(const char *name, uint32_t *number)
{
    char *end;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return NULL;
    name += strlen(PREFIX);
    if (name[0] < '0' || name[0] > '9')
        return NULL;
    unsigned long long value = strtoull(name, &end, 10);
    *number = value <= INT32_MAX ? (uint32_t)value : 0;
    return end;
}

uint32_t ps_flume_log_number(const char *name)
{
    uint32_t number = 0;
    const char *end = log_name(name, &number);
    return end != NULL && *end == 0 ? number : 0;
}

/* Returns whether only Flume's file channel has files with this name. `in_use.lock` is also used by Hadoop, and `checkpoint` by many programs. */
static bool is_of_flume(const char *name)
{
    static const char *const names[] = {"checkpoint.meta", "inflightputs", "inflighttakes", "queueset"};
    uint32_t number = 0;
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    const char *end = log_name(name, &number);
    return end != NULL && number > 0 && strcmp(end, ".meta") == 0;
}

bool ps_flume_log_is_directory(const char *directory)
{
    DIR *listing = opendir(directory);
    bool found = false;
    if (listing == NULL)
        return false;
    for (const struct dirent *entry; !found && (entry = readdir(listing)) != NULL;)
        found = is_of_flume(entry->d_name);
    closedir(listing);
    return found;
}
