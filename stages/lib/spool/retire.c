/* Retires a file that was delivered completely (ReliableSpoolingFileEventReader.retireCurrentFile). Messages
 * are Flume's. Thread: the source's. */
#include "stages/lib/spool/spool_internal.h"

#include "core/durable.h"
#include "core/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U

/* Returns whether the call may succeed later, without a change of the file, its name or the rights to it. Retiring a file writes to the
 * directory, so a full disk, one that fails, and a file system that is read-only for a while pass, too. */
static bool passes(int error)
{
    return ps_is_shortage(error) || error == ENOSPC || error == EDQUOT || error == EIO || error == ESTALE ||
           error == EROFS;
}

/* Sets the reason for which the file is not retired. `error`: the errno of the call that failed; 0: an assumption is
 * broken. */
static bool failed(struct ps_spool_file *file, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool failed(struct ps_spool_file *file, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->reason, sizeof file->reason, format, arguments);
    va_end(arguments);
    file->again = passes(error);
    if (!file->again)
        file->end = PS_SPOOL_VIOLATED;
    return false;
}

static bool is_unchanged(struct ps_spool_file *file)
{
    struct stat status;
    bool there = stat(file->path, &status) == 0;
    if (!there && passes(errno))
        return failed(file, errno, "%s cannot be looked at: %s", file->path, strerror(errno));
    int64_t modified_ms =
        there ? (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000 : 0;
    if (!there || modified_ms != file->modified_ms || status.st_ino != file->inode ||
        status.st_dev != file->device)
        return failed(file, 0, "File has been modified since being read: %s", file->path);
    if ((uint64_t)status.st_size != file->size)
        return failed(file, 0, "File has changed size since being read: %s", file->path);
    return true;
}

static bool reused(struct ps_spool_file *file, const char *target)
{
    return failed(file, 0,
                  "File name has been re-used with different files. Spooling assumptions violated for %s",
                  target);
}

static bool file_rename(struct ps_spool *spool, struct ps_spool_file *file)
{
    char target[PATH_BYTES];
    if (snprintf(target, sizeof target, "%s%s", file->path, spool->suffix) >= (int)sizeof target)
        return failed(file, 0, "Unable to move %s: its new name is too long", file->path);
    ps_log(PS_LOG_DEBUG, spool->component, "Preparing to move file %s to %s", file->path, target);
    if (renameat2(AT_FDCWD, file->path, AT_FDCWD, target, RENAME_NOREPLACE) == 0) {
        ps_spool_grown_add(spool, file, target);
        return true;
    }
    if (errno == EINVAL || errno == ENOSYS) { /* the file system has no RENAME_NOREPLACE */
        struct stat status;
        if (lstat(target, &status) == 0)
            return reused(file, target);
        if (rename(file->path, target) == 0) {
            ps_spool_grown_add(spool, file, target);
            return true;
        }
    }
    if (errno == EEXIST)
        return reused(file, target);
    return failed(file, errno,
                  "Unable to move %s to %s: %s. This will likely cause duplicate events. Please verify "
                  "that flume has sufficient permissions to perform these operations.",
                  file->path, target, strerror(errno));
}

static bool file_mark(struct ps_spool *spool, struct ps_spool_file *file)
{
    char marker[PATH_BYTES], above[PATH_BYTES];
    if (!ps_spool_marker(spool, file->path, marker, sizeof marker))
        return failed(file, 0, "Could not create tracker file for %s: its path is too long", file->path);
    ps_log(PS_LOG_DEBUG, spool->component, "Preparing to create tracker file for %s at %s", file->path,
           marker);
    size_t length = (size_t)(strrchr(marker, '/') - marker);
    memcpy(above, marker, length);
    above[length] = '\0';
    int error = ps_directories_make(above, 0750);
    if (error != 0)
        return failed(file, error, "Could not create tracker file: %s cannot be made: %s", above,
                      strerror(error));
    int fd = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST)
        return reused(file, marker);
    if (fd < 0)
        return failed(file, errno, "Could not create tracker file: %s: %s", marker, strerror(errno));
    close(fd);
    ps_spool_grown_add(spool, file, file->path);
    return true;
}

static bool file_delete(const struct ps_spool *spool, struct ps_spool_file *file)
{
    ps_log(PS_LOG_DEBUG, spool->component, "Preparing to delete file %s", file->path);
    if (unlink(file->path) != 0)
        return failed(file, errno, "Unable to delete spool file: %s: %s", file->path, strerror(errno));
    return true;
}

