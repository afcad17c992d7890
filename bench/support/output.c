#include "bench/support/output.h"

#include "core/durable.h"

#include <errno.h>
#include <jansson.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns the name of the temporary file beside the path. The caller frees the text. */
static char *beside_of(const char *path)
{
    size_t room = strlen(path) + 32;
    char *beside = ps_must_alloc(1, room, "a file's name");
    snprintf(beside, room, "%s.%ld.tmp", path, (long)getpid());
    return beside;
}

/* Returns whether the path is a pipe or a device: these cannot be replaced by another file. */
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

/* Writes into a pipe or a device. */
static int write_special(const char *path, const char *data, size_t length)
{
    int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0)
        return errno;
    int error = ps_write_all(file, data, length);
    if (close(file) != 0 && error == 0)
        error = errno;
    return error;
}

enum ps_status ps_output_write(const char *path, const char *data, size_t length, struct ps_err *err)
{
    mode_t mode;
    bool special = is_special(path, &mode);
    char *beside = special ? NULL : beside_of(path);
    int error =
        special ? write_special(path, data, length) : ps_file_replace(path, beside, 0666, data, length);
    free(beside);
    return error == 0 ? PS_OK : ps_err_set(err, "%s: %s", path, strerror(error));
}

json_t *ps_output_json_text(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}
