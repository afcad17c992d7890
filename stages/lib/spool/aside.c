/* Keeps the positions of files that are left alone (penstock.onFileError = skip, or a file that cannot be
 * renamed): each has a positions file in the tracker directory, so that a restart tries the file again but
 * does not repeat its events. The position counts only for a file that has not changed since it was opened: a
 * corrected file is read from its beginning. Thread: the source's. */
#include "stages/lib/spool/spool_internal.h"

#include "core/log/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define NAME_BEGINS ".flumespool-aside-"

static bool path_of(const struct ps_spool *spool, const struct ps_spool_file *file, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%s/" NAME_BEGINS "%llu-%llu.meta", spool->tracker,
                          (unsigned long long)file->device, (unsigned long long)file->inode);
    return length > 0 && (size_t)length < PATH_BYTES;
}

bool ps_spool_aside_write(const struct ps_spool *spool, const struct ps_spool_file *file)
{
    char path[PATH_BYTES];
    struct ps_err err = {.length = 0};
    const struct ps_spool_meta meta = {.target = file->path,
                                       .position = file->stop,
                                       .device = file->device,
                                       .inode = file->inode,
                                       .compression = file->compression,
                                       .state = file->state};
    if (file->stop == 0 || !path_of(spool, file, path))
        return false;
    if (ps_spool_meta_write(path, &meta, &err) == PS_OK)
        return true;
    ps_log(PS_LOG_WARN, spool->component, "%s; after a restart the events of %s come again", err.text,
           file->path);
    return false;
}

bool ps_spool_aside_start(const struct ps_spool *spool, const struct ps_spool_file *file, uint64_t *position,
                          struct ps_err *err)
{
    char path[PATH_BYTES];
    struct ps_spool_meta meta;
    struct ps_err damaged = {.length = 0};
    *position = 0;
    if (!path_of(spool, file, path))
        return true;
    enum ps_spool_meta_read result = ps_spool_meta_read(path, &meta, &damaged);
    bool same = result == PS_SPOOL_META_READ && meta.target != NULL && strcmp(meta.target, file->path) == 0 &&
                ps_spool_is_same_state(meta.state, file->state) && meta.compression == file->compression;
    if (same)
        *position = meta.position;
    ps_spool_meta_fini(&meta);
    if (result == PS_SPOOL_META_DAMAGED)
        ps_log(PS_LOG_WARN, spool->component,
               "%s: %s is read from its beginning, so some of its events come again", damaged.text,
               file->path);
    if (result != PS_SPOOL_META_UNREADABLE)
        return true;
    (void)ps_err_set(err, "its position cannot be read: %s", ps_err_join(&damaged));
    return false;
}

void ps_spool_aside_forget(const struct ps_spool *spool, const struct ps_spool_file *file)
{
    char path[PATH_BYTES];
    if (path_of(spool, file, path))
        (void)unlink(path);
}

/* Gives the positions file the name that it has after the file's device got another number. Returns whether it has it. */
static bool move(const struct ps_spool *spool, const char *path, const struct ps_spool_meta *meta,
                 const struct stat *status)
{
    char to[PATH_BYTES];
    const struct ps_spool_file file = {.device = status->st_dev, .inode = status->st_ino};
    return ps_spool_is_same_state(meta->state, ps_spool_state_of(status)) && path_of(spool, &file, to) &&
           rename(path, to) == 0;
}

/* Returns whether the file that the positions file names is gone, or another file has its name. */
static bool is_stale(const struct ps_spool *spool, const char *path)
{
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    struct stat status;
    if (ps_spool_meta_read(path, &meta, &err) != PS_SPOOL_META_READ)
        return false;
    bool stale = meta.target == NULL;
    if (!stale && stat(meta.target, &status) == 0)
        stale = status.st_ino != meta.inode ||
                (status.st_dev != meta.device && !move(spool, path, &meta, &status));
    else if (!stale)
        stale = errno == ENOENT;
    ps_spool_meta_fini(&meta);
    return stale;
}

void ps_spool_aside_tidy(const struct ps_spool *spool)
{
    char path[PATH_BYTES];
    DIR *directory = opendir(spool->tracker);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, NAME_BEGINS, strlen(NAME_BEGINS)) != 0)
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", spool->tracker, entry->d_name);
        if (length > 0 && (size_t)length < sizeof path &&
            (strstr(entry->d_name, ".meta.tmp") != NULL /* half written */ || is_stale(spool, path)))
            (void)unlink(path);
    }
    if (directory != NULL)
        closedir(directory);
}