/* Removes the position of a retired file. */
static void meta_forget(struct ps_spool *spool, const struct ps_spool_file *file)
{
    if (spool->meta.target == NULL || strcmp(spool->meta.target, file->path) != 0)
        return;
    ps_spool_meta_delete(spool);
}

/* Returns whether the file is unchanged since it was opened. */
static bool is_as_opened(const struct ps_spool_file *file)
{
    struct stat status;
    if (stat(file->path, &status) != 0 || status.st_ino != file->inode || status.st_dev != file->device)
        return false;
    return ps_spool_is_same_state(ps_spool_state_of(&status), file->state);
}

static void set_aside(struct ps_spool *spool, const struct ps_spool_file *file)
{
    if (spool->aside_count == spool->aside_room) {
        size_t room = spool->aside_room == 0 ? 16 : 2 * spool->aside_room;
        void *aside = realloc(spool->aside, room * sizeof *spool->aside);
        if (aside == NULL)
            return; /* the file is read again, and will be left alone here again */
        spool->aside = aside;
        spool->aside_room = room;
    }
    spool->aside[spool->aside_count++] =
        (struct ps_spool_left){.device = file->device,
                               .inode = file->inode,
                               .born_ns = file->born_ns,
                               .path = file->born_ns == 0 ? strdup(file->path) : NULL};
}

/* Returns 0, or why the names of the retired files may be the old ones after a power cut. Each directory is synced once where its files
 * follow each other. */
static int ends_sync(const struct ps_spool *spool)
{
    char path[PATH_BYTES], before[PATH_BYTES] = "";
    for (size_t i = 0; i < spool->retired_count; i++) {
        const struct ps_spool_file *file = spool->retired[i];
        if (spool->marks)
            (void)ps_spool_marker(spool, file->path, path, sizeof path);
        else
            snprintf(path, sizeof path, "%s", file->path);
        *strrchr(path, '/') = '\0';
        if (strcmp(path, before) == 0)
            continue;
        int error = ps_directory_sync(path[0] == '\0' ? "/" : path);
        if (error != 0)
            return error;
        memcpy(before, path, sizeof before);
    }
    return 0;
}

/* Ends a group of retired files: when their new names are on the disk, their records and numbers may be forgotten. If they are not,
 * a power cut may bring a file back, whose events would come again under exactly once, or with other identities. */
static void group_end(struct ps_spool *spool, struct ps_spool_file *last)
{
    int error = ends_sync(spool);
    last->synced = error == 0;
    for (size_t i = 0; last->synced && i < spool->retired_count; i++)
        ps_spool_numbers_forget(spool, spool->retired[i]);
    spool->retired_count = 0;
    if (error != 0 && !spool->sync_failed)
        ps_log(PS_LOG_WARN, spool->component,
               "the names of finished files cannot be synced: %s: what is known of these files is kept until "
               "the next start, because a power cut may bring them back",
               strerror(error));
    spool->sync_failed = error != 0;
}

/* Retires the file, or leaves it alone. */
static void end_file(struct ps_spool *spool, struct ps_spool_file *file)
{
    if (file->end == PS_SPOOL_RETIRED && is_unchanged(file) &&
        (spool->deletes ? file_delete(spool, file)
         : spool->marks ? file_mark(spool, file)
                        : file_rename(spool, file))) {
        meta_forget(spool, file);
        ps_spool_aside_forget(spool, file);
        PS_ASSERT(spool->retired_count < PS_SPOOL_FILES_MAX);
        if (spool->durable_ends)
            spool->retired[spool->retired_count++] = file;
    } else if (!file->again) {
        set_aside(spool, file);
        if (ps_spool_aside_write(spool, file) &&
            is_as_opened(file)) /* if the file is corrected later, it has no position */
            meta_forget(spool, file);
    }
}

void ps_spool_retire_run(struct ps_tail_job *job)
{
    struct ps_spool_file *file = (struct ps_spool_file *)(void *)job;
    struct ps_spool *spool = file->spool;
    bool had_to_wait = file->again, is_behind = spool->waits != NULL && spool->waits != file;
    file->again = is_behind;
    if (!is_behind) {
        end_file(spool, file);
        spool->waits = file->again ? file : NULL;
    }
    if (file->again && !had_to_wait) /* a process that begins meanwhile must not read it again */
        (void)ps_spool_aside_write(spool, file);
    file->in_flight = file->again;
    file->synced = false;
    if (spool->durable_ends && file->last)
        group_end(spool, file);
}
