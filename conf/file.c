/* See file.h. */
#include "conf/file.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ps_file_add(struct ps_file *file, size_t *room, const char *bytes, size_t length, size_t bytes_max)
{
    if (length > bytes_max - file->length)
        return false;
    if (file->length + length + 1 > *room) {
        *room = (file->length + length + 1) * 2;
        file->bytes = ps_must_realloc(file->bytes, *room, "a configuration file");
    }
    if (length > 0)
        memcpy(file->bytes + file->length, bytes, length);
    file->length += length;
    file->bytes[file->length] = '\0';
    return true;
}

enum ps_status ps_file_read(const char *path, size_t bytes_max, struct ps_file *file, struct ps_err *err)
{
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block the agent */
    if (fd < 0)
        return ps_err_set(err, "cannot read %s: %s", path, strerror(errno));
    struct stat status;
    enum ps_status result = PS_FAIL;
    size_t room = 0;
    char buffer[16384];
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        ps_err_set(err, "cannot read %s: it is a directory", path);
        goto out;
    }
    file->modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    ps_file_add(file, &room, NULL, 0, bytes_max);
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            ps_err_set(err, "cannot read %s: %s", path, strerror(errno));
            goto out;
        }
        if (got == 0)
            break;
        if (!ps_file_add(file, &room, buffer, (size_t)got, bytes_max)) {
            ps_err_set(err, "%s is larger than %s", path, ps_quantity_print_bytes(bytes_max).text);
            goto out;
        }
    }
    result = PS_OK;
out:
    close(fd);
    if (result != PS_OK)
        ps_file_free(file);
    return result;
}

void ps_file_free(struct ps_file *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}
