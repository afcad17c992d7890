#include "bench/support/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The caller frees the text. */
static char *beside_of(const char *path)
{
    char *beside = NULL;
    return asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0 ? NULL : beside;
}

/* A pipe or a device cannot be replaced by another file. */
static bool is_special(const char *path, mode_t *mode)
{
    struct stat there;
    bool special = stat(path, &there) == 0 && !S_ISREG(there.st_mode);
    *mode = special ? there.st_mode : 0;
    return special;
}

enum ps_status ps_output_check(const char *option, const char *path, struct ps_err *err)
{
    mode_t mode;
    if (is_special(path, &mode)) {
        if (S_ISDIR(mode))
            return ps_err_set(err, "%s %s: it is a directory", option, path);
        return access(path, W_OK) == 0 ? PS_OK : ps_err_set(err, "%s %s: %s", option, path, strerror(errno));
    }
    char *beside = beside_of(path);
    if (beside == NULL)
        return ps_err_set(err, "no memory");
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        ps_err_set(err, "%s %s: cannot be written: %s", option, path, strerror(errno));
    else {
        close(file);
        unlink(beside);
    }
    free(beside);
    return file < 0 ? PS_FAIL : PS_OK;
}

static enum ps_status write_all(int file, const char *data, size_t length)
{
    for (size_t written = 0; written < length;) {
        ssize_t count = write(file, data + written, length - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return PS_FAIL;
        written += (size_t)count;
    }
    return PS_OK;
}

static enum ps_status write_file(const char *path, int flags, const char *data, size_t length,
                                 struct ps_err *err)
{
    int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | flags, 0666);
    if (file < 0)
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    bool written = write_all(file, data, length) == PS_OK;
    int reason = errno;
    if (close(file) != 0 && written) {
        written = false;
        reason = errno;
    }
    return written ? PS_OK : ps_err_set(err, "%s: %s", path, strerror(reason));
}

enum ps_status ps_output_write(const char *path, const char *data, size_t length, struct ps_err *err)
{
    mode_t mode;
    if (is_special(path, &mode))
        return write_file(path, 0, data, length, err);
    char *beside = beside_of(path);
    if (beside == NULL)
        return ps_err_set(err, "no memory");
    enum ps_status status = write_file(beside, O_CREAT, data, length, err);
    if (status == PS_OK && rename(beside, path) != 0)
        status = ps_err_set(err, "%s: %s", path, strerror(errno));
    if (status != PS_OK)
        unlink(beside);
    free(beside);
    return status;
}
