/* Lists the files of a spooling directory that are to be read, in order
 * (ReliableSpoolingFileEventReader.getCandidateFiles, getNextFile). Thread: the source's. */
#include "stages/lib/spool/spool_internal.h"

#include "core/log/log.h"
#include "core/text/ends.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define DEPTH_MAX 64U

void ps_spool_list_free(struct ps_spool *spool)
{
    for (size_t i = 0; i < spool->count; i++)
        free(spool->list[i].path);
    spool->count = spool->next = 0;
}

const char *ps_spool_below(const struct ps_spool *spool, const char *path)
{
    const char *below = path + strlen(spool->directory);
    return below + strspn(below, "/");
}

bool ps_spool_marker(const struct ps_spool *spool, const char *path, char *out, size_t room)
{
    int length = snprintf(out, room, "%s/%s%s", spool->tracker, ps_spool_below(spool, path), spool->suffix);
    return length > 0 && (size_t)length < room;
}

/* Returns whether the name is that of a canary: Flume's, or with a dot before it, penstock's. */
static bool is_canary(const char *name)
{
    static const char begins[] = "flume-spooldir-perm-check-";
    name += name[0] == '.';
    return strncmp(name, begins, sizeof begins - 1) == 0 && ps_text_ends(name, ".canary");
}

bool ps_spool_wants(const struct ps_spool *spool, const char *name)
{
    return name[0] != '.' && !ps_text_ends(name, spool->suffix) && !is_canary(name);
}

static bool matches(const struct ps_spool *spool, const struct ps_regex *regex, const char *name)
{
    return ps_regex_find(regex, spool->scratch, name, strlen(name), 0, NULL, 0);
}

/* Returns whether this file of the device and the inode is the one that was left alone: when that one is gone, another file may have
 * its inode. Its contents do not tell, because a file that is left alone may change. */
static bool is_left(const struct ps_spool_left *left, const char *path)
{
    uint64_t born_ns = left->born_ns != 0 ? ps_tail_path_born_ns(path) : 0;
    if (born_ns != 0)
        return born_ns == left->born_ns;
    return left->path == NULL || strcmp(left->path, path) == 0;
}

/* Forgets the files left alone that a whole listing lacks: they are gone, and their inodes may be used again. */
static void left_forget(struct ps_spool *spool)
{
    size_t kept = 0;
    for (size_t i = 0; i < spool->aside_count; i++) {
        if (spool->aside[i].seen)
            spool->aside[kept++] = spool->aside[i];
        else
            free(spool->aside[i].path);
    }
    spool->aside_count = kept;
}

static bool is_known(struct ps_spool *spool, const char *path, const struct stat *status)
{
    for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        const struct ps_spool_file *file = &spool->files[i];
        if (file->in_flight && file->inode == status->st_ino && file->device == status->st_dev)
            return true;
    }
    for (size_t i = 0; i < spool->aside_count; i++) {
        struct ps_spool_left *left = &spool->aside[i];
        if (left->inode != status->st_ino || left->device != status->st_dev || !is_left(left, path))
            continue;
        left->seen = true;
        return true;
    }
    return false;
}

/* Returns whether the file has a marker, which means that all of it was delivered. *error: the marker could not be
 * looked at. */
static bool is_marked(const struct ps_spool *spool, const char *path, int *error)
{
    char marker[PATH_BYTES];
    *error = 0;
    if (!spool->marks || !ps_spool_marker(spool, path, marker, sizeof marker))
        return false;
    if (access(marker, F_OK) == 0)
        return true;
    *error = errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    return false;
}

static void candidate_add(struct ps_spool *spool, const char *path, size_t name_at, const struct stat *status)
{
    if (spool->count == spool->room) {
        size_t room = spool->room == 0 ? 64 : 2 * spool->room;
        void *list = realloc(spool->list, room * sizeof *spool->list);
        spool->lacks |= list == NULL;
        if (list == NULL)
            return; /* the next listing tries again */
        spool->list = list;
        spool->room = room;
    }
    char *copy = strdup(path);
    spool->lacks |= copy == NULL;
    if (copy == NULL)
        return;
    spool->list[spool->count++] = (struct ps_spool_candidate){
        .path = copy,
        .name_at = (uint32_t)name_at,
        .device = status->st_dev,
        .inode = status->st_ino,
        .modified_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000};
}

/* Called before the directory is read, so that no change is missed between the two. */
static void watch(struct ps_spool *spool, const char *directory)
{
    if (spool->notify_fd < 0 || ps_tail_notify_add(spool->notify_fd, directory, false) >= 0 ||
        spool->watch_failed)
        return;
    int error = errno;
    spool->watch_failed = true;
    ps_log(PS_LOG_WARN, spool->component,
           "%s cannot be watched: %s%s; files in it are found when the directory "
           "is listed, every 10 s",
           directory, strerror(error), error == ENOSPC ? " (fs.inotify.max_user_watches)" : "");
}

/* Returns whether the path's file can be looked at; a link may point to nothing. */
static bool look(struct ps_spool *spool, const char *path, struct stat *status)
{
    if (stat(path, status) == 0)
        return true;
    bool lacks = errno != ENOENT && errno != ENOTDIR && errno != ELOOP;
    spool->lacks |= lacks;
    if (lacks && !spool->look_failed)
        ps_log(PS_LOG_WARN, spool->component,
               "%s cannot be looked at: %s: it is not read; let the agent's user search the directory of its "
               "file, or remove the link",
               path, strerror(errno));
    spool->look_failed |= lacks;
    return false;
}

