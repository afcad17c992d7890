#include "stages/lib/java/jars.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRIME UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t state, uint64_t value)
{
    state = (state ^ value) * PRIME;
    return state ^ state >> 32;
}

static uint64_t mix_file(uint64_t state, const char *path)
{
    struct stat stat_;
    if (stat(path, &stat_) != 0)
        return mix(state, 1);
    state = mix(state, (uint64_t)stat_.st_ino);
    state = mix(state, (uint64_t)stat_.st_size);
    state = mix(state, (uint64_t)stat_.st_mtim.tv_sec);
    return mix(state, (uint64_t)stat_.st_mtim.tv_nsec);
}

static bool is_jar(const char *name)
{
    const char *suffix = strrchr(name, '.');
    return suffix != NULL && (strcmp(suffix, ".jar") == 0 || strcmp(suffix, ".JAR") == 0);
}

/* Mixes in the jars of the folder, in whatever order they are read: the JVM uses all of them. */
static uint64_t mix_folder(uint64_t state, const char *folder)
{
    uint64_t sum = 0;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return mix(state, 1);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[PATH_MAX];
        if (is_jar(entry->d_name) &&
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            sum += mix_file(PRIME, path);
    }
    closedir(directory);
    return mix(state, sum);
}

static uint64_t mix_entry(uint64_t state, char *path, size_t length)
{
    if (length < 2 || strcmp(path + length - 2, "/*") != 0)
        return mix_file(state, path);
    path[length - 1] = '\0';
    return mix_folder(state, path);
}

uint64_t ps_java_jars_state(const char *const *argv)
{
    uint64_t state = PRIME;
    size_t at = 0;
    while (argv[at] != NULL && strcmp(argv[at], "-cp") != 0)
        at++;
    if (argv[at] == NULL || argv[at + 1] == NULL)
        return state;
    for (const char *entry = argv[at + 1]; *entry != '\0';) {
        char path[PATH_MAX];
        size_t length = strcspn(entry, ":");
        if (length > 0 && length < sizeof path) {
            memcpy(path, entry, length);
            path[length] = '\0';
            state = mix_entry(state, path, length);
        }
        entry += length + (entry[length] == ':');
    }
    return state;
}

bool ps_java_argv_equal(const char *const *a, const char *const *b)
{
    for (; *a != NULL && *b != NULL; a++, b++) {
        if (strcmp(*a, *b) != 0)
            return false;
    }
    return *a == *b;
}

const char *const *ps_java_argv_copy(const char *const *texts)
{
    if (texts == NULL)
        return NULL;
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    const char **copy = ps_must_alloc(count + 1, sizeof *copy, "the Java host");
    for (size_t i = 0; i < count; i++)
        copy[i] = ps_must_copy_text(texts[i], "the Java host");
    return copy;
}

void ps_java_argv_free(const char *const *texts)
{
    for (const char *const *at = texts; at != NULL && *at != NULL; at++)
        free((void *)(uintptr_t)*at);
    free((void *)(uintptr_t)texts);
}
