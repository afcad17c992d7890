#include "core/deadletter/file.h"

#include "core/clock.h"
#include "core/durable.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640
#define DIRECTORY_MODE 0750
#define MS_PER_HOUR INT64_C(3600000)

static enum ps_status fail_with(struct ps_err *err, const char *what, const char *path, int error)
{
    return ps_err_set(err, "cannot %s %s: %s", what, path, strerror(error));
}

static enum ps_status fail(struct ps_err *err, const char *what, const char *path)
{
    return fail_with(err, what, path, errno);
}

static enum ps_status directory_make(const char *path, struct ps_err *err)
{
    int error = ps_directory_make(path, DIRECTORY_MODE);
    return error == 0 ? PS_OK : fail_with(err, "make the directory", path, error);
}

/* Syncs the directory, so that the names in it survive a power cut. */
static enum ps_status directory_sync(const char *path, struct ps_err *err)
{
    int error = ps_directory_sync(path);
    return error == 0 ? PS_OK : fail_with(err, "sync", path, error);
}

enum ps_status ps_dead_letter_file_init(struct ps_dead_letter_file *file, const char *directory,
                                        const char *agent, struct ps_err *err)
{
    *file = (struct ps_dead_letter_file){.fd = -1};
    if (directory_make(directory, err) != PS_OK || directory_sync(directory, err) != PS_OK)
        return PS_FAIL;
    if (access(directory, W_OK | X_OK) != 0)
        return fail(err, "write into", directory);
    file->directory = ps_must_copy_text(directory, "a directory's name");
    file->agent = ps_must_copy_text(agent, "an agent's name");
    for (char *c = file->agent; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            *c = '_';
    return PS_OK;
}

static void file_close(struct ps_dead_letter_file *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    file->fd = -1;
    if (file->bytes == 0) /* nothing was ever written: removes the file */
        unlink(file->path);
}

void ps_dead_letter_file_fini(struct ps_dead_letter_file *file)
{
    file_close(file);
    free(file->directory);
    free(file->agent);
}

static void file_name(struct ps_dead_letter_file *file, struct ps_now now)
{
    char stamp[32];
    ps_utc_print(stamp, sizeof stamp, "%Y%m%dT%H%M%S", now.wall_ms / 1000);
    snprintf(file->path, sizeof file->path, "%s/%s-%s-%ld-%u.jsonl", file->directory, stamp, file->agent,
             (long)getpid(), ++file->number);
}

static enum ps_status file_begin(struct ps_dead_letter_file *file, struct ps_now now, struct ps_err *err)
{
    if (directory_make(file->directory, err) != PS_OK)
        return PS_FAIL;
    do {
        file_name(file, now);
        file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, FILE_MODE);
    } while (file->fd < 0 && errno == EEXIST);
    if (file->fd < 0)
        return fail(err, "make", file->path);
    file->bytes = 0;
    file->hour = now.wall_ms / MS_PER_HOUR;
    if (directory_sync(file->directory, err) == PS_OK)
        return PS_OK;
    file_close(file);
    return PS_FAIL;
}

/* Returns whether somebody deleted the file: further lines would be lost. */
static bool file_is_gone(const struct ps_dead_letter_file *file)
{
    struct stat found;
    return fstat(file->fd, &found) != 0 || found.st_nlink == 0;
}

static bool file_is_over(const struct ps_dead_letter_file *file, struct ps_now now)
{
    return file->bytes >= PS_DEAD_LETTER_FILE_BYTES_MAX || file->hour != now.wall_ms / MS_PER_HOUR ||
           file_is_gone(file);
}

/* Writes all parts. Returns false with errno set when that failed. */
static bool write_parts(int fd, struct iovec *parts, size_t count)
{
    while (count > 0) {
        ssize_t put = writev(fd, parts, (int)(count < IOV_MAX ? count : IOV_MAX));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        size_t left = (size_t)put;
        for (; count > 0 && left >= parts->iov_len; parts++, count--)
            left -= parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return true;
}

enum ps_status ps_dead_letter_file_append(struct ps_dead_letter_file *file, struct iovec *parts, size_t count,
                                          struct ps_now now, struct ps_err *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    if (file->fd >= 0 && file_is_over(file, now))
        file_close(file);
    if (file->fd < 0 && file_begin(file, now, err) != PS_OK)
        return PS_FAIL;
    if (!write_parts(file->fd, parts, count)) {
        fail(err, "write", file->path);
        if (ftruncate(file->fd, (off_t)file->bytes) != 0)
            file_close(file);
        return PS_FAIL;
    }
    if (fdatasync(file->fd) != 0) { /* after a failed sync nobody knows which data is on disk */
        fail(err, "sync", file->path);
        (void)!ftruncate(file->fd, (off_t)file->bytes);
        file_close(file);
        return PS_FAIL;
    }
    file->bytes += bytes;
    if (!file_is_gone(file))
        return PS_OK;
    file_close(file);
    return ps_err_set(err, "somebody deleted %s", file->path);
}