/* Removes the canary of a process that was killed before it removed it. The canary of another agent that starts now may
 * go, too: that agent does not need it any more. One that cannot be removed does no harm. */
static void canary_remove(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISREG(status.st_mode))
        (void)unlink(path);
}

static bool directory_list(struct ps_spool *spool, char *path, size_t length, unsigned depth);

static bool entry_list(struct ps_spool *spool, const struct dirent *entry, char *path, size_t length,
                       unsigned depth)
{
    const char *name = entry->d_name;
    struct stat status;
    size_t name_length = strlen(name);
    bool has_room = length + 1 + name_length < PATH_BYTES;
    if (has_room) {
        path[length] = '/';
        memcpy(path + length + 1, name, name_length + 1);
    }
    if (has_room && name[0] == '.' && depth == 0 && !spool->listed && !spool->marks && is_canary(name))
        canary_remove(path);
    if (!ps_spool_wants(spool, name) && (name[0] == '.' || entry->d_type == DT_REG))
        return true;
    if (!has_room) {
        errno = ENAMETOOLONG;
        return false;
    }
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN && lstat(path, &status) == 0)
        is_directory = S_ISDIR(status.st_mode);
    if (is_directory)
        return !spool->recursive || depth == DEPTH_MAX || matches(spool, spool->ignore, name) ||
               directory_list(spool, path, length + 1 + name_length, depth + 1);
    if (ps_spool_wants(spool, name) && matches(spool, spool->include, name) &&
        !matches(spool, spool->ignore, name) && look(spool, path, &status) && S_ISREG(status.st_mode) &&
        !is_known(spool, path, &status)) {
        int error;
        if (!is_marked(spool, path, &error) && error == 0)
            candidate_add(spool, path, length + 1, &status);
        errno = error; /* the next listing finds the file */
        return error == 0;
    }
    return true;
}

static bool directory_list(struct ps_spool *spool, char *path, size_t length, unsigned depth)
{
    path[length] = '\0';
    watch(spool, path);
    DIR *directory = opendir(path);
    bool good = directory != NULL;
    if (directory == NULL && depth > 0 && errno == ENOENT)
        return true; /* the file was removed meanwhile */
    int error = errno;
    if (depth == 0)
        spool->error = directory == NULL ? error : 0;
    errno = 0;
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL; errno = 0) {
        if (!entry_list(spool, entry, path, length, depth)) {
            good = false;
            error = errno;
        }
    }
    if (directory != NULL && errno != 0) {
        error = errno;
        good = false;
    }
    if (directory != NULL)
        closedir(directory);
    path[length] = '\0';
    if (!good)
        ps_log(PS_LOG_ERROR, spool->component,
               "I/O exception occurred while listing directories. Files already matched will be returned. "
               "%s: %s",
               path, strerror(error));
    return good;
}

static int compare_names(const struct ps_spool_candidate *left, const struct ps_spool_candidate *right)
{
    int order = strcmp(left->path + left->name_at, right->path + right->name_at);
    return order != 0 ? order : strcmp(left->path, right->path);
}

static int compare_oldest(const void *left_, const void *right_)
{
    const struct ps_spool_candidate *left = left_, *right = right_;
    if (left->modified_ms != right->modified_ms)
        return left->modified_ms < right->modified_ms ? -1 : 1;
    return compare_names(left, right);
}

static int compare_youngest(const void *left_, const void *right_)
{
    const struct ps_spool_candidate *left = left_, *right = right_;
    if (left->modified_ms != right->modified_ms)
        return left->modified_ms > right->modified_ms ? -1 : 1;
    return compare_names(left, right);
}

/* The file that the previous process was reading when it ended comes first, because only its position is
 * kept. (Flume forgets the position when another file is older by then, and reads the file again.) */
static void begun_first(struct ps_spool *spool)
{
    for (size_t i = 0; spool->meta.target != NULL && i < spool->count; i++) {
        if (strcmp(spool->list[i].path, spool->meta.target) != 0)
            continue;
        struct ps_spool_candidate begun = spool->list[i];
        memmove(spool->list + 1, spool->list, i * sizeof begun);
        spool->list[0] = begun;
        return;
    }
}

bool ps_spool_list(struct ps_spool *spool)
{
    char path[PATH_BYTES + 256];
    ps_spool_list_free(spool);
    spool->lacks = false;
    for (size_t i = 0; i < spool->aside_count; i++)
        spool->aside[i].seen = false;
    size_t length = strlen(spool->directory);
    memcpy(path, spool->directory, length + 1);
    bool good = directory_list(spool, path, length, 0);
    if (spool->order != PS_SPOOL_RANDOM && spool->count > 1)
        qsort(spool->list, spool->count, sizeof *spool->list,
              spool->order == PS_SPOOL_OLDEST ? compare_oldest : compare_youngest);
    begun_first(spool);
    spool->listed = true;
    if (good && !spool->lacks)
        left_forget(spool);
    return good;
}
