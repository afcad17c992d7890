#include "stages/lib/java/jars.h"

#include "core/array.h"
#include "core/fnv.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_BYTES (1 << 20) /* of a file with settings, as far as changes in it are noticed */

/* A file of the class path. */
struct jar {
    char *path;
    uint64_t inode, bytes;
    int64_t seconds, nanoseconds; /* of its last change */
    uint64_t hash;                /* of the bytes of an XML file, which has no inode and no time here */
};

struct ps_java_jars {
    struct jar *items; /* by path */
    size_t count, room;
    char *blocked; /* the first file or folder that could not be looked at, with the reason; NULL: none */
};

static void note_blocked(struct ps_java_jars *jars, const char *path, int error)
{
    char text[PATH_MAX + 128];
    if (error == ENOENT || error == ENOTDIR || jars->blocked != NULL)
        return;
    snprintf(text, sizeof text, "%s: %s", path, strerror(error));
    jars->blocked = ps_must_copy_text(text, "the Java host");
}

static void add(struct ps_java_jars *jars, const char *path, struct jar item)
{
    PS_ARRAY_GROW(jars->items, jars->count, jars->room, "the Java host");
    item.path = ps_must_copy_text(path, "the Java host");
    jars->items[jars->count++] = item;
}

/* Adds a file to the list, unless it does not exist. */
static void add_file(struct ps_java_jars *jars, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        add(jars, path,
            (struct jar){.inode = (uint64_t)status.st_ino,
                         .bytes = (uint64_t)status.st_size,
                         .seconds = (int64_t)status.st_mtim.tv_sec,
                         .nanoseconds = (int64_t)status.st_mtim.tv_nsec});
    else
        note_blocked(jars, path, errno);
}

static void add_jar(struct ps_java_jars *jars, const char *path, const char *name)
{
    if (ps_text_ends(name, ".jar") || ps_text_ends(name, ".JAR"))
        add_file(jars, path);
}

/* Adds a file that the agent may not read, such as ssl-server.xml of Hadoop, so that a change of its time is
 * noticed. */
static void add_unreadable(struct ps_java_jars *jars, const char *path, int error)
{
    if (error == EACCES || error == EPERM)
        add_file(jars, path);
    else if (error != ELOOP) /* a link to itself, which the JVM cannot read either */
        note_blocked(jars, path, error);
}

/* Adds a file with settings, such as hbase-site.xml. Its bytes are compared and not its time, because Kubernetes
 * writes all files of a ConfigMap anew when one of them changes. */
static void add_settings(struct ps_java_jars *jars, const char *path)
{
    char bytes[4096];
    struct jar item = {.hash = PS_FNV64};
    ssize_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        add_unreadable(jars, path, errno);
        return;
    }
    while ((length = read(fd, bytes, sizeof bytes)) > 0 && item.bytes < SETTINGS_BYTES) {
        item.hash = ps_fnv64(item.hash, bytes, (size_t)length);
        item.bytes += (uint64_t)length;
    }
    if (length < 0 && errno != EISDIR)
        note_blocked(jars, path, errno);
    else
        add(jars, path, item);
    close(fd);
}

/* Adds what a JVM may have read of a folder of classes. Such a folder is often the configuration directory,
 * with the agent's own file. That file does not count, nor does the folder's time, which changes whenever a
 * file in the folder is written and renamed. */
static void add_class(struct ps_java_jars *jars, const char *path, const char *name)
{
    struct stat status;
    if (ps_text_ends(name, ".class"))
        add_file(jars, path);
    else if (ps_text_ends(name, ".xml"))
        add_settings(jars, path);
    else if (name[0] != '.' && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        add(jars, path, (struct jar){0}); /* a package: its name counts */
}

static void add_folder(struct ps_java_jars *jars, const char *folder,
                       void (*add_one)(struct ps_java_jars *, const char *path, const char *name))
{
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        note_blocked(jars, folder, errno);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            add_one(jars, path, entry->d_name);
    }
    closedir(directory);
}

static void add_entry(struct ps_java_jars *jars, char *path, size_t length)
{
    struct stat status;
    if (ps_text_ends(path, "/*")) {
        path[length - 2] = '\0';
        add_folder(jars, path, add_jar);
    } else if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        add_folder(jars, path, add_class);
    } else {
        add_file(jars, path);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct jar *)a)->path, ((const struct jar *)b)->path);
}

struct ps_java_jars *ps_java_jars_read(const char *const *argv)
{
    struct ps_java_jars *jars = ps_must_alloc(1, sizeof *jars, "the Java host");
    size_t at = 0;
    while (argv[at] != NULL && strcmp(argv[at], "-cp") != 0)
        at++;
    if (argv[at] == NULL || argv[at + 1] == NULL)
        return jars;
    for (const char *entry = argv[at + 1]; *entry != '\0';) {
        char path[PATH_MAX];
        size_t length = strcspn(entry, ":");
        if (length > 0 && length < sizeof path) {
            memcpy(path, entry, length);
            path[length] = '\0';
            add_entry(jars, path, length);
        }
        entry += length + (entry[length] == ':');
    }
    if (jars->count > 0)
        qsort(jars->items, jars->count, sizeof *jars->items, by_path);
    return jars;
}

const char *ps_java_jars_blocked(const struct ps_java_jars *jars)
{
    return jars->blocked;
}

void ps_java_jars_free(struct ps_java_jars *jars)
{
    if (jars != NULL)
        free(jars->blocked);
    for (size_t i = 0; jars != NULL && i < jars->count; i++)
        free(jars->items[i].path);
    if (jars != NULL)
        free(jars->items);
    free(jars);
}

static bool is_same(const struct jar *a, const struct jar *b)
{
    return a->inode == b->inode && a->bytes == b->bytes && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds && a->hash == b->hash;
}

bool ps_java_jars_changed(const struct ps_java_jars *before, const struct ps_java_jars *now, char *text,
                          size_t room)
{
    size_t i = 0, k = 0;
    while (i < before->count || k < now->count) {
        const struct jar *old = i < before->count ? &before->items[i] : NULL;
        const struct jar *new = k < now->count ? &now->items[k] : NULL;
        int order = old == NULL ? 1 : new == NULL ? -1 : by_path(old, new);
        bool unknown = now->blocked != NULL && (order < 0 || (order > 0 && before->blocked != NULL));
        if (unknown) {
            i += order < 0;
            k += order > 0;
            continue;
        }
        if (order != 0 || !is_same(old, new)) {
            snprintf(text, room, "%s %s", order < 0 ? old->path : new->path,
                     order < 0   ? "is gone"
                     : order > 0 ? "is new"
                                 : "has changed");
            return true;
        }
        i++;
        k++;
    }
    return false;
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
